"""`ImageClassifier` with any number of labels an image, or a class in each of several columns."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import pytest
from expectations import CLOSE_IN_FLOAT32, check, read
from images_data import MadeImages
from surface import error_of, images_decided, pool_of, report_of

from outgroup.errors import DataWarning

MARKS = ["circle", "square", "triangle", "red"]


def fitted(made: MadeImages, data: Any, other: Any = None, pool: Any = None, **options: Any) -> Any:
    """Return a classifier fitted to made images; what it warns about is tested elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return made.classifier(**options).fit(data, other=other, pool=pool)


def decided(made: MadeImages, classifier: Any) -> Any:
    """Return what a classifier says of the images to be asked, and what it learned from."""
    return made.named({**images_decided(classifier, made.asked), "report": report_of(classifier)})


def labels(made: MadeImages, **options: Any) -> Any:
    """Return what is decided by a table of lists of labels."""
    return decided(made, fitted(made, made.lists, multi_label=True, **options))


def columns(made: MadeImages, **options: Any) -> Any:
    """Return what is decided by a table with a column of shapes and one of colours."""
    return decided(made, fitted_columns(made, **options))


def fitted_columns(made: MadeImages, data: Any = None, **options: Any) -> Any:
    """Return a classifier of shape and colour."""
    data = made.sides if data is None else data
    return fitted(made, data, multi_output=True, label_columns=["shape", "colour"], **options)


def marks(made: MadeImages, **options: Any) -> Any:
    """Return what is decided by a column of 1 and 0 for each label, some cells empty."""
    return decided(made, fitted(made, made.marks, multi_label=True, label_columns=MARKS, **options))


def frame(made: MadeImages, table: Any) -> pd.DataFrame:
    """Return a table as a frame with whole paths, in which an empty cell is an empty word."""
    found = pd.read_csv(table, keep_default_na=False)
    found["path"] = [str(made.root / path) for path in found["path"]]
    return found


def purged(made: MadeImages, classifier: Any) -> Any:
    """Return what was set aside of a pool, and what is decided."""
    return {"pool": made.named(pool_of(classifier)), **decided(made, classifier)}


def evaluated(made: MadeImages, classifier: Any, table: Any) -> Any:
    """Return the figures on new images by a table, and more that are none of the classes."""
    found, unreadable = classifier.evaluate(table, [made.odd / "checks", made.pool / "cross"])
    return made.named([found.to_dict(), sorted(file.path for file in unreadable)])


def broken(made: MadeImages) -> dict[str, Callable[[], Any]]:
    """Return calls that can't be answered, by what is wrong with them."""
    empty = made.root / "unlabelled.csv"
    empty.write_text("path,label\nphotos/circle/circle-red-000.bmp,\n")
    fit: Any = partial(fitted, made)
    several: Any = partial(fit, made.lists, multi_label=True)
    of_columns: Any = partial(fitted_columns, made)
    return {
        "labels, none anywhere": partial(fit, empty, multi_label=True),
        "labels, no such strategy": partial(several, strategy="blnd"),
        "labels, a strategy for one class": partial(several, strategy="two-votes"),
        "labels, folders of one label": partial(fit, made.photos, multi_label=True),
        "labels, no such column": partial(several, label_columns=["kind"]),
        "labels, no marks": partial(
            fit, made.sides, multi_label=True, label_columns=["shape", "colour"]
        ),
        "labels, known 0.01": partial(several, max_known_rejected=0.01),
        "labels, other 0.01": partial(several, max_other_accepted=0.01),
        "columns, no such column": partial(
            fit, made.sides, multi_output=True, label_columns=["shape", "size"]
        ),
        "columns, no such strategy": partial(of_columns, strategy="sigmiod"),
        "columns, no such head": partial(of_columns, head="softmax"),
        "columns, known 0.01": partial(of_columns, max_known_rejected=0.01),
        "columns, a column without negatives": partial(
            of_columns, made.unlooked, strategy="two-votes"
        ),
        "columns, evaluate others": lambda: made.columns.evaluate(
            frame(made, made.new_sides).replace("circle", "disc")
        ),
        "labels, evaluate others": lambda: made.labels.evaluate(
            frame(made, made.new_lists).replace("circle|red", "disc")
        ),
    }


CASES: dict[str, Callable[[MadeImages], Any]] = {
    "labels, negatives": lambda made: decided(made, made.labels),
    "labels, auto": partial(labels, strategy="auto"),
    "labels, blend, seed 2": partial(labels, strategy="blend", seed=2),
    "labels, sigmoid-0.95": partial(labels, strategy="sigmoid-0.95"),
    "labels, known 0.3": partial(labels, max_known_rejected=0.3),
    "labels, copies, other 0.4": lambda made: labels(made, other=made.odd, max_other_accepted=0.4),
    "labels, folders": lambda made: decided(made, fitted(made, made.plus, multi_label=True)),
    "labels, pool": lambda made: purged(
        made, fitted(made, made.lists, pool=made.pool, multi_label=True)
    ),
    "labels, suspects kept": lambda made: purged(
        made, fitted(made, made.lists, pool=made.pool, multi_label=True, keep_suspects=True)
    ),
    "labels, evaluate": lambda made: evaluated(made, made.labels, made.new_lists),
    "marks": marks,
    "marks, blend": partial(marks, strategy="blend"),
    "marks, evaluate": lambda made: evaluated(
        made,
        fitted(made, made.marks, multi_label=True, label_columns=MARKS),
        made.marks,
    ),
    "columns, negatives": lambda made: decided(made, made.columns),
    "columns, auto": partial(columns, strategy="auto"),
    "columns, softmax:energy": partial(columns, strategy="softmax:energy"),
    "columns, detector:answer-odds": partial(columns, strategy="detector:answer-odds"),
    "columns, imagenet": partial(columns, strategy="imagenet"),
    "columns, a head of one layer": partial(columns, head="linear-sigmoid", layers=["last"]),
    "columns, unlooked cells": lambda made: columns(made, data=made.unlooked),
    "columns, known 0.2": partial(columns, max_known_rejected=0.2, seed=1),
    "columns, pool": lambda made: purged(made, fitted_columns(made, pool=made.pool)),
    "columns, evaluate": lambda made: evaluated(made, made.columns, made.new_sides),
    "bad input": lambda made: {what: error_of(call) for what, call in broken(made).items()},
}


@pytest.mark.parametrize("case", CASES)
def test_images_are_answered_as_recorded(case: str, made: MadeImages) -> None:
    check("images_several", case, CASES[case](made), CLOSE_IN_FLOAT32)


def test_every_recorded_case_is_computed() -> None:
    assert {*read("images_several")} == {*CASES}


@pytest.mark.parametrize("kind", ["lists", "sides"])
def test_a_frame_gives_the_model_of_the_table(kind: str, made: MadeImages) -> None:
    table = getattr(made, kind)
    options: dict[str, Any] = {
        "lists": {"multi_label": True},
        "sides": {"multi_output": True, "label_columns": ["shape", "colour"]},
    }[kind]
    one = fitted(made, table, **options)
    two = fitted(made, frame(made, table), **options)
    assert decided(made, one) == decided(made, two)
