"""Detectors with a linear layer of their own, against the formulas written out.

The layer is linear discriminant analysis with the covariance of scikit-learn's Ledoit-Wolf.
"""

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA

from outgroup.detectors.activations import AshB, AshS, ReAct, Scale, largest
from outgroup.detectors.linear_readout import (
    FastDecisionBoundary,
    NearestNeighbourGuide,
    NeuralCollapse,
    size_of_logits,
)
from outgroup.detectors.subspaces import VirtualLogit
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
    """Return the scores of the paper, of a layer whose logits are not scaled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("outgroup.detectors.linear_readout.size_of_logits", lambda *_: 1.0)
        scores = detector.fit(X, Y).other_score(ROWS)
    middle, scale = detector.standard
    return np.asarray(scores * scale + middle)


def test_the_layer_gives_the_posteriors_of_gaussian_classes() -> None:
    detector = VirtualLogit().fit(X, Y)
    size = detector.weights[0, 0] / W[0, 0]
    np.testing.assert_allclose(detector.weights, size * W, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(detector.bias, size * B, rtol=1e-8)
    assert 0.5 < size < 2.0
    assert ((X @ detector.weights + detector.bias).argmax(axis=1) == Y).mean() > 0.95


@pytest.mark.parametrize("dimension", [1, 5])
def test_vim_is_the_log_odds_of_the_virtual_class(dimension: int) -> None:
    origin = -np.linalg.lstsq(W.T, B, rcond=None)[0]
    vectors = np.linalg.svd(X - origin)[2][dimension:]

    def residual(rows: np.ndarray) -> np.ndarray:
        return np.linalg.norm((rows - origin) @ vectors.T, axis=1)

    detector = VirtualLogit(dimension)
    scores = found(detector)
    logits = np.c_[detector.alpha * residual(ROWS), ROWS @ W + B]
    expected = logits[:, 0] - logsumexp(logits[:, 1:], axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-7)
    # training rows have larger logits and smaller residuals than new rows
    seen = (X @ W + B).max(axis=1).sum() / residual(X).sum()
    assert 0.7 * seen < detector.alpha < seen


def test_the_default_dimension_of_vim_holds_nine_tenths_of_the_squared_lengths() -> None:
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


def test_nci_is_the_projection_on_the_weights_and_the_length() -> None:
    expected = []
    for row in ROWS:
        centred = row - X.mean(axis=0)
        w = W[:, int((row @ W + B).argmax())]
        expected.append(-w @ centred / np.linalg.norm(centred) - 0.01 * np.abs(row).sum())
    np.testing.assert_allclose(found(NeuralCollapse(alpha=0.01)), expected, rtol=1e-7)


@pytest.mark.parametrize("k", [1, 10, 500])
def test_nnguide_is_the_energy_times_the_mean_of_the_largest_similarities(k: int) -> None:
    detector = NearestNeighbourGuide(k)
    scores = found(detector)
    # the length of a row of the bank is its energy by a layer without the row
    np.testing.assert_allclose(
        detector.bank / np.linalg.norm(detector.bank, axis=1, keepdims=True),
        X / np.linalg.norm(X, axis=1, keepdims=True),
        rtol=1e-9,
        atol=1e-12,
    )
    energies = np.linalg.norm(detector.bank, axis=1)
    assert energies.mean() < energy(X).mean()
    assert np.corrcoef(energies, energy(X))[0, 1] > 0.9
    similar = np.sort(ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True) @ detector.bank.T, axis=1)
    expected = -similar[:, ::-1][:, :k].mean(axis=1) * energy(ROWS)
    np.testing.assert_allclose(scores, expected, rtol=1e-7)


def test_react_cuts_activations_at_the_percentile_of_all_known_ones() -> None:
    cut = np.sort(X.ravel())[int(0.8 * (X.size - 1))]
    later = np.sort(X.ravel())[int(0.8 * (X.size - 1)) + 1]
    c = cut + (0.8 * (X.size - 1) % 1) * (later - cut)
    expected = -energy(np.where(c < ROWS, c, ROWS))
    np.testing.assert_allclose(found(ReAct(80.0)), expected, rtol=1e-7)


@pytest.mark.parametrize(("percentile", "k"), [(65.0, 7), (90.0, 2), (99.0, 1)])
@pytest.mark.parametrize("cls", [AshB, AshS, Scale])
def test_changed_activations_are_those_of_the_papers(cls: Any, percentile: float, k: int) -> None:
    shaped = []
    for row in ROWS:
        threshold = sorted(row)[-k]
        kept = np.array([v if v >= threshold else 0.0 for v in row])
        shaped.append(
            {
                AshB: np.where(kept > 0, row.sum() / k, 0.0),
                AshS: kept * np.exp(row.sum() / kept.sum()),
                Scale: row * np.exp(row.sum() / kept.sum()),
            }[cls]
        )
    np.testing.assert_allclose(found(cls(percentile)), -energy(np.stack(shaped)), rtol=1e-7)


def test_of_equal_activations_the_first_ones_are_kept() -> None:
    Z = np.array([[1.0, 2.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [4.0, 3.0, 2.0, 1.0]])
    expected = [[True, True, False, False], [True, True, False, False], [True, True, False, False]]
    np.testing.assert_array_equal(largest(Z, 50.0), expected)


def test_negative_activations_count_as_zero_for_detectors_of_the_output_of_a_relu() -> None:
    for cls in (ReAct, AshB, AshS, Scale):
        detector = cls().fit(X, Y)
        np.testing.assert_array_equal(
            detector.other_score(np.where(ROWS > 0, ROWS, -1.0)), detector.other_score(ROWS)
        )


@pytest.mark.parametrize("bad", [0.0, 100.0, -1.0, float("nan")])
def test_a_percentile_must_be_between_0_and_100(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `percentile`: must be between"):
        ReAct(bad)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_alpha_must_be_a_number_from_0_up(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `alpha`: must be a number from 0"):
        NeuralCollapse(bad)


def test_logits_that_are_too_large_for_gaussian_classes_are_scaled_down() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(60_000) % 3
    centres = 2 * rng.normal(size=(3, 4))
    rows = rng.normal(size=(60_000, 4)) + centres[y]
    squares = ((rows[:, np.newaxis] - centres) ** 2).sum(axis=2)
    assert size_of_logits(squares, y) == pytest.approx(1.0, rel=0.02)
    assert size_of_logits(5.0 * squares, y) == pytest.approx(0.2, rel=0.02)


def test_logits_are_smaller_when_there_are_few_rows_for_many_columns() -> None:
    rng = np.random.default_rng(2)
    centres = 0.4 * rng.normal(size=(3, 200))
    y = np.arange(300) % 3
    rows = rng.normal(size=(300, 200)) + centres[y]
    new = rng.normal(size=(3000, 200)) + centres[np.arange(3000) % 3]
    sizes = []
    for n in (60, 120, 300):
        detector = FastDecisionBoundary().fit(rows[:n], y[:n])
        ahead = np.sort(new @ detector.weights + detector.bias, axis=1)
        sizes.append((ahead[:, 2] - ahead[:, 1]).mean())
    assert sizes[0] < sizes[1] < sizes[2] < 40  # the more rows, the more certain
