"""Linear heads: their minima, class weights, labels and negatives."""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.heads import HEADS
from outgroup.heads.linear import (
    ExposedSoftmax,
    LinearSigmoid,
    LinearSoftmax,
    PositiveUnlabelledSigmoid,
    best_bin,
)

LINEAR = [name for name, cls in HEADS if "strength" in cls.tuned]
CONVEX = ["linear-softmax", "linear-sigmoid"]


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


def rare(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that overlap, ten rows of one to one of the other."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [400, 40])
    return rng.normal(size=(440, 4)) + 1.5 * np.eye(2, 4)[y], y


def standardised(X: np.ndarray) -> np.ndarray:
    return (X - X.mean(axis=0)) / X.std(axis=0)


# A head minimises sum_i w_i loss_i + s/2 |W|^2, where the weights add up to 1; scikit-learn
# C * sum_i v_i loss_i + 1/2 |W|^2, where they add up to n. So C = 1 / (s n).


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


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("strength", [1.0, 0.05])
def test_linear_heads_are_scikit_learns_with_the_same_class_weight(
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


def test_softmax_probabilities_add_up_to_one_and_sigmoids_stand_alone() -> None:
    logits = np.array([[1e4, -1e4, 0.0], [0.5, 0.2, -3.0]])
    np.testing.assert_allclose(LinearSoftmax.probabilities(logits), softmax(logits, axis=1))
    np.testing.assert_array_equal(LinearSigmoid.probabilities(logits), expit(logits))


@pytest.mark.parametrize("name", CONVEX)
def test_cross_fit_equals_one_fit_per_fold(name: str) -> None:
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
def test_the_strength_with_the_least_held_out_loss_is_chosen(name: str) -> None:
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
def test_scales_and_offsets_of_columns_do_not_matter(name: str) -> None:
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


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), "much", True])
def test_the_strength_must_be_above_zero(name: str, bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `strength`: must be above 0"):
        HEADS.get(name)(bad)  # type: ignore[call-arg]


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


def test_unweighted_negatives_weigh_the_same_too() -> None:
    weights = LinearSigmoid(1.0, None).targets(np.repeat([0, 1, -1], [100, 10, 1]), 2)[1]
    np.testing.assert_allclose(weights, 1 / 111)


def test_balanced_sigmoids_weigh_positives_as_much_as_all_others() -> None:
    y = np.r_[np.repeat([0, 1], [10, 4]), np.full(30, -1)]
    targets, weights = LinearSigmoid().targets(y, 2)
    np.testing.assert_allclose((weights * targets).sum(axis=0), 0.5)
    np.testing.assert_allclose((weights * (1 - targets)).sum(axis=0), 0.5)


@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_exposure_is_the_weight_of_all_negatives_together(
    class_weight: str | None,
) -> None:
    y = np.r_[np.repeat([0, 1], [10, 4]), np.full(30, -1)]
    _, weights = ExposedSoftmax(class_weight=class_weight, exposure=0.3).targets(y, 2)
    np.testing.assert_allclose(weights[y >= 0].sum(axis=0), 1.0)
    np.testing.assert_allclose(weights[y < 0].sum(axis=0), 0.3)


@pytest.mark.parametrize("name", LINEAR)
def test_class_weights_equal_copies_of_rare_rows(name: str) -> None:
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


@pytest.mark.parametrize("name", LINEAR)
def test_linear_heads_do_not_oversample(name: str) -> None:
    with pytest.raises(
        InvalidParameterError, match="Invalid `class_weight`: must be 'balanced' or None"
    ):
        HEADS.get(name)(class_weight="oversample")  # type: ignore[call-arg]


@pytest.mark.parametrize("balance", ["balanced", None])
def test_a_matrix_of_single_labels_gives_the_same_as_class_indices(balance: str | None) -> None:
    X, y = data(others=30)
    folds = np.arange(len(y)) % 4
    one, two = (LinearSigmoid(None, balance) for _ in range(2))
    matrix = (y[:, np.newaxis] == np.arange(3)).astype(np.int64)
    np.testing.assert_array_equal(one.cross_fit(X, y, folds), two.cross_fit(X, matrix, folds))
    np.testing.assert_array_equal(one.fit(X, y).logits(X), two.fit(X, matrix).logits(X))


@pytest.mark.parametrize("balance", ["balanced", None])
def test_unknown_cells_are_not_learned_from(balance: str | None) -> None:
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
    with pytest.raises(InvalidDataError, match="cannot learn several"):
        LinearSoftmax(1.0).fit(np.eye(3), np.eye(3, dtype=np.int64))


def test_negatives_lower_every_sigmoid() -> None:
    X, y = data(others=40)
    without, having = LinearSigmoid(0.01), LinearSigmoid(0.01)
    without.fit(X[y >= 0], y[y >= 0])
    having.fit(X, y)
    others = X[y < 0]
    assert (
        having.logits(others).max(axis=1).mean() < without.logits(others).max(axis=1).mean() - 0.5
    )


def mixed(share: float, seed: int = 0, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes and unlabelled rows, a share of which are of the first class: X, y, truth."""
    rng = np.random.default_rng(seed)
    hidden = round(share * n)
    kind = np.r_[np.repeat([0, 1], 100), np.zeros(hidden, int), np.full(n - hidden, 2)]
    X = rng.normal(size=(len(kind), 6)) + 3 * np.eye(3, 6)[kind]
    return X, np.where(np.arange(len(kind)) < 200, kind, -1), kind


def cross_fitted(head: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    return head.cross_fit(X, y, np.random.default_rng(1).permutation(np.arange(len(y)) % 5))


def test_positives_among_the_unlabelled_do_less_harm_than_among_negatives() -> None:
    X, y, kind = mixed(0.3)
    new = mixed(0.0, seed=9)[0][:100]  # of the first class
    others = mixed(0.0, seed=9)[0][200:]

    def known_at_equal_acceptance(head: Any) -> float:
        cross_fitted(head, X, y)
        head.fit(X, y)
        threshold = np.quantile(head.logits(others).max(axis=1), 0.95)
        return float((head.logits(new).max(axis=1) > threshold).mean())

    def logit_of_hidden(head: Any) -> float:
        return float(np.median(cross_fitted(head, X, y)[(kind == 0) & (y < 0), 0]))

    plain, expecting = LinearSigmoid(0.01), PositiveUnlabelledSigmoid(0.01)
    assert known_at_equal_acceptance(expecting) >= known_at_equal_acceptance(plain) - 0.02
    assert logit_of_hidden(expecting) > logit_of_hidden(plain) + 1.0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_share_is_estimated_if_not_given(share: float) -> None:
    found = []
    for seed in range(5):
        X, y, _ = mixed(share, seed)
        head = PositiveUnlabelledSigmoid()
        cross_fitted(head, X, y)
        assert head.prior_ is not None
        found.append(head.prior_)
    mean = np.mean(found, axis=0)
    assert mean[0] == pytest.approx(share, abs=0.06)
    assert mean[1] < 0.06


def test_without_unlabelled_rows_or_with_a_share_of_0_it_is_the_plain_sigmoid() -> None:
    X, y, _ = mixed(0.2)
    for rows, prior in ((y >= 0, None), (np.ones(len(y), dtype=bool), 0.0)):
        plain = LinearSigmoid(0.1).fit(X[rows], y[rows])
        head = PositiveUnlabelledSigmoid(0.1, prior=prior).fit(X[rows], y[rows])
        np.testing.assert_allclose(head.logits(X), plain.logits(X), atol=1e-5)


@pytest.mark.parametrize("prior", [-0.1, 0.6, "much", True, [0.1, "x"], [], float("nan")])
def test_a_share_must_be_from_0_to_a_half(prior: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"Invalid `prior`: must be from 0 to 0\.5"):
        PositiveUnlabelledSigmoid(prior=prior)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_best_bin_is_near_the_true_share(share: float) -> None:
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = rng.binomial(2000, share)
        positive, rest = rng.normal(2, 1, 500), rng.normal(-1, 1, 2000 - n)
        found.append(best_bin(positive, np.r_[rng.normal(2, 1, n), rest]))
    assert np.mean(found) == pytest.approx(share, abs=0.03)


def test_best_bin_of_no_scores_is_0() -> None:
    assert best_bin(np.zeros(0), np.ones(3)) == best_bin(np.ones(3), np.zeros(0)) == 0.0
