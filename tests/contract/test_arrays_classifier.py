"""`OpenSetClassifier` with one class a row: budgets, groups, labels of all types, bad input."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from arrays_data import NAMES, D, negatives, new, partly_wrong, rows, world
from expectations import CLOSE, CLOSE_IN_FLOAT32, check, read
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from surface import (
    answers,
    attempt,
    chosen,
    classifier_for,
    decided,
    error_of,
    explained,
    guarantees,
)

from outgroup import OpenSetClassifier
from outgroup.errors import DataWarning

STRATEGY = "sigmoid"


def fitted(
    *,
    X: Any = None,
    y: Any = None,
    other: Any = None,
    groups: Any = None,
    strategy: str = STRATEGY,
    **options: Any,
) -> Any:
    """Return a classifier fitted to made rows, or to those that are given."""
    of_world, named = world()
    classifier = classifier_for("classes", strategy, **options)
    return classifier.fit(
        of_world if X is None else X, named if y is None else y, other=other, groups=groups
    )


def with_options(**given: Any) -> Any:
    """Return what a fitted classifier decides on new rows."""
    return decided(fitted(**given), new())


def in_float32(**given: Any) -> Any:
    """Return the same for rows in float32, of which some have a wrong label."""
    X, y = world()
    shuffled = np.random.default_rng(0).permutation(len(y))
    X, y = X[shuffled].astype(np.float32), partly_wrong(y[shuffled])
    return with_options(X=X, y=y, **given)


# budgets


def budget(other: bool, **options: Any) -> Any:
    """Return threshold and guarantees under a budget, or why it can't be kept."""
    options = {"strategy": STRATEGY, **options}
    fit = partial(fitted, other=negatives() if other else None, **options)
    return attempt(fit, counts_and_guarantees)


def counts_and_guarantees(classifier: Any) -> Any:
    """Return threshold, guarantees, and how many of 120 new known and unknown rows are accepted."""
    accepted = classifier.predict(rows([0, 1, 2] * 40 + [4, 5, 6] * 40, seed=5)) != np.array(None)
    return {
        "threshold": classifier.threshold_,
        "guarantees": guarantees(classifier.certificate_),
        "accepted": [int(accepted[:120].sum()), int(accepted[120:].sum())],
    }


BUDGETS: dict[str, Any] = {
    "known 0.05": {"max_known_rejected": 0.05},
    "known 0.05 with negatives": {"max_known_rejected": 0.05, "other": True},
    "known 0.2, confidence 0.8": {"max_known_rejected": 0.2, "confidence": 0.8},
    "known 0.01 is too little": {"max_known_rejected": 0.01},
    "known 0.001 is too little": {"max_known_rejected": 0.001, "other": True},
    "other 0.05": {"max_other_accepted": 0.05, "other": True},
    "other 0.05 of detector": {"max_other_accepted": 0.05, "other": True, "strategy": "detector"},
    "other 0.05 alone": {"max_known_rejected": None, "max_other_accepted": 0.05, "other": True},
    "other 0.9": {"max_other_accepted": 0.9, "other": True},
    "other 0.01 is too little": {"max_other_accepted": 0.01, "other": True},
    "other without negatives": {"max_other_accepted": 0.05},
    "both": {"max_known_rejected": 0.1, "max_other_accepted": 0.1, "other": True},
    "both can't be kept": {
        "max_known_rejected": 0.03,
        "max_other_accepted": 0.03,
        "other": True,
        "strategy": "softmax",
    },
    "auto, known 0.05": {"max_known_rejected": 0.05, "other": True, "strategy": "auto"},
    "auto, known 0.001": {"max_known_rejected": 0.001, "strategy": "auto"},
    "a fixed threshold": {"max_known_rejected": 0.4, "strategy": "sigmoid-0.95"},
    "a fixed threshold does not keep it": {"max_known_rejected": 0.02, "strategy": "sigmoid-0.95"},
    "no budget at all": {"max_known_rejected": None},
    "known is 0": {"max_known_rejected": 0},
    "known is 1": {"max_known_rejected": 1.0},
    "known is true": {"max_known_rejected": True},
    "known is a word": {"max_known_rejected": "some"},
    "other is negative": {"max_other_accepted": -0.1, "other": True},
    "confidence is 1": {"confidence": 1.0},
}


# what "auto" chooses


def auto(**given: Any) -> Any:
    """Return the choice of "auto" and the counts that it rests on."""
    return chosen(fitted(strategy="auto", **given).comparison_)


def not_compared() -> Any:
    """Return whether there is a comparison where a strategy is named, or there is one class."""
    X, y = world(classes=1)
    named, single = fitted(), classifier_for("classes").fit(X, y)
    return [named.comparison_ is None, single.comparison_ is None]


# labels of other types


def of_type(values: list[Any]) -> Any:
    """Return the answers where classes are these values, and the types they have."""
    labels = np.array(values)[np.searchsorted(NAMES, world()[1])]
    classifier = fitted(y=labels)
    predicted = classifier.predict(new()).tolist()
    return {
        "classes": classifier.classes_.tolist(),
        "predict": predicted,
        "types": sorted({type(one).__name__ for one in predicted}),
        "label": [line["label"] for line in answers(classifier.predict_open(new()))],
    }


def none_in_y(y_type: Any = None) -> Any:
    """Return what is decided where negatives are rows of y that are None, some of X first."""
    X, y = world()
    everything = np.vstack([negatives(20), X, negatives(20, seed=7)])
    labels = [*[None] * 40, *y, *[None] * 40]
    made = labels if y_type is None else y_type(labels)
    return decided(fitted(X=everything, y=made, other=negatives(10, seed=8)), new())


def groups(size: int, missing: bool = False, **options: Any) -> Any:
    """Return what is decided where so many rows in a row are one group, some alone if `missing`."""
    names = [None if missing and i % 7 == 0 else f"burst {i // size}" for i in range(240)]
    return decided(fitted(groups=names, other=negatives(), **options), new())


# answers


def reasons_and_neighbours(**given: Any) -> Any:
    """Return why the rows are answered as they are, those left out that are as near to all."""
    found = fitted(**given).predict_open(new())
    return [explained(prediction) for i, prediction in enumerate(found) if i != 11]


def at_other_thresholds() -> Any:
    """Return the answers by other thresholds, sliced, and as JSON."""
    found = fitted(other=negatives()).predict_open(new())
    moved = found.at(0.0)
    return {
        "n": len(found),
        "labels": found.labels,
        "moved": moved.labels,
        "threshold": moved.threshold,
        "some": answers(moved[3:11:2]),
        "last": json.loads(found[len(found) - 1].to_json()),
        "text": [found[0].text(), found[len(found) - 1].text(), found[6].text("none")],
    }


def scores() -> Any:
    """Return the accuracy, weighted or not, and the other-scores."""
    clf = fitted(other=negatives())
    X, y = world(10, seed=3)
    everything = np.vstack([X, negatives(5, seed=4)])
    true = [*y, *[None] * 10]
    weights = np.arange(40) + 1.0
    return {
        "score": clf.score(everything, true),
        "weighted": clf.score(everything, true, sample_weight=weights),
        "all wrong": clf.score(X, [None] * 30),
        "other_score": clf.other_score(everything),
    }


# networks of one's own


def outputs(kinds: Any, seed: int) -> tuple[Any, Any]:
    """Return features around a direction for each kind, and the logits of three classes."""
    features = rows(kinds, seed)
    return features, features[:, :3] - 1.0


def from_outputs(strategy: str = "blend", other: bool = False, **options: Any) -> Any:
    """Return what is decided on the outputs of a made network, or why it can't be."""
    kinds = np.repeat([0, 1, 2], 60)
    make = partial(
        OpenSetClassifier.from_outputs,
        *outputs(kinds, 0),
        options.pop("y", NAMES[kinds]),
        strategy=strategy,
        other=outputs(np.repeat([4, 5], 30), 1) if other else None,
        **options,
    )
    return attempt(make, lambda clf: decided(clf, new(), new()[:, :3] - 1.0))


GIVEN = ("blend", "detector", "detector:answer-odds", "detector:answer-profile", "detector:knn",
         "detector:vim", "imagenet", "one-class", "outlier-exposure",
         "positive-unlabelled", "sigmoid", "sigmoid-0.95", "softmax", "softmax:energy",
         "softmax:kl-matching", "two-votes")  # fmt: skip


# bad input


def broken() -> dict[str, Callable[[], Any]]:
    """Return calls that can't be answered, by what is wrong with them."""
    X, y = world(20)
    holes = X.copy()
    holes[3, 2] = np.nan
    endless = X.copy()
    endless[3, 2] = np.inf
    numbers = np.arange(60) % 3
    one = y == "cat"
    many = list(y)
    many[5] = 7
    missing = list(y)
    missing[5] = float("nan")
    good = fitted(X=X, y=y)
    features, logits = outputs(numbers, 0)
    given = OpenSetClassifier.from_outputs(features, logits, NAMES[numbers])
    make = OpenSetClassifier.from_outputs
    fit: Any = partial(fitted, X=X, y=y)
    return {
        "NaN in X": partial(fit, X=holes),
        "infinity in X": partial(fit, X=endless),
        "NaN in other": partial(fit, other=holes),
        "X of one dimension": partial(fit, X=X[:, 0]),
        "X of words": partial(fit, X=np.full(X.shape, "cat")),
        "X is empty": partial(fit, X=X[:0], y=y[:0]),
        "X is one row": partial(fit, X=X[:1], y=y[:1]),
        "X is all the same": partial(fit, X=np.ones_like(X)),
        "X is sparse": partial(fit, X=csr_array(X)),
        "fewer labels than rows": partial(fit, y=y[:-1]),
        "more groups than rows": partial(fit, groups=[*y, "cat"]),
        "other of another width": partial(fit, other=X[:, :-1]),
        "other is empty": partial(fit, other=X[:0]),
        "y is missing": lambda: classifier_for("classes", STRATEGY).fit(X, None),
        "y is all None": partial(fit, y=[None] * 60),
        "y has NaN": partial(fit, y=missing),
        "y has words and numbers": partial(fit, y=np.array(many, dtype=object)),
        "y has fractions": partial(fit, y=numbers + 0.5),
        "a class of one row": partial(fit, y=["dot", *y[1:]]),
        "a class of one group": partial(fit, groups=["a"] * 60),
        "one class without negatives": partial(fit, X=X[one], y=y[one]),
        "no such strategy": partial(fit, strategy="sigmiod"),
        "strategy is a number": partial(fit, strategy=3),
        "auto with a head": partial(fit, strategy="auto", head="mlp-sigmoid"),
        "no such option of a head": partial(fit, head="focal-sigmoid,delta=1"),
        "a head's option is twice": partial(fit, head="focal-sigmoid,gamma=1,gamma=1"),
        "a head's option is a word": partial(fit, head="focal-sigmoid,gamma=much"),
        "n_folds is 1": partial(fit, n_folds=1),
        "n_folds is a fraction": partial(fit, n_folds=2.5),
        "predict of another width": lambda: good.predict(X[:, :-1]),
        "predict of NaN": lambda: good.predict(holes),
        "predict of one dimension": lambda: good.predict(X[0]),
        "predict of no rows": lambda: good.predict(X[:0]),
        "from_outputs, a column too many": partial(make, features, features[:, :4], NAMES[numbers]),
        "from_outputs, fewer logits": partial(make, features, logits[1:], NAMES[numbers]),
        "from_outputs, fewer labels": partial(make, features, logits, NAMES[numbers][1:]),
        "from_outputs, NaN": partial(make, holes, logits, NAMES[numbers]),
        "from_outputs, flat features": partial(make, features[:, 0], logits, NAMES[numbers]),
        "from_outputs, strange class": partial(
            make, features, logits, NAMES[numbers], classes=["cat", "dog", "horse"]
        ),
        "from_outputs, no such probabilities": partial(
            make, features, logits, NAMES[numbers], probabilities="hardmax"
        ),
        "from_outputs, wide logits": lambda: given.predict(features, features[:, :4]),
        "from_outputs, no head": partial(
            make, features, logits, NAMES[numbers], strategy="imagenet"
        ),
    }


CASES: dict[str, Callable[[], Any]] = {
    **{
        f"budget: {name}": partial(budget, **{"other": False, **options})
        for name, options in BUDGETS.items()
    },
    "auto, no negatives": auto,
    "auto, negatives": partial(auto, other=negatives()),
    "auto, groups": partial(auto, other=negatives(), groups=[str(i // 8) for i in range(240)]),
    "auto, other seed and folds": partial(auto, n_folds=3, random_state=4),
    "auto, 2 classes": partial(auto, X=world(classes=2)[0], y=world(classes=2)[1]),
    "auto, 2 classes, negatives": partial(
        auto, X=world(classes=2)[0], y=world(classes=2)[1], other=negatives()
    ),
    "auto compares nothing": not_compared,
    "labels are numbers": partial(of_type, [30, 4, 5]),
    "labels are whole fractions": partial(of_type, [3.0, 1.0, 2.0]),
    "labels are truth values": partial(of_type, [True, False, True]),
    "labels are words": partial(of_type, ["Zebra", "ant", "\u00e9lan"]),
    "None in y, a list": none_in_y,
    "None in y, an array": partial(none_in_y, lambda y: np.array(y, dtype=object)),
    "None in y, a series": partial(none_in_y, lambda y: pd.Series(y, dtype=object)),
    "groups of 4": partial(groups, 4),
    "groups of 4, some alone": partial(groups, 4, missing=True),
    "groups of 4, a budget": partial(groups, 4, max_known_rejected=0.1),
    "groups of 4, blend": partial(groups, 4, strategy="blend"),
    "n_folds 3": partial(with_options, n_folds=3),
    "n_folds 10, seed 7": partial(with_options, n_folds=10, random_state=7),
    "seed 1 of blend": partial(with_options, strategy="blend", random_state=1),
    "float32": partial(in_float32, other=negatives()),
    "float32 of blend": partial(in_float32, strategy="blend"),
    "whole numbers": partial(
        with_options, X=np.rint(10 * world()[0]).astype(np.int64), strategy="softmax"
    ),
    "data frames": partial(
        with_options, X=pd.DataFrame(world()[0]), y=pd.Series(world()[1]), strategy="softmax"
    ),
    "8 columns": lambda: guarantees(fitted(X=world()[0][:, :8], strategy="blend").certificate_),
    "reasons": partial(reasons_and_neighbours, other=negatives()),
    "reasons of detector": partial(reasons_and_neighbours, strategy="detector"),
    "reasons of softmax, groups": partial(
        reasons_and_neighbours, strategy="softmax", groups=[str(i // 5) for i in range(240)]
    ),
    "reasons of one class": lambda: [
        explained(prediction)
        for prediction in fitted(
            X=world(classes=1)[0], y=world(classes=1)[1], strategy="one-class"
        ).predict_open(new()[:9])
    ],
    "other thresholds": at_other_thresholds,
    "scores": scores,
    **{f"from_outputs, {name}": partial(from_outputs, name) for name in GIVEN},
    **{f"from_outputs, {name}, negatives": partial(from_outputs, name, True) for name in GIVEN},
    "from_outputs, sigmoid probabilities": partial(from_outputs, probabilities="sigmoid"),
    "from_outputs, classes": partial(
        from_outputs,
        y=np.array([30, 10, 20])[np.repeat([0, 1, 2], 60)],
        classes=[30, 10, 20],
        other=True,
    ),
    "from_outputs, groups": partial(from_outputs, groups=[str(i // 3) for i in range(180)]),
    "from_outputs, budget": partial(
        from_outputs, other=True, max_known_rejected=None, max_other_accepted=0.06
    ),
    "from_outputs, other folds": partial(
        from_outputs, strategy="detector", n_folds=4, random_state=2
    ),
    "from_outputs, infeasible": partial(from_outputs, max_known_rejected=0.002),
    "bad input": lambda: {what: error_of(call) for what, call in broken().items()},
}


@pytest.mark.parametrize("case", CASES)
def test_a_classifier_does_as_recorded(case: str) -> None:
    close = CLOSE_IN_FLOAT32 if "float32" in case else CLOSE
    check("arrays_classifier", case, CASES[case](), close)


def test_every_recorded_case_is_computed() -> None:
    assert {*read("arrays_classifier")} == {*CASES}


def test_a_class_that_is_named_other_is_warned_about() -> None:
    X, y = world(20)
    with pytest.warns(DataWarning) as caught:
        fitted(X=X, y=np.where(y == "cat", "other", y))
    assert len(caught) == 1


def test_a_row_with_two_labels_is_warned_about() -> None:
    X, y = world(20)
    with pytest.warns(DataWarning) as caught:
        fitted(X=np.vstack([X, X[:2]]), y=[*y, "dog", "dog"])
    assert len(caught) == 1


def test_negatives_that_look_like_a_class_are_warned_about() -> None:
    X, y = world(40)
    with pytest.warns(DataWarning) as caught:
        fitted(X=X, y=y, other=rows([1] * 30, seed=9))
    assert len(caught) == 1


def test_a_fitted_classifier_survives_pickle_and_copy() -> None:
    clf = fitted(other=negatives(), max_known_rejected=0.1)
    for again in (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf)):
        assert decided(again, new()) == decided(clf, new())


def test_a_clone_has_the_options_and_has_learned_nothing() -> None:
    clf = fitted(strategy="blend", n_folds=3, confidence=0.9, random_state=5)
    again = clone(clf)
    assert again.get_params() == clf.get_params()
    with pytest.raises(NotFittedError):
        again.predict(new())


def test_a_second_fit_forgets_the_first() -> None:
    X, y = world(40, classes=2)
    clf = fitted(strategy="auto").fit(X, y)
    assert decided(clf, new()) == decided(classifier_for("classes").fit(X, y), new())
    assert clf.n_features_in_ == D
