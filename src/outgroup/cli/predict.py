"""``outgroup predict``: one line for each image."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from outgroup._text import printable
from outgroup.cli import options
from outgroup.cli.output import UNREADABLE, errors, tell_files

if TYPE_CHECKING:
    from outgroup.images import ImageSource
    from outgroup.predictions import Prediction


def predict(
    model: options.Model,
    paths: Annotated[
        list[str],  # a Path would drop the "./" that was given
        options.argument(
            "PATH...", "Images, or folders of them; for a model with several inputs, tables."
        ),
    ],
    json: options.Json = False,
    other_word: Annotated[str, options.option("WORD", "Text for none of the classes.")] = "other",
    threshold: Annotated[
        float | None,
        options.option(
            "SCORE",
            "Use this instead of the model's threshold. With several labels or columns: add it to "
            "each threshold.",
        ),
    ] = None,
    explain: Annotated[
        bool,
        options.flag(
            "--explain",
            "Add the share of known images with a lower other-score, and the nearest training "
            "images.",
        ),
    ] = False,
    nearest: Annotated[
        int, options.option("COUNT", "Number of training images that --explain names.")
    ] = 5,
) -> None:
    """Classify images. Exit code 3 if some could not be read."""
    from outgroup.classifier import ImageClassifier, load

    classifier = load(model)
    if isinstance(classifier, ImageClassifier):
        sources = [source for path in paths for source in _sources(path)]
        answers: Iterable[Prediction] = classifier.stream(sources, threshold, nearest)
    else:
        tables = (classifier.predict(path, threshold, nearest=nearest) for path in paths)
        answers = chain.from_iterable(tables)
    n_unreadable = 0
    for answer in answers:
        n_unreadable += answer.reason == "unreadable"
        if json:
            line = answer.to_json(explain)
        else:
            line = "\t".join(map(printable, _columns(answer, other_word, explain)))
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    if n_unreadable:
        raise typer.Exit(UNREADABLE)


def _columns(answer: Prediction, other_word: str, explain: bool) -> list[str]:
    """Return path, answer and other-score; the reason, if it is other; explanations."""
    path = "" if answer.path is None else answer.path
    if answer.error:
        return [path, answer.error, "unreadable"]
    columns = [path, answer.text(other_word), f"{answer.other_score:.4g}"]
    if answer.odd_inputs is not None:
        columns += answer.odd_inputs.values()
    elif answer.other:
        columns.append(_why(answer.reason, answer.probabilities))
    if explain and answer.percentile is not None:
        columns.append(f"score above {answer.percentile:.3g} % of known images")
        columns += [
            f"{near.distance:.3f} from {near.label or other_word} {near.path or ''}".rstrip()
            for near in answer.nearest
        ]
    return columns


def _why(reason: str, scores: Mapping[str, float]) -> str:
    if reason == "ambiguous":
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
    tell_files("skipped (not an image)", samples.skipped)
    return samples.sources
