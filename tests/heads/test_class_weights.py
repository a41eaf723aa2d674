from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from outgroup.errors import InvalidParameterError
from outgroup.heads import HEADS
from outgroup.heads.exposed_softmax import ExposedSoftmax
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.heads.mlp import Perceptron
from outgroup.heads.mlp_sigmoid import PerceptronSigmoid

NAMES = HEADS.names()
LINEAR = [name for name, cls in HEADS if "strength" in cls.tuned]


def rare(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that overlap, ten rows of one to one of the other."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [400, 40])
    return rng.normal(size=(440, 4)) + 1.5 * np.eye(2, 4)[y], y


def standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.mark.parametrize("name", LINEAR)
def test_balanced_a_rare_class_weighs_as_much_as_a_common_one(name: str) -> None:
    head: Any = HEADS.get(name)()
    y = np.repeat([0, 1, 2], [100, 10, 1])
    targets, weights = head.targets(y, 3)
    assert targets.sum() == len(y)
    per_class = (weights * targets).sum(axis=0)
    np.testing.assert_allclose(per_class, per_class[0])
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)


@pytest.mark.parametrize("name", LINEAR)
def test_unweighted_every_row_weighs_the_same(name: str) -> None:
    head: Any = HEADS.get(name)(class_weight=None)  # type: ignore[call-arg]
    _, weights = head.targets(np.repeat([0, 1, 2], [100, 10, 1]), 3)
    np.testing.assert_allclose(weights, 1 / 111)


def test_balanced_sigmoids_weigh_positives_as_much_as_all_the_rest() -> None:
    y = np.r_[np.repeat([0, 1], [10, 4]), np.full(30, -1)]
    targets, weights = LinearSigmoid().targets(y, 2)
    np.testing.assert_allclose((weights * targets).sum(axis=0), 0.5)
    np.testing.assert_allclose((weights * (1 - targets)).sum(axis=0), 0.5)


@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_exposed_negatives_weigh_so_much_of_what_the_known_rows_do(
    class_weight: str | None,
) -> None:
    y = np.r_[np.repeat([0, 1], [10, 4]), np.full(30, -1)]
    _, weights = ExposedSoftmax(class_weight=class_weight, exposure=0.3).targets(y, 2)
    np.testing.assert_allclose(weights[y >= 0].sum(axis=0), 1.0)
    np.testing.assert_allclose(weights[y < 0].sum(axis=0), 0.3)


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("strength", [1.0, 0.05])
def test_linear_heads_are_scikit_learns_with_the_same_weights(
    strength: float, class_weight: str | None
) -> None:
    X, y = rare()
    reference = LogisticRegression(
        C=1 / (strength * len(y)), class_weight=class_weight, tol=1e-10, max_iter=10_000
    ).fit(standardised(X), y)
    # scikit-learn has one logit for two classes, and so half of the penalty for the same odds
    head = LinearSigmoid(strength, class_weight).fit(X, 1 - y)
    np.testing.assert_allclose(
        head.probabilities(head.logits(X))[:, 0],
        reference.predict_proba(standardised(X))[:, 1],
        atol=2e-4,
    )
    three = np.where(np.arange(len(y)) % 3 == 0, 2, y)
    reference.fit(standardised(X), three)
    softmax = LinearSoftmax(strength, class_weight).fit(X, three)
    np.testing.assert_allclose(
        softmax.probabilities(softmax.logits(X)),
        reference.predict_proba(standardised(X)),
        atol=2e-4,
    )


@pytest.mark.parametrize("name", LINEAR)
def test_to_a_linear_head_whole_copies_of_rare_rows_are_weights(name: str) -> None:
    X, y = rare()
    copied = np.r_[np.flatnonzero(y == 0), np.repeat(np.flatnonzero(y == 1), 10)]
    # columns of mean 0 and variance 1 in both, so that the penalty means the same
    both = np.vstack([X[copied] - X[copied].mean(axis=0), X - X.mean(axis=0)])
    assert len(both) == 800 + 440
    cls: Any = HEADS.get(name)
    weighted = cls(0.05)
    over = cls(0.05, class_weight=None)
    t_w, w_w = weighted.targets(y, 2)
    t_o, w_o = over.targets(y[copied], 2)
    coef = np.random.default_rng(3).normal(size=(4, 2))
    value, slope = weighted.loss(X @ coef, t_w, w_w)
    copies, copies_slope = over.loss(X[copied] @ coef, t_o, w_o)
    assert value.sum() == pytest.approx(copies.sum(), rel=1e-12)
    np.testing.assert_allclose(X.T @ slope, X[copied].T @ copies_slope, atol=1e-12)


@pytest.mark.parametrize("cls", [Perceptron, PerceptronSigmoid])
def test_weights_and_copies_both_help_a_rare_class_of_a_perceptron(cls: Any) -> None:
    X, y = rare()
    fresh_X, fresh_y = rare(seed=1)
    recall = {}
    for class_weight in ("balanced", "oversample", None):
        head = cls(hidden=8, class_weight=class_weight, epochs=20)
        answers = head.fit(X, y).logits(fresh_X).argmax(axis=1)
        recall[class_weight] = (answers[fresh_y == 1] == 1).mean()
    assert recall["balanced"] > recall[None] + 0.1
    assert recall["oversample"] > recall[None] + 0.1
    assert abs(recall["balanced"] - recall["oversample"]) < 0.15


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", ["even", 3, {0: 1.0}, True])
def test_other_class_weights_are_refused(name: str, bad: Any) -> None:
    with pytest.raises(InvalidParameterError, match="'class_weight' parameter must be 'balanced'"):
        HEADS.get(name)(class_weight=bad)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", LINEAR)
def test_there_is_nothing_to_oversample_for_in_a_linear_head(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="'class_weight' parameter must be"):
        HEADS.get(name)(class_weight="oversample")  # type: ignore[call-arg]
