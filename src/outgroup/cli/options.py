"""Options that several commands share, each declared once, and how their values are read."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from outgroup.errors import InvalidParameterError

# Headings in the help.
_NEGATIVES, _STRATEGY, _GUARANTEES = "Negatives", "Strategy", "Guarantees"
_SEVERAL, _INPUTS = "Several labels or columns", "Several inputs"
_TUNING = "Fine-tuning (needs the extra torch)"


def argument(metavar: str, help: str) -> Any:
    """Declare an argument: what stands for its value in the help, and the help."""
    return typer.Argument(metavar=metavar, help=help, show_default=False)


def option(metavar: str, help: str, *names: str, panel: str | None = None) -> Any:
    """Declare an option with a value; without `names` it is called as its parameter is."""
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=panel)


def flag(name: str, help: str, panel: str | None = None) -> Any:
    """Declare an option without a value."""
    return typer.Option(name, help=help, rich_help_panel=panel)


_negatives, _strategy = partial(option, panel=_NEGATIVES), partial(option, panel=_STRATEGY)
_guarantee, _tuning = partial(option, panel=_GUARANTEES), partial(option, panel=_TUNING)

_DATA = "A folder with one sub-folder a class, or a CSV file with columns path and label."

Data = Annotated[Path, argument("DIR|CSV", _DATA)]
OptionalData = Annotated[
    Path | None, argument("DIR|CSV", f"{_DATA} With --map it may be left out.")
]
Model = Annotated[Path, argument("MODEL", "A model file, as train writes it.")]
Pool = Annotated[Path, argument("POOL", "The folder of the pool.")]
Sources = Annotated[
    list[str],
    argument(
        "SOURCE...",
        "A folder, tar or zip archive, WebDataset shards, Parquet files, a CSV file with a column "
        "path, a data set on the Hugging Face hub: see `outgroup pool sources`.",
    ),
]

Out = Annotated[Path, option("FILE", "The model file to write.", "--out", "-o")]
Seed = Annotated[int, typer.Option(help="Seed of all random choices.")]
NoCache = Annotated[bool, flag("--no-cache", "Neither read nor write the cache of embeddings.")]
Json = Annotated[bool, flag("--json", "Print JSON for machines.")]
Engine = Annotated[
    str,
    option(
        "ENGINE",
        "What computes: local, the cores of this machine, or ray, the Ray cluster at RAY_ADDRESS "
        "(needs the extra ray). The results are the same.",
    ),
]

Other = Annotated[
    list[Path] | None,
    _negatives("DIR...", "Verified negatives, such as look-alikes: they show none of the classes."),
]
Pools = Annotated[
    list[Path] | None,
    _negatives("DIR|POOL...", "Unchecked negatives; images that look like a class are set aside."),
]
KeepSuspects = Annotated[
    bool, flag("--keep-suspects", "Train on pool images that look like a class, too.", _NEGATIVES)
]
Suspects = Annotated[
    Path | None,
    _negatives(
        "FILE",
        "Write a page with pictures of the pool images that look like a class, to be checked.",
    ),
]

Map = Annotated[
    list[str] | None,
    _strategy(
        "CLASS=NAME...",
        "A class by names of ImageNet's classes or families, without training: cat=cat or "
        'cat=tabby,"Persian cat". `outgroup backbones --classes WORD` lists names.',
    ),
]
Strategy = Annotated[
    str,
    _strategy(
        "NAME",
        "auto, or one of `outgroup methods`, optionally with a detector after a colon, as in "
        "softmax:energy or detector:knn.",
    ),
]
Head = Annotated[
    str | None,
    _strategy(
        "NAME",
        "The head of the strategy, one of `outgroup methods`, with options after commas, as in "
        "focal-softmax,gamma=1. Needs --strategy.",
    ),
]
Layers = Annotated[
    str | None,
    _strategy(
        "NAMES",
        "Layers of the backbone that the head reads, of last, second-last and logits, separated "
        "by commas. Default: all.",
    ),
]
Backbone = Annotated[str, _strategy("NAME", "A spec of `outgroup backbones`.")]

MaxKnownRejected = Annotated[
    float | None,
    _guarantee(
        "SHARE",
        "Guarantee that at most this share of images like the known ones is rejected, or refuse. "
        "Default: 0.05 are expected, and the certificate states the bound.",
    ),
]
MaxOtherAccepted = Annotated[
    float | None,
    _guarantee(
        "SHARE",
        "Guarantee that at most this share of images like the negatives is accepted, or refuse.",
    ),
]
Confidence = Annotated[float, _guarantee("SHARE", "Confidence of each guarantee.")]

MultiLabel = Annotated[
    bool,
    flag(
        "--multi-label",
        "An image may have any number of labels: cat|dog in one column, or a column of 1 and 0 "
        "for each.",
        _SEVERAL,
    ),
]
MultiOutput = Annotated[
    bool,
    flag("--multi-output", "An image has a class, or none, in each of several columns.", _SEVERAL),
]
LabelColumn = Annotated[
    list[str] | None,
    option("NAME...", "Column of a CSV file that holds labels. Default: label.", panel=_SEVERAL),
]

Finetune = Annotated[
    bool,
    flag(
        "--finetune",
        "Fine-tune the network on half of the images first, and keep it if it is shown to be "
        "better.",
        _TUNING,
    ),
]
Unfreeze = Annotated[
    str | None,
    _tuning("PART", "What is trained: last (the last block), half or all. Default: last."),
]
Epochs = Annotated[
    int | None, _tuning("N", "Largest number of epochs after three of the head alone. Default: 20.")
]
Objective = Annotated[
    str | None,
    _tuning(
        "NAME",
        "sigmoid, other-class, outlier-exposure, focal-softmax, focal-sigmoid or objectosphere; "
        "options as in focal-sigmoid,gamma=1,alpha=0.25. Default: sigmoid.",
    ),
]
Augment = Annotated[
    str | None,
    _tuning(
        "NAMES",
        "Some of geometric, colour, randaugment, mixup and cutmix, separated by commas. "
        "Default: none.",
    ),
]
Balance = Annotated[
    str | None, _tuning("HOW", "Rare classes: weights, oversample or none. Default: weights.")
]
Network = Annotated[
    str | None, _tuning("timm:NAME", "Another network than the bundled one; needs timm.")
]
KeepTuned = Annotated[
    bool,
    flag("--keep-tuned", "Keep the tuned network even if it is not shown to be better.", _TUNING),
]

Inputs = Annotated[
    Path | None,
    option(
        "JSON",
        "Train a network with several inputs, from a table; this file names its images, columns "
        "and label. Needs the extra torch.",
        panel=_INPUTS,
    ),
]
Ablation = Annotated[
    bool,
    flag(
        "--ablation",
        "With --inputs: also train on the images alone and on the table alone, and compare.",
        _INPUTS,
    ),
]


def comma_separated(text: str) -> list[str]:
    """Return the parts of a text between commas, without spaces around them."""
    return [part.strip() for part in text.split(",")]


def name_map(given: list[str] | None) -> dict[str, list[str]] | None:
    """Return classes and their names from texts such as "cat=tabby,Persian cat".

    >>> name_map(["cat=tabby, Persian cat", "cat=Egyptian Mau", "dog=dog"])
    {'cat': ['tabby', 'Persian cat', 'Egyptian Mau'], 'dog': ['dog']}
    """
    found: dict[str, list[str]] = {}
    for text in given or ():
        name, _, listed = text.partition("=")
        names = [part for part in comma_separated(listed) if part]
        if not name.strip() or not names:
            raise InvalidParameterError(
                "Invalid `--map`: must be a class and its ImageNet names, as in "
                f'--map cat=tabby,"Persian cat", got {text!r}.'
            )
        found.setdefault(name.strip(), []).extend(names)
    return found or None


def check_writable(out: Path | None, name: str = "--out") -> None:
    """Refuse an output file that can't be written, before any work is done."""
    if out is None:
        return
    if out.is_dir():
        problem = "a folder"
    elif not out.parent.is_dir():
        problem = f"in {out.parent}, which does not exist"
    elif not os.access(out.parent, os.W_OK):
        problem = f"in {out.parent}, which may not be written to"
    else:
        return
    raise InvalidParameterError(
        f"Invalid `{name}`: must be a file in a folder that exists, got {out}, {problem}."
    )
