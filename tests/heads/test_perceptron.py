"""Perceptrons: trained by scikit-learn, applied with NumPy, epochs chosen by held-out loss."""

import functools
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from outgroup._component import UNSEEN
from outgroup.errors import InvalidParameterError
from outgroup.heads import HEADS
from outgroup.heads.perceptron import Perceptron, PerceptronSigmoid

BOTH = [Perceptron, PerceptronSigmoid]


def rings(n: int = 300, seed: int = 0, others: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes around one another: not linearly separable."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    y[n - others :] = -1
    radius = np.where(y < 0, 7, 1 + 2 * y) + 0.2 * rng.normal(size=n)
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y


def folds_of(y: np.ndarray) -> np.ndarray:
    return np.random.default_rng(5).permutation(np.arange(len(y)) % 4)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("cls", BOTH)
def test_logits_are_those_of_scikit_learns_own_forward_pass(
    cls: Any, n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = rings(others=0 if cls is Perceptron else 60)
    y = np.minimum(y, n_classes - 1)
    trained: list[MLPClassifier] = []
    start = MLPClassifier.__init__

    @functools.wraps(start)
    def noted(self: MLPClassifier, *args: Any, **kwargs: Any) -> None:
        start(self, *args, **kwargs)
        trained.append(self)

    monkeypatch.setattr(MLPClassifier, "__init__", noted)
    head = cls(epochs=20).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = trained[-1].predict_proba(Z.astype(np.float32))
    found = head.probabilities(head.logits(X))
    assert found.shape == (len(X), n_classes)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_class_has_one_sigmoid() -> None:
    X, y = rings(others=120)
    y = np.minimum(y, 0)
    head = PerceptronSigmoid(epochs=100).fit(X, y)
    found = head.probabilities(head.logits(X))
    assert found.shape == (300, 1)
    assert ((found[:, 0] > 0.5) == (y == 0)).mean() > 0.95


@pytest.mark.parametrize("cls", BOTH)
def test_it_learns_classes_that_are_not_linearly_separable(cls: Any) -> None:
    X, y = rings()
    head = cls()
    held_out = head.cross_fit(X, y, folds_of(y))
    assert (held_out.argmax(axis=1) == y).mean() > 0.9
    fresh, fresh_y = rings(seed=1)
    assert (head.fit(X, y).logits(fresh).argmax(axis=1) == fresh_y).mean() > 0.9


def test_negatives_lower_every_sigmoid() -> None:
    def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:  # negatives lie between the classes
        rng = np.random.default_rng(seed)
        y = np.arange(400) % 4
        centres = np.array([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
        return rng.normal(size=(400, 2)) * 0.7 + centres[y], np.where(y == 3, -1, y)

    X, y = draw(0)
    head = PerceptronSigmoid()
    head.cross_fit(X, y, folds_of(y))
    fresh, fresh_y = draw(1)
    claimed = head.probabilities(head.fit(X, y).logits(fresh)).max(axis=1) > 0.5
    assert claimed[fresh_y < 0].mean() < 0.1
    assert claimed[fresh_y >= 0].mean() > 0.9


@pytest.mark.parametrize("cls", BOTH)
def test_random_labels_are_not_guessed_out_of_fold(cls: Any) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(300, 100)), rng.integers(0, 3, 300)
    head = cls(epochs=30)
    assert (head.cross_fit(X, y, np.arange(300) % 5).argmax(axis=1) == y).mean() < 0.45
    assert (head.fit(X, y).logits(X).argmax(axis=1) == y).mean() > 0.95


@pytest.mark.parametrize("cls", BOTH)
def test_training_stops_early_if_there_is_nothing_to_learn(cls: Any) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(300, 100)), rng.integers(0, 3, 300)
    head = cls()
    head.cross_fit(X, y, np.arange(300) % 5)
    assert head.epochs_ <= 2


@pytest.mark.parametrize("cls", BOTH)
def test_the_number_of_epochs_with_the_least_held_out_loss_is_chosen(cls: Any) -> None:
    rng = np.random.default_rng(1)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 60)) + 0.5 * y[:, np.newaxis] * np.eye(60)[:5].sum(axis=0)
    folds = folds_of(y)
    head = cls()
    head.cross_fit(X, y, folds)

    def loss(epochs: int) -> float:
        fixed = cls(epochs=epochs)
        return float(fixed.held_out_loss(fixed.cross_fit(X, y, folds), y))

    assert loss(head.epochs_) <= min(loss(n) for n in range(1, head.epochs_ + 4))
    fixed = cls(epochs=head.epochs_).cross_fit(X, y, folds)
    np.testing.assert_array_equal(cls().cross_fit(X, y, folds), fixed)


@pytest.mark.parametrize("class_weight", ["balanced", "oversample", None])
@pytest.mark.parametrize("cls", BOTH)
def test_a_fold_learns_from_neither_its_own_rows_nor_unseen_ones(
    cls: Any, class_weight: str | None
) -> None:
    X, y = rings()
    y[::12] = UNSEEN
    folds = np.where(y == UNSEEN, -1, folds_of(y))
    head = cls(epochs=15, class_weight=class_weight)
    before = head.cross_fit(X, y, folds)
    assert np.isfinite(before).all()
    moved = np.where(folds == 2, (y + 1) % 3, y)
    after = head.cross_fit(X, moved, folds)
    np.testing.assert_array_equal(before[folds == 2], after[folds == 2])
    assert np.abs(before - after)[folds != 2].max() > 0.1
    far = X.copy()
    far[y == UNSEEN] += 1.0
    np.testing.assert_array_equal(head.cross_fit(far, y, folds)[y != UNSEEN], before[y != UNSEEN])
    learned = y != UNSEEN
    whole = head.fit(X[learned], y[learned]).logits(X[~learned])
    np.testing.assert_allclose(before[~learned], whole, atol=1e-4)


@pytest.mark.parametrize("cls", BOTH)
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads(cls: Any) -> None:
    X, y = rings()
    states = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            states.append(cls(seed=3, epochs=5).fit(X, y).state())
    for name, array in states[0].arrays.items():
        np.testing.assert_array_equal(array, states[1].arrays[name])
    other = cls(seed=4, epochs=5).fit(X, y).state()
    assert not np.array_equal(other.arrays["inner"], states[0].arrays["inner"])


@pytest.mark.parametrize("cls", BOTH)
def test_rows_in_single_and_double_precision_give_the_same_network(cls: Any) -> None:
    X, y = rings()
    single = cls(epochs=10).fit(X.astype(np.float32), y).logits(X.astype(np.float32))
    double = cls(epochs=10).fit(X, y).logits(X)
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, double, atol=1e-3)


@pytest.mark.parametrize("cls", BOTH)
def test_few_rows_and_a_class_missing_from_a_fold_are_no_error(cls: Any) -> None:
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        held_out = cls().cross_fit(
            rng.normal(size=(6, 3)), np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 1, 2])
        )
    assert held_out.shape == (6, 3)
    assert np.isfinite(held_out).all()


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("hidden", 0, "a whole number from 1 up"),
        ("hidden", 2.5, "a whole number from 1 up"),
        ("strength", -1.0, "a number from 0 up"),
        ("strength", float("inf"), "a number from 0 up"),
        ("seed", -1, "a whole number from 0"),
        ("seed", 2**32, "a whole number from 0"),
        ("epochs", 0, "a whole number from 1 up, or None"),
        ("epochs", True, "a whole number from 1 up, or None"),
    ],
)
def test_an_invalid_parameter_is_refused(cls: Any, name: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=f"Invalid `{name}`: must be {message}"):
        cls(**{name: value})


def test_scikit_learns_networks_are_imported_only_to_train() -> None:
    code = (
        "import sys, outgroup.heads as h; h.HEADS.names();"
        "assert 'sklearn.neural_network' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("cls", BOTH)
def test_it_is_registered(cls: Any) -> None:
    assert HEADS.get(cls.name) is cls


def rare(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that overlap, ten rows of one to one of the other."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [400, 40])
    return rng.normal(size=(440, 4)) + 1.5 * np.eye(2, 4)[y], y


@pytest.mark.parametrize("cls", [Perceptron, PerceptronSigmoid])
def test_weights_and_oversampling_both_help_a_rare_class(cls: Any) -> None:
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
