"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from outgroup.errors import InvalidParameterError

# Typer reads these at run time, and on Python 3.10 takes Optional[X] but not every X | None.

# What stands together in the help.
NEGATIVES, STRATEGY, PROMISES = "Negatives", "How to say other", "What is promised"
SEVERAL, INPUTS = "Several labels or columns", "Several inputs"

Data = Annotated[
    Path,
    typer.Argument(
        metavar="DIR|CSV",
        help="A folder with one sub-folder a class, or a CSV file with columns path and label.",
        show_default=False,
    ),
]
OptionalData = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR|CSV",
        help="A folder with one sub-folder a class, or a CSV file with columns path and label. "
        "With --map it may be left out.",
        show_default=False,
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="CLASS=NAME...",
        help="A class by ImageNet's names or families, without training: cat=cat or "
        'cat=tabby,"Persian cat". `outgroup backbones --classes WORD` lists names.',
        rich_help_panel=STRATEGY,
    ),
]
Other = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR...",
        help="Look-alikes that are none of the classes.",
        rich_help_panel=NEGATIVES,
    ),
]
Pool = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="DIR|POOL...",
        help="Random images; those that look like one of the classes are set aside.",
        rich_help_panel=NEGATIVES,
    ),
]
Suspects = Annotated[
    Path | None,
    typer.Option(
        "--suspects",
        metavar="FILE",
        help="Write a page with pictures of what looks like a class in the pool, for a yes or no.",
        rich_help_panel=NEGATIVES,
    ),
]
KeepSuspects = Annotated[
    bool,
    typer.Option(
        "--keep-suspects",
        help="Learn from all of the pool, also from what looks like a class.",
        rich_help_panel=NEGATIVES,
    ),
]
StrategyName = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How to say other: auto, or one of `outgroup methods`. A detector goes behind a "
        "colon, as in softmax:energy or detector:knn.",
        rich_help_panel=STRATEGY,
    ),
]
HeadName = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="NAME",
        help="The head of the strategy, one of `outgroup methods`. Options go behind commas, as in "
        "focal-softmax,gamma=1. Name the strategy too.",
        rich_help_panel=STRATEGY,
    ),
]
Layers = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Layers of the backbone that the head reads, of last, second-last and logits, with "
        "commas between them. Without it all that there are.",
        rich_help_panel=STRATEGY,
    ),
]
MaxKnownRejected = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Largest share of images like the known ones that may be called other, kept or "
        "refused. Without it 0.05 are expected, and the certificate says how many it may be.",
        rich_help_panel=PROMISES,
    ),
]
MaxOtherAccepted = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Share of images like the negatives that may be given a class.",
        rich_help_panel=PROMISES,
    ),
]
Confidence = Annotated[
    float,
    typer.Option(
        metavar="SHARE", help="Confidence of each promise, one by one.", rich_help_panel=PROMISES
    ),
]
BackboneName = Annotated[
    str,
    typer.Option(
        "--backbone",
        metavar="NAME",
        help="A spec of `outgroup backbones`.",
        rich_help_panel=STRATEGY,
    ),
]
MultiLabel = Annotated[
    bool,
    typer.Option(
        "--multi-label",
        help="An image may have any number of labels: cat|dog in one column, or a column of 1 "
        "and 0 for each.",
        rich_help_panel=SEVERAL,
    ),
]
MultiOutput = Annotated[
    bool,
    typer.Option(
        "--multi-output",
        help="An image has a class in each of several columns, each with an other of its own.",
        rich_help_panel=SEVERAL,
    ),
]
LabelColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--label-column",
        metavar="NAME...",
        help="Column of a CSV file that holds labels; without it, label.",
        rich_help_panel=SEVERAL,
    ),
]
InputsFile = Annotated[
    Path | None,
    typer.Option(
        "--inputs",
        metavar="JSON",
        help="A network with several inputs, from a table: a file that names its images, its "
        "columns and the label. Needs the extra torch.",
        rich_help_panel=INPUTS,
    ),
]
Ablation = Annotated[
    bool,
    typer.Option(
        "--ablation",
        help="With --inputs: also train on images and on the table alone, and compare.",
        rich_help_panel=INPUTS,
    ),
]
Seed = Annotated[int, typer.Option(help="Seed of everything that is drawn.")]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Neither read nor keep embeddings on disk.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A file that train wrote.", show_default=False),
]


def layer_names(layers: str | None) -> tuple[str, ...] | None:
    """Return the names of layers as Python has them, from those with commas between them."""
    if layers is None:
        return None
    return tuple(name.strip().replace("-", "_") for name in layers.split(","))


def name_map(given: list[str] | None) -> dict[str, list[str]] | None:
    """Return classes and their names from texts such as "cat=tabby,Persian cat".

    Raises
    ------
    InvalidParameterError
        If a text is not of that form.

    Examples
    --------
    >>> name_map(["cat=tabby, Persian cat", "cat=Egyptian Mau", "dog=dog"])
    {'cat': ['tabby', 'Persian cat', 'Egyptian Mau'], 'dog': ['dog']}
    """
    found: dict[str, list[str]] = {}
    for text in given or ():
        name, _, listed = text.partition("=")
        names = [part.strip() for part in listed.split(",") if part.strip()]
        if not name.strip() or not names:
            raise InvalidParameterError(
                "The '--map' parameter must be a class and its ImageNet names, as in "
                f'--map cat=tabby,"Persian cat". Got {text!r} instead.'
            )
        found.setdefault(name.strip(), []).extend(names)
    return found or None


def check_writable(out: Path, name: str = "--out") -> None:
    """Refuse an output file that can't be written before any work is done for it.

    Raises
    ------
    InvalidParameterError
        If its folder does not exist or may not be written to, or it is a folder itself.
    """
    if out.is_dir():
        problem = "a folder"
    elif not out.parent.is_dir():
        problem = f"in {out.parent}, which does not exist"
    elif not os.access(out.parent, os.W_OK):
        problem = f"in {out.parent}, which may not be written to"
    else:
        return
    raise InvalidParameterError(
        f"The {name!r} parameter must be a file in a folder that exists. Got {out}, {problem}."
    )
