"""What holds for every registered head, and for one registered by somebody else."""

from typing import Any

import numpy as np
import pytest

from outgroup import OpenSetClassifier
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.heads import HEADS, Head, SoftmaxHead
from outgroup.model import fit_model
from outgroup.strategies import STRATEGIES
from outgroup.training_set import TrainingSet

NAMES = HEADS.names()
REPEATS = 12
REFUSING = [name for name, cls in HEADS if issubclass(cls, SoftmaxHead)]
STRATEGY = {
    name: next(
        s for s, taker in STRATEGIES if taker.takes_head and issubclass(cls, taker.takes_head)
    )
    for name, cls in HEADS
}


def data(
    sizes: tuple[int, ...] = (40, 25, 15), d: int = 6, others: int = 0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = rng.normal(size=(len(y), d)) * (1 + np.arange(d)) + 5 * np.eye(len(sizes), d)[y]
    if others:
        X = np.vstack([X, rng.normal(size=(others, d)) * (1 + np.arange(d)) + 4 * np.eye(d)[-1]])
        y = np.r_[y, np.full(others, -1)]
    return X, y


@pytest.mark.parametrize("name", NAMES)
def test_a_second_fit_keeps_nothing_of_the_first(name: str) -> None:
    X, y = data()
    other_X, other_y = data(seed=9)
    folds = np.arange(len(y)) % 4
    used, fresh = HEADS.get(name)(), HEADS.get(name)()
    used.cross_fit(other_X * 100, 1 - np.minimum(other_y, 1), folds)
    used.fit(other_X * 100, 1 - np.minimum(other_y, 1))
    np.testing.assert_array_equal(used.cross_fit(X, y, folds), fresh.cross_fit(X, y, folds))
    np.testing.assert_array_equal(used.fit(X, y).logits(X), fresh.fit(X, y).logits(X))


@pytest.mark.parametrize("name", NAMES)
def test_a_class_missing_from_a_fold_is_no_error(name: str) -> None:
    X, y = data((20, 20, 2))
    folds = np.arange(len(y)) % 5
    folds[y == 2] = [0, 1]
    held_out = HEADS.get(name)().cross_fit(X, y, folds)
    assert held_out.shape == (42, 3)
    assert np.isfinite(held_out).all()


@pytest.mark.parametrize("name", REFUSING)
def test_a_softmax_over_known_classes_refuses_negatives(name: str) -> None:
    head = HEADS.get(name)()
    with pytest.raises(InvalidDataError, match="cannot learn from negatives"):
        head.cross_fit(np.eye(4), np.array([0, 1, 1, -1]), np.arange(4) % 2)


@pytest.mark.parametrize("name", NAMES)
def test_fit_without_cross_fit_says_what_to_do(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="call cross_fit first, or set it"):
        HEADS.get(name)().fit(np.eye(2), np.array([0, 1]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", ["even", 3, {0: 1.0}, True])
def test_an_invalid_class_weight_is_refused(name: str, bad: Any) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `class_weight`: must be 'balanced'"):
        HEADS.get(name)(class_weight=bad)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", NAMES)
def test_a_head_from_its_state_gives_the_same_logits(name: str) -> None:
    X, y = data()
    cls: type[Head] = HEADS.get(name)
    head = cls()
    head.cross_fit(X, y, np.arange(len(y)) % 5)
    head.fit(X, y)
    np.testing.assert_array_equal(cls.from_state(head.state(), {}).logits(X), head.logits(X))
    assert head.name == name
    assert head.summary
    assert head.reference


def share_rejected(head: Any, strategy: str, seed: int) -> float:
    """Share of new known rows above a threshold that 5 % are expected to be above."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(7, 64))
    means *= 4 / np.linalg.norm(means, axis=1, keepdims=True)

    def draw(kinds: np.ndarray) -> dict[str, np.ndarray]:
        return {"last": (means[kinds] + rng.normal(size=(len(kinds), 64))).astype(np.float32)}

    kinds = np.r_[np.arange(300) % 3, 3 + np.arange(100) % 4]
    data = TrainingSet(draw(kinds), np.where(kinds < 3, kinds, -1), ("a", "b", "c"))
    model = fit_model(data, STRATEGIES.get(strategy)(head=head), seed=seed)  # type: ignore[call-arg]
    return float((model.predict(draw(np.arange(6000) % 3)).other_score > model.threshold).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS.names())
def test_a_held_out_threshold_rejects_as_many_new_known_rows_as_expected(name: str) -> None:
    shares = [share_rejected(HEADS.get(name)(), STRATEGY[name], seed) for seed in range(REPEATS)]
    # 12 thresholds from 300 rows each: the mean has a standard error of 0.35 points or less
    assert np.mean(shares) == pytest.approx(0.05, abs=0.01)


class NearestMean(SoftmaxHead):
    """A made-up head: minus the squared distance to the mean of each class."""

    name = "nearest-mean"
    summary = "distance to the class means"
    arrays = ("means",)

    def cross_fit(self, X: Any, y: Any, folds: Any) -> Any:
        logits = np.empty((len(y), int(y.max()) + 1))
        for fold in np.unique(folds):
            learned = (folds != fold) & (y >= 0)
            logits[folds == fold] = self.fit(X[learned], y[learned]).logits(X[folds == fold])
        return logits

    def fit(self, X: Any, y: Any) -> Any:
        self.means = np.stack([X[y == k].mean(axis=0) for k in range(int(y.max()) + 1)])
        return self

    def logits(self, X: Any) -> Any:
        return -((X[:, np.newaxis] - self.means) ** 2).sum(axis=2).astype(np.float64)


def test_a_head_registered_outside_the_package_works_like_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(HEADS, "_entries", dict(HEADS._entries))  # forgotten after the test
    HEADS.register("nearest-mean")(NearestMean)
    X, y = data()
    names = np.array(["cat", "dog", "giraffe"])[y]
    clf = OpenSetClassifier("softmax", head="nearest-mean").fit(X, names)
    assert (clf.predict(X) == names).mean() > 0.8
    assert clf.certificate_.sentence
    head = NearestMean().fit(X, y)
    again = HEADS.get("nearest-mean").from_state(head.state(), {})
    np.testing.assert_array_equal(again.logits(X), head.logits(X))
