"""Any number of labels a row, on arrays: thresholds, answers, guarantees and bad input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from arrays_data import NAMES, labels_world, negatives, new_of_several, partly_wrong
from expectations import CLOSE, CLOSE_IN_FLOAT32, check, read
from sklearn.base import clone
from surface import answers, attempt, classifier_for, error_of, guarantees, labels_decided

#: "auto" is one of these.
STRATEGIES = ("auto", "blend", "sigmoid", "sigmoid-0.95")


def fitted(
    strategy: str = "sigmoid",
    *,
    X: Any = None,
    Y: Any = None,
    other: Any = None,
    groups: Any = None,
    **options: Any,
) -> Any:
    """Return a classifier fitted to made rows, or to those that are given."""
    rows, marks = labels_world()
    return classifier_for("labels", strategy, **options).fit(
        rows if X is None else X, marks if Y is None else Y, other=other, groups=groups
    )


def decided(strategy: str = "sigmoid", **given: Any) -> Any:
    """Return what is decided on new rows, or the error that fitting ends in."""
    fit = partial(fitted, strategy, **given)
    return attempt(fit, lambda clf: labels_decided(clf, new_of_several(0, 2)))


def with_holes(hole: float) -> Any:
    """Return the made matrix with cells that nobody knows, in a column each third and fifth."""
    Y = labels_world()[1].astype(np.float64)
    Y[::3, 0] = Y[::5, 2] = hole
    return Y if np.isnan(hole) else Y.astype(np.int64)


def lists() -> list[list[str]]:
    """Return the names of the labels of each made row."""
    return [NAMES[row == 1].tolist() for row in labels_world()[1]]


def all_labelled() -> tuple[Any, Any]:
    """Return the made rows that have a label."""
    X, Y = labels_world()
    return X[Y.any(axis=1)], Y[Y.any(axis=1)]


def moved() -> Any:
    """Return the answers with all thresholds moved, and some of them."""
    found = fitted(other=negatives(20)).predict_open(new_of_several(0, 2))
    shifted = found.at(1.5)
    lines = answers(shifted[2:9:3], "thresholds")
    return {
        "n": len(found),
        "labels": found.labels,
        "moved": shifted.labels,
        "other_score": shifted.other_score,
        "lines": [{k: v for k, v in line.items() if k != "reason"} for line in lines],
    }


def scores() -> Any:
    """Return the macro F1 on other rows, by a matrix, with unknown cells, and by names."""
    X, Y = labels_world(seed=11)
    holes = Y.copy()
    holes[::4, 1] = -1
    names = [NAMES[row == 1].tolist() for row in Y]
    return {
        "matrix": fitted().score(X, Y),
        "unknown cells": fitted().score(X, holes),
        "names": fitted(Y=lists()).score(X, names),
        "blend": fitted("blend").score(X, Y),
        "nothing right": fitted().score(X, np.roll(Y, 1, axis=1) * (1 - Y)),
    }


def broken() -> dict[str, Callable[[], Any]]:
    """Return calls that can't be answered, by what is wrong with them."""
    X, Y = labels_world(60)
    few = np.zeros_like(Y)
    few[0, 0] = few[1:20, 1] = few[20:40, 2] = 1
    holes = X.copy()
    holes[2, 2] = np.nan
    fit: Any = partial(fitted, X=X, Y=Y)
    good = fit()
    return {
        "cells of one half": partial(fit, Y=Y * 0.5),
        "Y is missing": lambda: classifier_for("labels").fit(X, None),
        "no label anywhere": partial(fit, Y=[[]] * 60),
        "no mark anywhere": partial(fit, Y=np.zeros_like(Y)),
        "a label of one row": partial(fit, Y=few),
        "fewer rows of Y": partial(fit, Y=Y[:-1]),
        "fewer lists": partial(fit, Y=[["cat"], []] * 29),
        "NaN in X": partial(fit, X=holes),
        "other of another width": partial(fit, other=X[:, 1:]),
        "more groups than rows": partial(fit, groups=["a"] * 61),
        "one group": partial(fit, groups=["a"] * 60),
        "no such strategy": partial(fit, "sigmiod"),
        "a strategy for one class": partial(fit, "two-votes"),
        "no budget": partial(fit, max_known_rejected=None),
        "confidence is 0": partial(fit, confidence=0.0),
        "n_folds is 1": partial(fit, n_folds=1),
        "predict of another width": lambda: good.predict(X[:, 1:]),
        "predict of NaN": lambda: good.predict(holes),
        "score of unknown labels": lambda: fit(Y=[["a"], ["b", "c"], []] * 20).score(
            X, [["zebra"], [], []] * 20
        ),
    }


CASES: dict[str, Callable[[], Any]] = {
    **{f"{name}": partial(decided, name) for name in STRATEGIES},
    **{f"{name}, negatives": partial(decided, name, other=negatives(30)) for name in STRATEGIES},
    **{
        f"{name}, all labelled": partial(decided, name, X=all_labelled()[0], Y=all_labelled()[1])
        for name in STRATEGIES
    },
    **{f"{name}, unknown cells": partial(decided, name, Y=with_holes(-1)) for name in STRATEGIES},
    "cells of NaN": partial(decided, Y=with_holes(np.nan)),
    "a frame of cells": partial(decided, Y=pd.DataFrame(with_holes(-1), columns=NAMES)),
    "truth values": partial(decided, Y=labels_world()[1].astype(bool)),
    "names": lambda: decided(Y=lists()),
    "names, blend, negatives": lambda: decided("blend", Y=lists(), other=negatives(30)),
    "groups": partial(decided, "blend", groups=[str(i // 4) for i in range(200)]),
    "groups, some alone": partial(
        decided, groups=[None if i % 3 else str(i // 9) for i in range(200)], other=negatives(20)
    ),
    "float32": partial(
        decided, "blend", X=labels_world()[0].astype(np.float32), Y=partly_wrong(labels_world()[1])
    ),
    "n_folds 3, seed 4": partial(decided, "blend", n_folds=3, random_state=4),
    "known 0.1": partial(decided, max_known_rejected=0.1),
    "known 0.1, blend": partial(decided, "blend", max_known_rejected=0.1, confidence=0.8),
    "known 0.01 is too little": partial(decided, max_known_rejected=0.01),
    "other 0.06": partial(decided, other=negatives(30), max_other_accepted=0.06),
    "other 0.2 of few": partial(decided, "blend", max_other_accepted=0.2),
    "other 0.1 alone": partial(
        decided, other=negatives(30), max_known_rejected=None, max_other_accepted=0.1
    ),
    "other 0.001 is too little": partial(decided, max_other_accepted=0.001),
    "other without any": partial(
        decided, X=all_labelled()[0], Y=all_labelled()[1], max_other_accepted=0.1
    ),
    "both": partial(
        decided, "blend", other=negatives(30), max_known_rejected=0.15, max_other_accepted=0.3
    ),
    "both can't be kept": partial(
        decided, other=negatives(30), max_known_rejected=0.06, max_other_accepted=0.03
    ),
    "a fixed threshold keeps it": partial(decided, "sigmoid-0.95", max_known_rejected=0.6),
    "a fixed threshold does not": partial(decided, "sigmoid-0.95", max_known_rejected=0.06),
    "moved thresholds": moved,
    "scores": scores,
    "bad input": lambda: {what: error_of(call) for what, call in broken().items()},
}


@pytest.mark.parametrize("case", CASES)
def test_labels_are_given_as_recorded(case: str) -> None:
    close = CLOSE_IN_FLOAT32 if "float32" in case else CLOSE
    check("arrays_labels", case, CASES[case](), close)


def test_every_recorded_case_is_computed() -> None:
    assert {*read("arrays_labels")} == {*CASES}


def test_unknown_cells_may_be_minus_one_or_nan() -> None:
    X = new_of_several(0, 2)
    one, two = fitted(Y=with_holes(-1)), fitted(Y=with_holes(np.nan))
    assert labels_decided(one, X) == labels_decided(two, X)


def test_names_and_a_matrix_give_the_same_model() -> None:
    X = new_of_several(0, 2)
    one, two = fitted(Y=lists()), fitted()
    assert one.predict(X).tolist() == two.predict(X).tolist()
    assert one.thresholds_.tolist() == two.thresholds_.tolist()
    assert guarantees(one.certificate_) == guarantees(two.certificate_)


def test_a_clone_has_the_options() -> None:
    clf = fitted("blend", n_folds=3, max_known_rejected=0.2)
    assert clone(clf).get_params() == clf.get_params()
