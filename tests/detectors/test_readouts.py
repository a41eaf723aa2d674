"""Detectors with a linear layer of their own, against the formulas written out.

The layer is that of scikit-learn's linear discriminant analysis with the same covariance.
"""

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA

from outgroup.detectors.ash_b import AshB
from outgroup.detectors.fdbd import FastDecisionBoundary
from outgroup.detectors.react import ReAct
from outgroup.detectors.vim import VirtualLogit
from outgroup.errors import InvalidParameterError

RNG = np.random.default_rng(0)
Y = np.arange(90) % 3
CENTRES = 2 * np.abs(RNG.normal(size=(3, 20)))
X = np.maximum(RNG.normal(size=(90, 20)) + CENTRES[Y], 0)
ROWS = np.maximum(2 * RNG.normal(size=(40, 20)) + 1, 0)


def layer() -> tuple[np.ndarray, np.ndarray]:
    means = np.stack([X[k == Y].mean(axis=0) for k in range(3)])
    residuals = X - means[Y]
    share = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    S = residuals.T @ residuals / (90 - 3)
    S = (1 - share) * S + share * np.trace(S) / 20 * np.eye(20)
    weights = np.linalg.solve(S, means.T)
    bias = -0.5 * np.einsum("kd,dk->k", means, weights)
    return weights - weights.mean(axis=1, keepdims=True), bias - bias.mean()


W, B = layer()


def energy(rows: np.ndarray) -> np.ndarray:
    return np.asarray(logsumexp(rows @ W + B, axis=1))


def found(detector: Any) -> np.ndarray:
    return np.asarray(detector.fit(X, Y).other_score(ROWS))


def test_the_layer_gives_the_posteriors_of_gaussian_classes() -> None:
    detector = VirtualLogit().fit(X, Y)
    np.testing.assert_allclose(detector.weights, W, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(detector.bias, B, rtol=1e-8)
    assert ((X @ detector.weights + detector.bias).argmax(axis=1) == Y).mean() > 0.95


@pytest.mark.parametrize("dimension", [1, 5])
def test_vim_is_the_log_odds_of_the_virtual_class(dimension: int) -> None:
    origin = -np.linalg.lstsq(W.T, B, rcond=None)[0]
    vectors = np.linalg.svd(X - origin)[2][dimension:]

    def residual(rows: np.ndarray) -> np.ndarray:
        return np.linalg.norm((rows - origin) @ vectors.T, axis=1)

    alpha = (X @ W + B).max(axis=1).sum() / residual(X).sum()
    logits = np.c_[alpha * residual(ROWS), ROWS @ W + B]
    expected = logits[:, 0] - logsumexp(logits[:, 1:], axis=1)
    np.testing.assert_allclose(found(VirtualLogit(dimension)), expected, rtol=1e-7)


def test_vim_takes_as_many_directions_as_hold_nine_tenths() -> None:
    origin = -np.linalg.lstsq(W.T, B, rcond=None)[0]
    squares = np.linalg.svd(X - origin)[1] ** 2
    detector = VirtualLogit()
    detector.tune(X, Y)
    held = np.cumsum(squares) / squares.sum()
    assert detector.dimension_ == int((held < 0.9).sum()) + 1
    assert detector.dimension_ != PCA(0.9).fit(X).n_components_  # about another origin


def test_fdbd_is_the_mean_distance_to_the_boundaries_over_that_to_the_mean() -> None:
    expected = []
    for row in ROWS:
        z = row @ W + B
        a = int(z.argmax())
        distances = [(z[a] - z[c]) / np.linalg.norm(W[:, a] - W[:, c]) for c in range(3) if c != a]
        expected.append(-np.mean(distances) / np.linalg.norm(row - X.mean(axis=0)))
    np.testing.assert_allclose(found(FastDecisionBoundary()), expected, rtol=1e-7)


def test_react_cuts_activations_at_the_percentile_of_all_known_ones() -> None:
    cut = np.sort(X.ravel())[int(0.8 * (X.size - 1))]
    later = np.sort(X.ravel())[int(0.8 * (X.size - 1)) + 1]
    c = cut + (0.8 * (X.size - 1) % 1) * (later - cut)
    expected = -energy(np.where(c < ROWS, c, ROWS))
    np.testing.assert_allclose(found(ReAct(80.0)), expected, rtol=1e-7)


@pytest.mark.parametrize(("percentile", "k"), [(65.0, 7), (90.0, 2), (99.0, 1)])
def test_shaped_activations_are_those_of_the_paper(percentile: float, k: int) -> None:
    shaped = []
    for row in ROWS:
        threshold = sorted(row)[-k]
        shaped.append(np.where(row >= threshold, row.sum() / k, 0.0))
    np.testing.assert_allclose(found(AshB(percentile)), -energy(np.stack(shaped)), rtol=1e-7)


def test_negative_activations_count_as_zero_where_the_papers_have_a_relu() -> None:
    for cls in (ReAct, AshB):
        detector = cls().fit(X, Y)
        np.testing.assert_array_equal(
            detector.other_score(np.where(ROWS > 0, ROWS, -1.0)), detector.other_score(ROWS)
        )


@pytest.mark.parametrize("bad", [0.0, 100.0, -1.0, float("nan")])
def test_a_percentile_is_between_0_and_100(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="'percentile' parameter must be between"):
        ReAct(bad)
