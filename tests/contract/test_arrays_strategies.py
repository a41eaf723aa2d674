"""Every strategy, detector and head decides as recorded, on arrays with one class a row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from arrays_data import negatives, new, world
from expectations import check, read
from surface import classifier_for, decided, methods

from outgroup.errors import InvalidParameterError, OutgroupError

OF_EMBEDDINGS = (
    "ash-b",
    "ash-s",
    "fdbd",
    "isolation-forest",
    "knn",
    "knn-ratio",
    "mahalanobis",
    "mahalanobis-raw",
    "nci",
    "nnguide",
    "one-class-svm",
    "react",
    "relative-mahalanobis",
    "residual",
    "scale",
    "vim",
    "whitened-cosine",
)
OF_LOGITS = ("energy", "entropy", "gen", "margin", "max-logit", "msp")
FITTED_TO_LOGITS = ("kl-matching", "openmax")
#: They read the logits of a backbone, which arrays do not have.
OF_BACKBONE = ("answer-odds", "answer-profile")
DETECTORS = (*OF_EMBEDDINGS, *OF_LOGITS, *FITTED_TO_LOGITS, *OF_BACKBONE)

SOFTMAXES = ("focal-softmax", "linear-softmax", "mlp")
SIGMOIDS = ("focal-sigmoid", "linear-sigmoid", "mlp-sigmoid", "pu-sigmoid")
HEADS = (*SOFTMAXES, *SIGMOIDS, "exposed-softmax")

#: The detectors and the heads that each strategy takes.
TAKES = {
    "blend": ((), SIGMOIDS),
    "detector": (OF_EMBEDDINGS, SOFTMAXES),
    "imagenet": ((), ()),
    "one-class": ((), SIGMOIDS),
    "other-class": ((), SOFTMAXES),
    "outlier-exposure": (OF_LOGITS, ("exposed-softmax",)),
    "positive-unlabelled": ((), ("pu-sigmoid",)),
    "sigmoid": ((), SIGMOIDS),
    "sigmoid-0.95": ((), SIGMOIDS),
    "softmax": ((*OF_LOGITS, *FITTED_TO_LOGITS), SOFTMAXES),
    "two-votes": ((), SIGMOIDS),
}

WITH_OPTIONS = (
    ("outlier-exposure", "exposed-softmax,strength=0.1"),
    ("sigmoid", "focal-sigmoid,gamma=0.5,class_weight=None"),
    ("sigmoid", "mlp-sigmoid,hidden=4,epochs=20"),
    ("softmax", "focal-softmax,gamma=1"),
    ("softmax", "linear-softmax,strength=0.5"),
    ("softmax", "mlp,hidden=8,strength=0.1,seed=3,epochs=10"),
)


def decisions(strategy: str, classes: int = 3, other: bool = True, **options: Any) -> Any:
    """Fit on made rows, and return what is said of new ones, or the error that it ends in."""
    slow = "isolation" in strategy or str(options.get("head")).startswith("mlp")
    n = 24 if slow else 80
    X, y = world(n, classes)
    classifier = classifier_for("classes", strategy, **options)
    try:
        classifier.fit(X, y, other=negatives(n * 3 // 4) if other else None)
    except OutgroupError as error:
        return {"error": type(error).__name__}
    return decided(classifier, new())


def few_epochs(head: str) -> str:
    """Return a head with what makes a perceptron learn quickly."""
    return f"{head},epochs=5" if head.startswith("mlp") else head


CASES: dict[str, Callable[[], Any]] = {
    **{
        f"{strategy}, classes={classes}, other={other}": partial(
            decisions, strategy, classes, other
        )
        for strategy in ("auto", *TAKES)
        for classes in (1, 2, 3)
        for other in (False, True)
    },
    **{
        f"{strategy}:{detector}": partial(decisions, f"{strategy}:{detector}")
        for strategy, (detectors, _) in TAKES.items()
        for detector in detectors
    },
    **{
        f"detector:{detector}, classes=1": partial(decisions, f"detector:{detector}", 1)
        for detector in OF_EMBEDDINGS
        if detector != "isolation-forest"
    },
    **{
        f"{strategy}, head={head}": partial(decisions, strategy, head=head)
        for strategy, head in [
            *((s, few_epochs(head)) for s, (_, heads) in TAKES.items() for head in heads),
            *WITH_OPTIONS,
        ]
    },
}


@pytest.mark.parametrize("case", CASES)
def test_a_strategy_decides_as_recorded(case: str) -> None:
    check("arrays_strategies", case, CASES[case]())


def test_every_recorded_case_is_computed() -> None:
    assert {*read("arrays_strategies")} == {*CASES}


@pytest.mark.parametrize("strategy", TAKES)
def test_what_a_strategy_does_not_take_is_refused(strategy: str) -> None:
    X, y = world(6)
    detectors, heads = TAKES[strategy]
    names = [f"{strategy}:{name}" for name in (*DETECTORS, "no-such") if name not in detectors]
    refused = [classifier_for("classes", name) for name in names]
    refused += [
        classifier_for("classes", strategy, head=head)
        for head in (*HEADS, "no-such", "linear-softmax,nonsense=1")
        if head not in heads
    ]
    for classifier in refused:
        with pytest.raises(InvalidParameterError):
            classifier.fit(X, y, other=negatives(6))


def test_all_methods_are_listed() -> None:
    listed = methods()
    assert {*TAKES} <= {*listed["strategy"]}
    assert {*DETECTORS} <= {*listed["detector"]}
    assert {*HEADS} <= {*listed["head"]}
