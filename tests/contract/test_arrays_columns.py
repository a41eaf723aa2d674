"""A class in each of several columns, on arrays: thresholds, answers, guarantees and bad input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from arrays_data import columns_world, negatives, new_of_several, partly_wrong
from expectations import CLOSE, CLOSE_IN_FLOAT32, check, read
from surface import attempt, classifier_for, columns_decided, error_of

STRATEGIES = (
    "auto",
    "blend",
    "detector",
    "detector:knn",
    "one-class",
    "other-class",
    "outlier-exposure",
    "positive-unlabelled",
    "sigmoid",
    "sigmoid-0.95",
    "softmax",
    "softmax:energy",
    "two-votes",
)


def fitted(
    strategy: str = "sigmoid",
    *,
    X: Any = None,
    y: Any = None,
    other: Any = None,
    groups: Any = None,
    **options: Any,
) -> Any:
    """Return a classifier fitted to made rows, or to those that are given."""
    rows, cells = columns_world()
    return classifier_for("columns", strategy, **options).fit(
        rows if X is None else X, cells if y is None else y, other=other, groups=groups
    )


def decided(strategy: str = "sigmoid", **given: Any) -> Any:
    """Return what is decided on new rows, or the error that fitting ends in."""
    fit = partial(fitted, strategy, **given)
    return attempt(fit, lambda clf: columns_decided(clf, new_of_several(1, 5)))


def with_holes(column: int = 1) -> Any:
    """Return the made cells, where nobody has looked at each third of a column."""
    y = columns_world()[1].copy()
    y[::3, column] = np.nan
    return y


def words() -> Any:
    """Return the made cells as words, of which no sort is that of numbers, without None."""
    X, y = columns_world()
    named = np.array([cell is not None for cell in y[:, 0]])
    return {"X": X[named], "y": y[named].astype(str)}


def three() -> Any:
    """Return the made cells with a column more, of a single class."""
    y = columns_world()[1]
    return np.column_stack([y, np.where(y[:, :1] == "dog", "tame", None)])


def scores() -> Any:
    """Return the mean accuracy on other rows; cells that nobody has looked at don't count."""
    X, y = columns_world(seed=21)
    holes = y.copy()
    holes[::2, 0] = np.nan
    return {
        "all": fitted().score(X, y),
        "some": fitted().score(X, holes),
        "softmax": fitted("softmax").score(X, y),
    }


def broken() -> dict[str, Callable[[], Any]]:
    """Return calls that can't be answered, by what is wrong with them."""
    X, y = columns_world(90)
    holes = X.copy()
    holes[2, 2] = np.nan
    lonely, unlooked, named = y.copy(), y.copy(), y.copy()
    lonely[0, 0] = "zebra"
    unlooked[:, 1] = np.nan
    named[:, 0] = None
    fit: Any = partial(fitted, X=X, y=y)
    good = fit()
    return {
        "y is missing": lambda: classifier_for("columns").fit(X, None),
        "no column": partial(fit, y=y[:, :0]),
        "three dimensions": partial(fit, y=y[:, :, np.newaxis]),
        "fewer rows of y": partial(fit, y=y[:-1]),
        "a class of one row": partial(fit, y=lonely),
        "a column that nobody has looked at": partial(fit, y=unlooked),
        "a column of None": partial(fit, y=named),
        "NaN in X": partial(fit, X=holes),
        "other of another width": partial(fit, other=X[:, 1:]),
        "more groups than rows": partial(fit, groups=["a"] * 91),
        "one group": partial(fit, groups=["a"] * 90),
        "no such strategy": partial(fit, "sigmiod"),
        "no budget": partial(fit, max_known_rejected=None),
        "n_folds is 1": partial(fit, n_folds=1),
        "predict of another width": lambda: good.predict(X[:, 1:]),
        "predict of NaN": lambda: good.predict(holes),
    }


CASES: dict[str, Callable[[], Any]] = {
    **{f"{name}, None and NaN": partial(decided, name, y=with_holes()) for name in STRATEGIES},
    **{f"{name}, negatives": partial(decided, name, other=negatives(30)) for name in STRATEGIES},
    "NaN in the column with None": partial(decided, "blend", y=with_holes(0)),
    "words": lambda: decided("blend", **words()),
    "a frame": lambda: decided("softmax", y=pd.DataFrame(with_holes(), columns=["kind", "size"])),
    "three columns": lambda: decided("blend", y=three()),
    "a column of one class": lambda: decided("softmax", y=three()),
    "groups": partial(decided, "blend", groups=[str(i // 4) for i in range(200)]),
    "groups, some alone": partial(
        decided,
        groups=[None if i % 3 else str(i // 9) for i in range(200)],
        other=negatives(20),
        y=with_holes(),
    ),
    "float32": partial(
        decided,
        "blend",
        X=columns_world()[0].astype(np.float32),
        y=partly_wrong(columns_world()[1]),
    ),
    "n_folds 3, seed 4": partial(decided, "blend", n_folds=3, random_state=4),
    "known 0.1": partial(decided, max_known_rejected=0.1, confidence=0.9),
    "known 0.001 is too little": partial(decided, max_known_rejected=0.001),
    "other 0.1": partial(decided, other=negatives(30), max_other_accepted=0.1),
    "other 0.1 alone": partial(
        decided, "blend", other=negatives(30), max_known_rejected=None, max_other_accepted=0.1
    ),
    "other 0.1, a column has none": partial(decided, max_other_accepted=0.1),
    "other 0.01 is too little": partial(decided, other=negatives(30), max_other_accepted=0.01),
    "both": partial(
        decided, "blend", other=negatives(30), max_known_rejected=0.2, max_other_accepted=0.2
    ),
    "both can't be kept": partial(
        decided, "blend", other=negatives(30), max_known_rejected=0.07, max_other_accepted=0.05
    ),
    "scores": scores,
    "bad input": lambda: {what: error_of(call) for what, call in broken().items()},
}


@pytest.mark.parametrize("case", CASES)
def test_columns_are_answered_as_recorded(case: str) -> None:
    close = CLOSE_IN_FLOAT32 if "float32" in case else CLOSE
    check("arrays_columns", case, CASES[case](), close)


def test_every_recorded_case_is_computed() -> None:
    assert {*read("arrays_columns")} == {*CASES}


def test_answers_have_the_types_of_the_cells() -> None:
    found = fitted().predict(columns_world()[0])
    assert found.shape == (200, 2)
    assert {type(cell) for cell in found[:, 0]} == {str, type(None)}
    assert {type(cell) for cell in found[:, 1] if cell is not None} == {int}
