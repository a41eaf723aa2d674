from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.heads import HEADS, Head, SoftmaxHead
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.heads.linear_softmax import LinearSoftmax

NAMES = HEADS.names()
LINEAR = [name for name, cls in HEADS if "strength" in cls.tuned]
CONVEX = ["linear-softmax", "linear-sigmoid"]
REFUSING = [name for name, cls in HEADS if issubclass(cls, SoftmaxHead)]


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


def standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(axis=0)) / X.std(axis=0)


# The objective is mean-like: sum_i w_i loss_i + s/2 |W|^2 with the weights adding up to one.
# scikit-learn's is C * sum_i v_i loss_i + 1/2 |W|^2 with v_i = n / (K n_class), adding up to n. So
# C = 1 / (s n); the intercept is not penalised in either.


@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_linear_softmax_is_scikit_learns_balanced_logistic_regression(strength: float) -> None:
    X, y = data()
    reference = LogisticRegression(
        C=1 / (strength * len(y)), class_weight="balanced", tol=1e-10, max_iter=10_000
    ).fit(standardised(X), y)
    head = LinearSoftmax(strength).fit(X, y)
    found = head.probabilities(head.logits(X))
    np.testing.assert_allclose(found, reference.predict_proba(standardised(X)), atol=2e-4)


@pytest.mark.parametrize("others", [0, 30])
@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_linear_sigmoid_is_scikit_learns_balanced_one_against_the_rest(
    strength: float, others: int
) -> None:
    X, y = data(others=others)
    head = LinearSigmoid(strength).fit(X, y)
    found = head.probabilities(head.logits(X))
    for k in range(3):
        reference = LogisticRegression(
            C=1 / (strength * len(y)), class_weight="balanced", tol=1e-10, max_iter=10_000
        ).fit(standardised(X), y == k)
        expected = reference.predict_proba(standardised(X))[:, 1]
        np.testing.assert_allclose(found[:, k], expected, atol=2e-4)


def test_softmax_probabilities_add_up_to_one_and_sigmoids_stand_alone() -> None:
    logits = np.array([[1e4, -1e4, 0.0], [0.5, 0.2, -3.0]])
    np.testing.assert_allclose(LinearSoftmax.probabilities(logits), softmax(logits, axis=1))
    np.testing.assert_array_equal(LinearSigmoid.probabilities(logits), expit(logits))


@pytest.mark.parametrize("name", CONVEX)
def test_cross_fit_of_all_folds_in_one_run_is_a_fit_of_each_fold(name: str) -> None:
    X, y = data(others=0 if name == "linear-softmax" else 20)
    folds = np.random.default_rng(5).permutation(np.arange(len(y)) % 4)
    strength = 0.05
    held_out = HEADS.get(name)(strength).cross_fit(X, y, folds)  # type: ignore[call-arg]
    Z = standardised(X)  # all folds share one standardisation
    for fold in range(4):
        train, test = folds != fold, folds == fold
        make = LogisticRegression(
            C=1 / (strength * train.sum()), class_weight="balanced", tol=1e-10, max_iter=10_000
        )
        if name == "linear-softmax":
            expected = make.fit(Z[train], y[train]).predict_proba(Z[test])
            found = LinearSoftmax.probabilities(held_out[test])
        else:
            expected = np.stack(
                [make.fit(Z[train], y[train] == k).predict_proba(Z[test])[:, 1] for k in range(3)],
                axis=1,
            )
            found = LinearSigmoid.probabilities(held_out[test])
        np.testing.assert_allclose(found, expected, atol=5e-3)


@pytest.mark.parametrize("name", LINEAR)
def test_no_row_is_scored_by_a_model_that_saw_its_label(name: str) -> None:
    X, y = data()
    folds = np.random.default_rng(5).permutation(np.arange(len(y)) % 4)
    head = HEADS.get(name)(0.001)  # type: ignore[call-arg]
    before = head.cross_fit(X, y, folds)
    wrong = np.where(folds == 2, (y + 1) % 3, y)
    after = head.cross_fit(X, wrong, folds)
    # Rows of fold 2 are scored by a model that learned from the other folds, whose labels stand;
    # what is left is where the optimiser stopped.
    moved = np.abs(head.probabilities(after) - head.probabilities(before)).max(axis=1)
    assert moved[folds == 2].max() < 0.02
    assert moved[folds != 2].mean() > 0.1


@pytest.mark.parametrize("name", LINEAR)
def test_random_labels_are_not_guessed_out_of_fold(name: str) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(300, 200)), rng.integers(0, 3, 300)
    head = HEADS.get(name)(0.001)  # type: ignore[call-arg]
    held_out = head.cross_fit(X, y, np.arange(300) % 5)
    assert (held_out.argmax(axis=1) == y).mean() < 0.45
    assert (head.fit(X, y).logits(X).argmax(axis=1) == y).mean() > 0.95


@pytest.mark.parametrize("name", LINEAR)
def test_the_strength_is_that_of_least_held_out_loss(name: str) -> None:
    rng = np.random.default_rng(2)
    folds = np.arange(200) % 5
    clear_y = np.arange(200) // 5 % 2
    clear = rng.normal(size=(200, 3)) * 0.3 + np.where(clear_y, 3, -3)[:, np.newaxis]
    noise_y = rng.integers(0, 2, 200)
    noise = rng.normal(size=(200, 100))
    cls: Any = HEADS.get(name)
    weak, strong = cls(), cls()
    weak.cross_fit(clear, clear_y, folds)
    strong.cross_fit(noise, noise_y, folds)
    assert strong.strength_ == 1.0  # nothing to learn: as much as there is
    assert weak.strength_ <= 0.001

    def held_out_loss(strength: float) -> float:
        logits = cls(strength).cross_fit(noise, noise_y, folds)
        return float(cls().loss(logits, *cls().targets(noise_y, 2))[0].sum())

    assert held_out_loss(1.0) < held_out_loss(0.1) < held_out_loss(0.01)


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


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("value", [0.0, 1e6])
def test_a_constant_column_changes_nothing(name: str, value: float) -> None:
    X, y = data()
    head = HEADS.get(name)(0.01)  # type: ignore[call-arg]
    plain = head.fit(X, y).logits(X)
    more = head.fit(np.c_[X, np.full(len(X), value)], y).logits(np.c_[X, np.full(len(X), value)])
    np.testing.assert_allclose(head.probabilities(more), head.probabilities(plain), atol=1e-3)


@pytest.mark.parametrize("name", LINEAR)
def test_columns_that_are_all_constant_leave_the_classes_even(name: str) -> None:
    y = np.repeat([0, 1], 10)
    head = HEADS.get(name)(0.1).fit(np.ones((20, 3)), y)  # type: ignore[call-arg]
    np.testing.assert_allclose(head.probabilities(head.logits(np.ones((2, 3)))), 0.5, atol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_scales_and_offsets_of_columns_play_no_part(name: str) -> None:
    X, y = data()
    head = HEADS.get(name)(0.01)  # type: ignore[call-arg]
    plain = head.fit(X, y).logits(X)
    moved = X * np.array([1, 2, 5, 10, 50, 100.0]) - 7
    np.testing.assert_allclose(head.fit(moved, y).logits(moved), plain, atol=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_single_precision_gives_float64_logits_close_to_double(name: str) -> None:
    X, y = data(d=32)
    folds = np.arange(len(y)) % 5
    head = HEADS.get(name)(0.01)  # type: ignore[call-arg]
    for logits in (
        lambda X: head.fit(X, y).logits(X),
        lambda X: head.cross_fit(X, y, folds),
    ):
        single, double = logits(X.astype(np.float32)), logits(X)
        assert single.dtype == np.float64
        np.testing.assert_allclose(
            head.probabilities(single), head.probabilities(double), atol=5e-3
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_a_fold_has_none_of_is_no_error(name: str) -> None:
    X, y = data((20, 20, 2))
    folds = np.arange(len(y)) % 5
    folds[y == 2] = [0, 1]
    held_out = HEADS.get(name)().cross_fit(X, y, folds)
    assert held_out.shape == (42, 3)
    assert np.isfinite(held_out).all()


@pytest.mark.parametrize("name", LINEAR)
def test_the_number_of_threads_changes_no_decision(name: str) -> None:
    X, y = data((200, 150, 100), d=64)
    folds = np.arange(len(y)) % 5
    answers = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            head = HEADS.get(name)()
            held_out = head.cross_fit(X, y, folds)
            answers.append((held_out, head.fit(X, y).logits(X)))
    for one, two in zip(*answers, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)
        np.testing.assert_array_equal(one.argmax(axis=1), two.argmax(axis=1))


def test_in_the_plain_loss_every_image_weighs_the_same() -> None:
    weights = LinearSigmoid(1.0, None).targets(np.repeat([0, 1, -1], [100, 10, 1]), 2)[1]
    np.testing.assert_allclose(weights, 1 / 111)


@pytest.mark.parametrize("balance", ["balanced", None])
def test_a_matrix_of_single_labels_is_the_same_as_their_indices(balance: str | None) -> None:
    X, y = data(others=30)
    folds = np.arange(len(y)) % 4
    one, two = (LinearSigmoid(None, balance) for _ in range(2))
    matrix = (y[:, np.newaxis] == np.arange(3)).astype(np.int64)
    np.testing.assert_array_equal(one.cross_fit(X, y, folds), two.cross_fit(X, matrix, folds))
    np.testing.assert_array_equal(one.fit(X, y).logits(X), two.fit(X, matrix).logits(X))


@pytest.mark.parametrize("balance", ["balanced", None])
def test_a_cell_that_nobody_knows_is_not_learned_from(balance: str | None) -> None:
    X, y = data(others=30)
    matrix = (y[:, np.newaxis] == np.arange(3)).astype(np.int64)
    matrix[::5, 1] = -1
    head = LinearSigmoid(0.1, balance).fit(X, matrix)
    changed = X.copy()
    changed[::5] = X[::5][::-1]  # the same rows in another order: means and scales stay
    again = LinearSigmoid(0.1, balance).fit(changed, matrix)
    fresh = data(seed=3)[0]
    np.testing.assert_allclose(head.logits(fresh)[:, 1], again.logits(fresh)[:, 1], atol=2e-3)
    assert np.abs(head.logits(fresh)[:, 0] - again.logits(fresh)[:, 0]).max() > 0.1


def test_a_softmax_refuses_rows_with_several_labels() -> None:
    with pytest.raises(InvalidDataError, match="can't learn several"):
        LinearSoftmax(1.0).fit(np.eye(3), np.eye(3, dtype=np.int64))


@pytest.mark.parametrize("name", REFUSING)
def test_a_softmax_over_known_classes_refuses_negatives(name: str) -> None:
    head = HEADS.get(name)()
    with pytest.raises(InvalidDataError, match="can't learn from negatives"):
        head.cross_fit(np.eye(4), np.array([0, 1, 1, -1]), np.arange(4) % 2)


def test_negatives_pull_every_sigmoid_down() -> None:
    X, y = data(others=40)
    without, having = LinearSigmoid(0.01), LinearSigmoid(0.01)
    without.fit(X[y >= 0], y[y >= 0])
    having.fit(X, y)
    others = X[y < 0]
    assert (
        having.logits(others).max(axis=1).mean() < without.logits(others).max(axis=1).mean() - 0.5
    )


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), "much", True])
def test_the_strength_must_be_above_zero(name: str, bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="'strength' parameter must be above 0"):
        HEADS.get(name)(bad)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_that_nothing_was_tuned_for_says_what_to_do(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="call cross_fit first, or set it"):
        HEADS.get(name)().fit(np.eye(2), np.array([0, 1]))


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
