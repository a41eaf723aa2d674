"""What a model without the row would say, against such models one by one."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine, mahalanobis

from outgroup.detectors import DETECTORS, FeatureDetector
from outgroup.detectors._gaussian import ClassModel, Metric, within_class
from outgroup.detectors._left_out import centre_and_scale, left_out_squares, typical
from outgroup.detectors._subspace import left_out_lengths
from outgroup.detectors.residual import Residual
from outgroup.detectors.whitened_cosine import WhitenedCosine

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
    np.testing.assert_allclose(metric.inner(X, means), X @ whole @ means.T, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(metric.dual(means), means @ whole, rtol=1e-8, atol=1e-10)
    expected = [[mahalanobis(x, m, whole) ** 2 for m in means] for x in X]
    np.testing.assert_allclose(metric.squared(X, means), expected, rtol=1e-8)


@pytest.mark.parametrize("d", [5, 90])
@pytest.mark.parametrize("shaped", [False, True])
def test_distances_by_models_without_the_row(d: int, shaped: bool) -> None:
    X = rows(d)
    measured = 1.3 * np.maximum(X, 0) if shaped else X
    expected = []
    for i in range(40):
        rest = np.arange(40) != i
        means, residuals = within_class(X[rest], Y[rest])
        whole = inverse(residuals, (1 - SHARE) / 37)
        expected.append([mahalanobis(measured[i], m, whole) ** 2 for m in means])
    model = ClassModel.of(X, Y, SHARE, SPREAD)
    found = left_out_squares(model, X, *([measured] if shaped else []))[-1]
    np.testing.assert_allclose(found / model.without_one, expected, rtol=1e-8)


@pytest.mark.parametrize("d", [5, 39, 90, 400])
def test_distances_are_those_of_models_fitted_to_one_row_less(d: int) -> None:
    X = rows(d) * np.linspace(1, 0.1, d)
    shrinkage = ClassModel.of(X, Y).shrinkage
    found = left_out_squares(ClassModel.of(X, Y), X)[0]
    expected = np.empty((40, 3))
    for i in range(40):
        rest = np.arange(40) != i
        model = ClassModel.of(X[rest], Y[rest], shrinkage)
        expected[i] = model.metric.squared(X[i : i + 1], model.means)[0]
    assert np.median(found / expected) == pytest.approx(1.0, abs=0.005)


def test_nothing_is_left_of_a_class_with_a_single_row() -> None:
    X, y = rows(5), np.r_[Y[:-1], 3]
    found = left_out_squares(ClassModel.of(X, y, SHARE, SPREAD), X)[0]
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
        # classes keep their shares in the middle of all, as a new row will find them
        origin = X[y < 0].sum(axis=0) / 40 + sum((y == k).mean() * m for k, m in enumerate(means))
        if kind == "one class":
            origin = 0 * centre
        expected.append(min(cosine((X[i] - origin) @ root, (m - origin) @ root) for m in means))
    detector = WhitenedCosine(0.2).fit(X, y)
    assert detector.scale[0] == pytest.approx(np.median(expected), rel=1e-6)


@pytest.mark.parametrize("d", [5, 15, 30, 90])
@pytest.mark.parametrize("centred", [False, True])
def test_lengths_off_the_subspaces_of_the_other_folds(d: int, centred: bool) -> None:
    X, folds = rows(d), np.arange(40) % 4 - 1
    found = left_out_lengths(X - 1, 3, folds, centred)
    assert np.isnan(found[folds < 0]).all()
    for fold in range(3):
        held, rest = folds == fold, folds != fold
        origin = X[rest].mean(axis=0) if centred else np.ones(d)
        away = np.linalg.svd(X[rest] - origin)[2][3:]
        expected = np.linalg.norm((X[held] - origin) @ away.T, axis=1)
        np.testing.assert_allclose(found[held], expected, rtol=1e-8)


def test_a_residual_is_measured_in_what_is_typical_of_rows_left_out() -> None:
    X = RNG.normal(size=(60, 80)) * np.linspace(2, 0.1, 80)
    detector = Residual(10).fit(X, np.zeros(60, dtype=np.int64))
    new = RNG.normal(size=(2000, 80)) * np.linspace(2, 0.1, 80)
    assert np.median(detector.other_score(X)) < 0.85
    assert np.median(detector.other_score(new)) == pytest.approx(1.0, abs=0.05)


def test_what_is_but_rounding_is_no_scale() -> None:
    assert typical(np.full(5, 1e-9)) == 1.0
    assert typical(np.array([])) == 1.0
    np.testing.assert_array_equal(centre_and_scale(np.full(5, 7.0)), [7.0, 1.0])
    np.testing.assert_array_equal(centre_and_scale(np.array([np.inf, np.nan])), [0.0, 1.0])


@pytest.mark.parametrize("name", [n for n, cls in DETECTORS if "scale" in cls.arrays])
def test_a_new_known_row_is_typically_as_far_as_one(name: str) -> None:
    draw = np.random.default_rng(5).normal
    y = np.arange(60) % 3
    X, new = (draw(size=(n, 150)) + 3 * np.eye(3, 150)[np.arange(n) % 3] for n in (60, 3000))
    detector = DETECTORS.get(name)()
    assert isinstance(detector, FeatureDetector)
    assert np.median(detector.fit(X, y).other_score(new)) == pytest.approx(1.0, abs=0.05)
