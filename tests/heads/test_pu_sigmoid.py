from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from outgroup.errors import InvalidParameterError
from outgroup.heads._prior import best_bin
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.heads.pu_sigmoid import PositiveUnlabelledSigmoid


def mixed(share: float, seed: int = 0, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes and unlabelled rows, a share of which are of the first class: X, y, truth."""
    rng = np.random.default_rng(seed)
    hidden = round(share * n)
    kind = np.r_[np.repeat([0, 1], 100), np.zeros(hidden, int), np.full(n - hidden, 2)]
    X = rng.normal(size=(len(kind), 6)) + 3 * np.eye(3, 6)[kind]
    return X, np.where(np.arange(len(kind)) < 200, kind, -1), kind


def held_out(head: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    return head.cross_fit(X, y, np.random.default_rng(1).permutation(np.arange(len(y)) % 5))


def test_images_of_a_class_among_the_unlabelled_cost_it_less_than_among_negatives() -> None:
    X, y, kind = mixed(0.3)
    new = mixed(0.0, seed=9)[0][:100]  # of the first class
    others = mixed(0.0, seed=9)[0][200:]

    def known_at_equal_acceptance(head: Any) -> float:
        held_out(head, X, y)
        head.fit(X, y)
        threshold = np.quantile(head.logits(others).max(axis=1), 0.95)
        return float((head.logits(new).max(axis=1) > threshold).mean())

    def logit_of_hidden(head: Any) -> float:
        return float(np.median(held_out(head, X, y)[(kind == 0) & (y < 0), 0]))

    plain, expecting = LinearSigmoid(0.01), PositiveUnlabelledSigmoid(0.01)
    assert known_at_equal_acceptance(expecting) >= known_at_equal_acceptance(plain) - 0.02
    assert logit_of_hidden(expecting) > logit_of_hidden(plain) + 1.0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_share_is_estimated_where_none_is_given(share: float) -> None:
    found = []
    for seed in range(5):
        X, y, _ = mixed(share, seed)
        head = PositiveUnlabelledSigmoid()
        held_out(head, X, y)
        assert head.prior_ is not None
        found.append(head.prior_)
    mean = np.mean(found, axis=0)
    assert mean[0] == pytest.approx(share, abs=0.06)
    assert mean[1] < 0.06


def test_without_unlabelled_rows_or_a_share_it_is_the_plain_sigmoid() -> None:
    X, y, _ = mixed(0.2)
    for rows, prior in ((y >= 0, None), (np.ones(len(y), dtype=bool), 0.0)):
        plain = LinearSigmoid(0.1).fit(X[rows], y[rows])
        head = PositiveUnlabelledSigmoid(0.1, prior=prior).fit(X[rows], y[rows])
        np.testing.assert_allclose(head.logits(X), plain.logits(X), atol=1e-5)


def test_the_loss_on_what_is_not_of_the_class_does_not_fall_below_zero() -> None:
    # every unlabelled row is far on the other side, and positives are not: the plain difference
    # of the two losses is below zero, and would go on falling with the logits of positives
    head = PositiveUnlabelledSigmoid(1.0, prior=0.5)
    targets, weights = head.targets(np.array([0, 0, -1, -1]), 1)
    losses = [
        head.loss(np.array([[z], [z], [-50.0], [-50.0]]), targets, weights) for z in (5.0, 50.0)
    ]
    for value, slope in losses:
        assert value.sum() > -0.01
        assert (slope[:2] <= 0).all()  # nothing draws positives back
        assert (slope[2:] == 0).all()


def test_where_the_loss_levels_off_its_slope_is_that_of_differences() -> None:
    head = PositiveUnlabelledSigmoid(1.0, prior=0.4)
    targets, weights = head.targets(np.array([0, 0, -1, -1, -1]), 1)
    rng = np.random.default_rng(0)
    below = 0
    for _ in range(200):
        z = rng.normal(size=5) + np.array([1, 1, -1, -1, -1.0])
        value, slope = head.loss(z[:, np.newaxis], targets, weights)
        expected = approx_fprime(
            z, lambda z: head.loss(z[:, np.newaxis], targets, weights)[0].sum(), 1e-7
        )
        np.testing.assert_allclose(slope[:, 0], expected, atol=1e-5)
        positive = np.where(targets[:, 0] == 1, weights[:, 0], 0.0)
        below += value.sum() < (positive * np.logaddexp(0, -z)).sum()
    assert 0 < below < 200  # both sides of zero were met


@pytest.mark.parametrize("prior", [-0.1, 0.6, "much", True, [0.1, "x"], [], float("nan")])
def test_a_share_is_from_nothing_to_a_half(prior: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"'prior' parameter must be from 0 to 0\.5"):
        PositiveUnlabelledSigmoid(prior=prior)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_best_bin_is_near_the_share_whatever_else_there_is(share: float) -> None:
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = rng.binomial(2000, share)
        positive, rest = rng.normal(2, 1, 500), rng.normal(-1, 1, 2000 - n)
        found.append(best_bin(positive, np.r_[rng.normal(2, 1, n), rest]))
    assert np.mean(found) == pytest.approx(share, abs=0.03)


def test_of_nothing_the_best_bin_says_none() -> None:
    assert best_bin(np.zeros(0), np.ones(3)) == best_bin(np.ones(3), np.zeros(0)) == 0.0
