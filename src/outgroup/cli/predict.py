"""``outgroup predict``: one line an image."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import options
from outgroup.cli.output import errors, printable, tell_files

if TYPE_CHECKING:
    from outgroup.images import ImageSource


def predict(
    model: options.Model,
    paths: Annotated[
        list[str],  # a Path would drop the "./" that was given
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

    classifier = load(model)
    sources = [source for path in paths for source in _sources(path)]
    n_unreadable = 0
    for answer in classifier.stream(sources, threshold=threshold):
        n_unreadable += answer.reason == "unreadable"
        if json:
            line = answer.to_json()
        else:
            said = answer.error if answer.error else answer.label or other_word
            mark = "unreadable" if answer.error else f"{answer.other_score:.4g}"
            line = "\t".join(map(printable, (str(answer.path), said, mark)))
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if n_unreadable:
        raise typer.Exit(3)


def _sources(path: str) -> Sequence[ImageSource]:
    from outgroup.datasets import from_images
    from outgroup.errors import InvalidDataError

    try:
        samples = from_images(path)
    except InvalidDataError as error:  # an empty inbox is no mistake
        errors().print(str(error))
        return []
    tell_files("not taken for images", samples.skipped)
    return samples.sources
