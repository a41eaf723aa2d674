"""Gradients of every loss against central differences, and values against their formulas."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit, log_softmax, softmax

from outgroup.heads import HEADS
from outgroup.heads.linear import (
    ExposedSoftmax,
    FocalSigmoid,
    FocalSoftmax,
    LinearSigmoid,
    LinearSoftmax,
    PositiveUnlabelledSigmoid,
)

HEADS_WITH_A_LOSS = [
    LinearSoftmax(),
    LinearSoftmax(class_weight=None),
    LinearSigmoid(),
    LinearSigmoid(class_weight=None),
    ExposedSoftmax(),
    ExposedSoftmax(exposure=3.0),
    PositiveUnlabelledSigmoid(),
    PositiveUnlabelledSigmoid(class_weight=None, prior=0.2),
    PositiveUnlabelledSigmoid(prior=[0.0, 0.3, 0.5]),
    *(cls(gamma=g) for cls in (FocalSoftmax, FocalSigmoid) for g in (0.0, 0.5, 1.0, 2.0, 5.0)),
]
IDS = [f"{head.name}-{head.given()}" for head in HEADS_WITH_A_LOSS]
LOGITS = {
    "usual": 3 * np.random.default_rng(0).normal(size=(6, 6)),
    "large": 50.0 * np.random.default_rng(1).choice([-1, 1], size=(6, 6)),
    "mixed": np.random.default_rng(2).choice([-50.0, -1.0, 0.0, 1.0, 50.0], size=(6, 6)),
}


def test_every_linear_head_is_tested_here() -> None:
    linear = {name for name, cls in HEADS if "strength" in cls.tuned}
    assert linear == {head.name for head in HEADS_WITH_A_LOSS}


def labels(head: Any) -> np.ndarray:
    """Labels of six rows, with negatives where the head takes them."""
    return np.array([0, 1, 2, 1, 0, 2 if "softmax" in head.name.replace("exposed-", "") else -1])


def case(head: Any) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights of two models side by side, the second of which holds rows out."""
    y = labels(head) if head.name != "exposed-softmax" else np.array([0, 1, 2, 1, -1, -1])
    targets, weights = head.targets(y, 3)
    held_out = weights * np.array([1, 0, 1, 1, 0, 1])[:, np.newaxis]
    return np.hstack([targets, targets]), np.hstack([weights, held_out])


@pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS)
@pytest.mark.parametrize("head", HEADS_WITH_A_LOSS, ids=IDS)
def test_the_gradient_of_the_loss_is_that_of_central_differences(
    head: Any, logits: np.ndarray
) -> None:
    targets, weights = case(head)
    slope, step = head.loss(logits, targets, weights)[1], 1e-5
    for i, j in np.ndindex(*logits.shape):
        shift = np.zeros_like(logits)
        shift[i, j] = step
        up, down = (head.loss(logits + s * shift, targets, weights)[0].sum() for s in (1, -1))
        # the difference of two values of about 50 is exact to some 1e-14 / step
        assert slope[i, j] == pytest.approx((up - down) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("head", HEADS_WITH_A_LOSS, ids=IDS)
def test_the_loss_is_finite_for_extreme_logits(head: Any) -> None:
    targets, weights = head.targets(np.array([0, 1]), 2)
    wrong = np.array([[-1e4, 1e4], [1e4, -1e4]])
    value, slope = head.loss(wrong, targets, weights)
    assert 1e3 < value.sum() < 1e5
    assert np.isfinite(slope).all()
    value, slope = head.loss(-wrong, targets, weights)
    assert (value == 0.0).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS)
@pytest.mark.parametrize(
    ("focal", "plain"), [(FocalSoftmax, LinearSoftmax), (FocalSigmoid, LinearSigmoid)]
)
def test_without_gamma_the_focal_loss_is_the_cross_entropy(
    focal: Any, plain: Any, logits: np.ndarray
) -> None:
    targets, weights = case(plain())
    value, slope = focal(gamma=0).loss(logits, targets, weights)
    expected, expected_slope = plain().loss(logits, targets, weights)
    assert value.sum() == pytest.approx(expected.sum(), rel=1e-13)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_losses_match_the_paper(gamma: float) -> None:
    z, y = LOGITS["usual"][:, :3], np.array([0, 1, 2, 1, 0, 2])
    targets, weights = FocalSoftmax().targets(y, 3)
    p = softmax(z, axis=1)[np.arange(6), y]
    expected = (weights[:, 0] * -((1 - p) ** gamma) * np.log(p)).sum()
    assert FocalSoftmax(gamma=gamma).loss(z, targets, weights)[0].sum() == pytest.approx(expected)
    targets, weights = FocalSigmoid().targets(y, 3)
    p = np.where(targets > 0, expit(z), 1 - expit(z))
    expected = (weights * -((1 - p) ** gamma) * np.log(p)).sum()
    assert FocalSigmoid(gamma=gamma).loss(z, targets, weights)[0].sum() == pytest.approx(expected)


def test_outlier_exposure_matches_the_paper() -> None:
    z, y = LOGITS["usual"][:, :3], np.array([0, 1, 1, -1, -1, 2])
    head = ExposedSoftmax(exposure=0.7, class_weight=None)
    log_p = log_softmax(z, axis=1)
    on_known = -np.mean([log_p[i, k] for i, k in enumerate(y) if k >= 0])
    on_negatives = -log_p[y < 0].mean(axis=1).mean()
    assert head.loss(z, *head.targets(y, 3))[0].sum() == pytest.approx(
        on_known + 0.7 * on_negatives
    )


@pytest.mark.parametrize("others", [0, 20])
@pytest.mark.parametrize("head", HEADS_WITH_A_LOSS[4:], ids=IDS[4:])
def test_fit_minimises_the_loss_with_its_penalty(head: Any, others: int) -> None:
    rng = np.random.default_rng(0)
    y = np.r_[np.repeat([0, 1, 2], (30, 20, 10)), np.full(others, -1)]
    if head.name == "focal-softmax":
        y = np.where(y < 0, 2, y)
    X = rng.normal(size=(len(y), 3)) + np.eye(4, 3)[y]
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    targets, weights = head.targets(y, 3)
    strength = 0.05

    def objective(flat: np.ndarray) -> float:
        coef = flat.reshape(4, 3)
        loss = head.loss(Z @ coef[:3] + coef[3], targets, weights)[0].sum()
        return float(loss + strength / 2 * (coef[:3] ** 2).sum())

    best = minimize(
        objective, 0.1 * rng.normal(size=12), method="BFGS", options={"gtol": 1e-7}
    ).x.reshape(4, 3)
    found = type(head)(**{**head.given(), "strength": strength}).fit(X, y).logits(X)
    np.testing.assert_allclose(
        head.probabilities(found), head.probabilities(Z @ best[:3] + best[3]), atol=1e-3
    )
    assert np.abs(approx_fprime(best.ravel(), objective)).max() < 1e-5


@pytest.mark.parametrize("head", HEADS_WITH_A_LOSS[:6], ids=IDS[:6])
def test_fit_minimises_the_loss_with_more_columns_than_rows(head: Any) -> None:
    X = np.random.default_rng(0).normal(size=(24, 100))
    y = np.arange(24) % 3
    fitted = type(head)(**{**head.given(), "strength": 0.1}).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    targets, weights = head.targets(y, 3)
    slope = head.loss(fitted.logits(X), targets, weights)[1]
    np.testing.assert_allclose(Z.T @ slope, -0.1 * fitted.coef[:-1], atol=1e-4)
    np.testing.assert_allclose(slope.sum(axis=0), 0.0, atol=1e-4)


def test_the_loss_of_unlabelled_rows_does_not_fall_below_zero() -> None:
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


def test_the_gradient_is_right_where_the_loss_of_unlabelled_rows_levels_off() -> None:
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
