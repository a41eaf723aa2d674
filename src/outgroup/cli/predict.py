"""``outgroup predict``: one line an image."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup.cli import options
from outgroup.cli.inputs import predict_inputs
from outgroup.cli.output import errors, printable, tell_files

if TYPE_CHECKING:
    from outgroup.images import ImageSource
    from outgroup.predictions import Prediction


def predict(
    model: options.Model,
    paths: Annotated[
        list[str],  # a Path would drop the "./" that was given
        typer.Argument(
            metavar="PATH...",
            help="Images, or folders of them; for a model with several inputs, tables.",
            show_default=False,
        ),
    ],
    json: options.Json = False,
    other_word: Annotated[
        str, typer.Option(metavar="WORD", help="What is printed for none of the classes.")
    ] = "other",
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="Decide by this instead of the model's threshold. With several labels or columns: "
            "move all their thresholds by this.",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also say which share of known images has a lower other-score, and which training "
            "images are nearest.",
        ),
    ] = False,
    nearest: Annotated[
        int, typer.Option(metavar="COUNT", help="Training images that --explain names.")
    ] = 5,
) -> None:
    """Say what each image is. Exit code 3 if some could not be read."""
    from outgroup.classifier import ImageClassifier
    from outgroup.multi_input.files import is_inputs_file

    if is_inputs_file(model):
        options_of_rows = (json, other_word, threshold, explain, nearest)
        if not predict_inputs(model, paths, *options_of_rows):
            raise typer.Exit(3)
        return
    classifier = ImageClassifier.load(model)
    sources = [source for path in paths for source in _sources(path)]
    n_unreadable = 0
    for answer in classifier.stream(sources, threshold, nearest):
        n_unreadable += answer.reason == "unreadable"
        if json:
            line = answer.to_json(explain)
        else:
            line = "\t".join(map(printable, _columns(answer, other_word, explain)))
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if n_unreadable:
        raise typer.Exit(3)


def _columns(answer: Prediction, other_word: str, explain: bool) -> list[str]:
    """Return path, answer and other-score; the reason, if it is other; what explains it."""
    if answer.error:
        return [str(answer.path), answer.error, "unreadable"]
    columns = [str(answer.path), answer.text(other_word), f"{answer.other_score:.4g}"]
    if answer.other:
        columns.append(_why(answer))
    if explain and answer.percentile is not None:
        columns.append(f"score above {answer.percentile:.3g} % of known images")
        columns += [
            f"{near.distance:.3f} from {near.label or other_word} {near.path or ''}".rstrip()
            for near in answer.nearest
        ]
    return columns


def _why(answer: Prediction) -> str:
    if answer.reason == "ambiguous":
        scores = answer.probabilities
        return "between " + " and ".join(sorted(scores, key=lambda name: -scores[name])[:2])
    return "like none of the classes"


def _sources(path: str) -> Sequence[ImageSource]:
    from outgroup.data import from_images
    from outgroup.errors import InvalidDataError

    try:
        samples = from_images(path)
    except InvalidDataError as error:  # an empty inbox is no mistake
        errors().print(str(error))
        return []
    tell_files("not taken for images", samples.skipped)
    return samples.sources
