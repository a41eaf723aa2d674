"""``outgroup predict``: one line an image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import errors, printable, tell_files


def predict(
    model: options.Model,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Images, or folders of them.", show_default=False),
    ],
    json: options.Json = False,
    other_word: Annotated[
        str, typer.Option(metavar="WORD", help="What is printed for none of the classes.")
    ] = "other",
    threshold: Annotated[
        float | None,
        typer.Option(metavar="SCORE", help="Decide by this instead of the model's threshold."),
    ] = None,
) -> None:
    """Say what each image is. Exit code 3 if some could not be read."""
    from outgroup.classifier import load
    from outgroup.datasets import from_images
    from outgroup.errors import InvalidDataError

    classifier = load(model)
    try:
        samples = from_images(paths)
    except InvalidDataError as error:  # an empty inbox is no mistake
        errors().print(str(error), markup=False, highlight=False)
        return
    tell_files("not taken for images", samples.skipped)
    n_unreadable = 0
    for answer in classifier.stream(list(samples.sources), threshold=threshold):
        n_unreadable += answer.reason == "unreadable"
        if json:
            line = answer.to_json()
        else:
            said = answer.error if answer.error else answer.label or other_word
            mark = "unreadable" if answer.error else f"{answer.other_score:.4g}"
            line = printable(f"{answer.path}\t{said}\t{mark}")
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if n_unreadable:
        raise typer.Exit(3)
