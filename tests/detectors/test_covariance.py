"""Shrunk covariances, and distances by models without the row against such models one by one."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine, mahalanobis

from outgroup.detectors.covariance import ClassModel, Metric, within_class
from outgroup.detectors.gaussian import WhitenedCosine

RNG = np.random.default_rng(0)
Y = np.arange(40) % 3
SHARE, SPREAD = 0.2, 1.5


def rows(d: int) -> np.ndarray:
    return np.asarray(RNG.normal(size=(40, d)) * np.linspace(1, 3, d) + 2 * np.eye(3, d)[Y] + 1)


def inverse(residuals: np.ndarray, weight: float) -> np.ndarray:
    d = residuals.shape[1]
    covariance = weight * residuals.T @ residuals + SHARE * SPREAD * np.eye(d)
    return np.asarray(np.linalg.inv(covariance))


@pytest.mark.parametrize("d", [5, 39, 40, 41, 90])
def test_the_metric_of_few_rows_is_that_of_the_whole_covariance(d: int) -> None:
    X = rows(d)
    means, residuals = within_class(X, Y)
    metric = Metric.of(residuals, 3, SHARE, SPREAD)
    assert metric.whitening.shape == (d, min(d, 40))
    whole = inverse(residuals, (1 - SHARE) / 37)
    np.testing.assert_allclose(metric.dual(means), means @ whole, rtol=1e-8, atol=1e-10)
    expected = [[mahalanobis(x, m, whole) ** 2 for m in means] for x in X]
    np.testing.assert_allclose(metric.squared(X, means), expected, rtol=1e-8)


@pytest.mark.parametrize("d", [5, 90])
@pytest.mark.parametrize("shaped", [False, True])
def test_left_out_distances_are_those_of_models_without_the_row(d: int, shaped: bool) -> None:
    X = rows(d)
    measured = 1.3 * np.maximum(X, 0) if shaped else X
    expected = []
    for i in range(40):
        rest = np.arange(40) != i
        means, residuals = within_class(X[rest], Y[rest])
        whole = inverse(residuals, (1 - SHARE) / 37)
        expected.append([mahalanobis(measured[i], m, whole) ** 2 for m in means])
    model = ClassModel.of(X, Y, SHARE, SPREAD)
    found = model.left_out_squares(X, *([measured] if shaped else []))[-1]
    np.testing.assert_allclose(found / model.without_one, expected, rtol=1e-8)


@pytest.mark.parametrize("d", [5, 39, 90, 400])
def test_left_out_distances_are_about_those_of_models_fitted_to_one_row_less(d: int) -> None:
    X = rows(d) * np.linspace(1, 0.1, d)
    shrinkage = ClassModel.of(X, Y).shrinkage
    found = ClassModel.of(X, Y).left_out_squares(X)[0]
    expected = np.empty((40, 3))
    for i in range(40):
        rest = np.arange(40) != i
        model = ClassModel.of(X[rest], Y[rest], shrinkage)
        expected[i] = model.metric.squared(X[i : i + 1], model.means)[0]
    assert np.median(found / expected) == pytest.approx(1.0, abs=0.005)


def test_the_distance_from_a_class_without_its_only_row_is_infinite() -> None:
    X, y = rows(5), np.r_[Y[:-1], 3]
    found = ClassModel.of(X, y, SHARE, SPREAD).left_out_squares(X)[0]
    assert np.isinf(found[-1, 3])
    assert np.isfinite(found[:-1]).all()
    assert np.isfinite(found[-1, :3]).all()


@pytest.mark.parametrize("d", [5, 90])
@pytest.mark.parametrize("kind", ["known", "with negatives", "one class"])
def test_the_typical_cosine_is_that_of_models_without_the_row(d: int, kind: str) -> None:
    X = rows(d) / 100 + np.r_[1.0, np.zeros(d - 1)]
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y = {"known": Y, "with negatives": np.r_[Y[:30], np.full(10, -1)], "one class": 0 * Y}[kind]
    spread = (X - X.mean(axis=0)).var(axis=0).mean() * 40 / 39
    expected = []
    for i in np.flatnonzero(y >= 0):
        rest = np.arange(40) != i
        centre = X[rest].mean(axis=0)
        R = X[rest] - centre
        whole = np.linalg.inv(0.8 / 39 * R.T @ R + 0.2 * spread * np.eye(d))
        root = np.linalg.cholesky(whole)
        means = within_class(X[rest & (y >= 0)], y[rest & (y >= 0)])[0]
        # classes keep their shares in the centre, as a new row will find them
        origin = X[y < 0].sum(axis=0) / 40 + sum((y == k).mean() * m for k, m in enumerate(means))
        if kind == "one class":
            origin = 0 * centre
        expected.append(min(cosine((X[i] - origin) @ root, (m - origin) @ root) for m in means))
    detector = WhitenedCosine(0.2).fit(X, y)
    assert detector.scale[0] == pytest.approx(np.median(expected), rel=1e-6)
