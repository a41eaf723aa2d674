"""Distances of embeddings, against the formulas written out."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine, mahalanobis
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from outgroup.detectors.knn import KNearestNeighbours
from outgroup.detectors.knn_ratio import NeighbourRatio
from outgroup.detectors.mahalanobis_raw import MahalanobisRaw
from outgroup.detectors.relative_mahalanobis import RelativeMahalanobis
from outgroup.detectors.residual import Residual
from outgroup.detectors.whitened_cosine import WhitenedCosine
from outgroup.errors import InvalidParameterError
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies.detector import DetectorStrategy

RNG = np.random.default_rng(0)
Y = np.r_[np.arange(60) % 3, np.full(25, -1)]
X = RNG.normal(size=(85, 7)) * np.arange(1, 8) + 4 * np.eye(4, 7)[Y] + 1
KNOWN = Y >= 0
ROWS = RNG.normal(size=(40, 7)) * 6


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def within(rows: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    means = np.stack([rows[y == k].mean(axis=0) for k in range(3)])
    return means, rows - means[y]


def shrunk(scatter: np.ndarray, share: float, target: float) -> np.ndarray:
    return (1 - share) * scatter + share * target * np.eye(len(scatter))


def test_mahalanobis_raw_is_that_of_scipy_with_the_shrinkage_of_scikit_learn() -> None:
    means, residuals = within(X[KNOWN], Y[KNOWN])
    S = residuals.T @ residuals / (60 - 3)
    share = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    inverse = np.linalg.inv(shrunk(S, share, np.trace(S) / 7))
    expected = [min(mahalanobis(row, m, inverse) for m in means) for row in ROWS]
    detector = MahalanobisRaw().fit(X[KNOWN], Y[KNOWN])
    np.testing.assert_allclose(detector.other_score(ROWS) * detector.scale, expected, rtol=1e-9)


def test_lengths_count_in_the_raw_mahalanobis_distance() -> None:
    detector = MahalanobisRaw().fit(X[KNOWN], Y[KNOWN])
    assert (detector.other_score(100 * ROWS) > 10 * detector.other_score(ROWS)).all()


@pytest.mark.parametrize("with_others", [False, True])
def test_relative_mahalanobis_is_a_difference_of_squared_distances(with_others: bool) -> None:
    used = KNOWN | with_others
    Z = unit(X)
    means, residuals = within(Z[KNOWN], Y[KNOWN])
    S = residuals.T @ residuals / (60 - 3)
    B = np.cov(Z[used], rowvar=False)
    share = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    target = np.trace(S) / 7
    near, far = (np.linalg.inv(shrunk(C, share, target)) for C in (S, B))
    centre = Z[used].mean(axis=0)
    expected = [
        min(mahalanobis(row, m, near) ** 2 for m in means) - mahalanobis(row, centre, far) ** 2
        for row in unit(ROWS)
    ]
    detector = RelativeMahalanobis().fit(X[used], Y[used])
    middle, scale = detector.standard
    found = detector.other_score(ROWS) * scale + middle
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_of_many_negatives_only_so_many_are_background() -> None:
    others = np.flatnonzero(~KNOWN)
    spaced = others[np.linspace(0, len(others) - 1, 5).astype(int)]
    used = np.sort(np.r_[np.flatnonzero(KNOWN), spaced])
    some = RelativeMahalanobis(n_background=5).fit(X, Y).other_score(ROWS)
    np.testing.assert_array_equal(
        some, RelativeMahalanobis().fit(X[used], Y[used]).other_score(ROWS)
    )
    enough = RelativeMahalanobis(n_background=len(others)).fit(X, Y).other_score(ROWS)
    np.testing.assert_array_equal(enough, RelativeMahalanobis().fit(X, Y).other_score(ROWS))


@pytest.mark.parametrize("value", [0, -1, 2.5, "all"])
def test_a_background_is_so_many_or_all(value: object) -> None:
    with pytest.raises(InvalidParameterError, match="'n_background' parameter must be a positive"):
        RelativeMahalanobis(n_background=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("with_others", [False, True])
def test_whitened_cosine_is_the_cosine_of_scipy_after_whitening(with_others: bool) -> None:
    used = KNOWN | with_others
    Z = unit(X)
    centre = Z[used].mean(axis=0)
    share = ledoit_wolf_shrinkage(Z[used] - centre, assume_centered=True)
    B = np.cov(Z[used], rowvar=False)
    values, vectors = np.linalg.eigh(shrunk(B, share, np.trace(B) / 7))
    root = vectors / np.sqrt(values) @ vectors.T  # another root of the inverse, the same angles
    means = (within(Z[KNOWN], Y[KNOWN])[0] - centre) @ root
    rows = (unit(ROWS) - centre) @ root
    expected = [min(cosine(row, m) for m in means) for row in rows]
    detector = WhitenedCosine().fit(X[used], Y[used])
    found = detector.other_score(ROWS) * detector.scale
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_single_class_that_is_its_own_background_is_told_from_what_points_elsewhere() -> None:
    one = Y == 0
    scores = WhitenedCosine().fit(X[one], Y[one]).other_score(np.vstack([X[one], -X[one]]))
    assert np.median(scores[:20]) < 0.9 < 1.1 < np.median(scores[20:])


def test_the_shrinkage_of_those_with_a_background_is_fixed_on_all_rows() -> None:
    folds = np.arange(85) % 5
    detector, cosine_ = RelativeMahalanobis(), WhitenedCosine()
    for each in (detector, cosine_):
        each.cross_fit(X, Y, folds)
    Z = unit(X)
    expected = ledoit_wolf_shrinkage(within(Z[KNOWN], Y[KNOWN])[1], assume_centered=True)
    assert detector.frozen().shrinkage == pytest.approx(expected, rel=1e-9)
    expected = ledoit_wolf_shrinkage(Z - Z.mean(axis=0), assume_centered=True)
    assert cosine_.frozen().shrinkage == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_knn_ratio_is_made_of_the_cosine_distances_of_scikit_learn(k: int) -> None:
    def kth(bank: np.ndarray) -> np.ndarray:
        search = NearestNeighbors(n_neighbors=min(k, len(bank)), metric="cosine").fit(bank)
        return np.asarray(search.kneighbors(ROWS)[0][:, -1])

    a, b = kth(X[KNOWN]), kth(X[~KNOWN])
    found = NeighbourRatio(k).fit(X, Y).other_score(ROWS)
    np.testing.assert_allclose(found, a / (a + b), rtol=1e-9)
    alone = NeighbourRatio(k).fit(X[KNOWN], Y[KNOWN]).other_score(ROWS)
    np.testing.assert_array_equal(
        alone, KNearestNeighbours(k).fit(X[KNOWN], Y[KNOWN]).other_score(ROWS)
    )


def test_the_detector_strategy_hands_negatives_to_those_that_learn_from_them() -> None:
    strategy = DetectorStrategy(LinearSoftmax(0.1), NeighbourRatio()).fit({"last": X}, Y)
    expected = NeighbourRatio().fit(X, Y).other_score(ROWS)
    np.testing.assert_array_equal(strategy.score({"last": ROWS}).other_score, expected)
    strategy = DetectorStrategy(LinearSoftmax(0.1), KNearestNeighbours()).fit({"last": X}, Y)
    expected = KNearestNeighbours().fit(X[KNOWN], Y[KNOWN]).other_score(ROWS)
    np.testing.assert_array_equal(strategy.score({"last": ROWS}).other_score, expected)


def test_knn_ratio_on_a_negative_that_equals_a_known_row_is_a_half() -> None:
    row = np.array([[3.0, 4.0]])
    detector = NeighbourRatio(1).fit(np.vstack([row, row]), np.array([0, -1]))
    np.testing.assert_array_equal(detector.other_score(row), [0.5])


@pytest.mark.parametrize("columns", [7, 200])
@pytest.mark.parametrize("dimension", [1, 4])
def test_residual_is_what_the_principal_components_of_scikit_learn_leave(
    columns: int, dimension: int
) -> None:
    mixing = RNG.normal(size=(7, columns))
    known, rows = X[KNOWN] @ mixing, ROWS @ mixing + RNG.normal(size=(40, columns))
    pca = PCA(dimension, svd_solver="full").fit(known)
    expected = np.linalg.norm(rows - pca.inverse_transform(pca.transform(rows)), axis=1)
    detector = Residual(dimension).fit(known, Y[KNOWN])
    np.testing.assert_allclose(detector.other_score(rows) * detector.scale, expected, rtol=1e-9)


@pytest.mark.parametrize("columns", [7, 200])
def test_as_many_directions_as_hold_nine_tenths_of_the_variance(columns: int) -> None:
    known = RNG.normal(size=(60, columns)) * np.linspace(1, 5, columns)
    detector = Residual()
    detector.tune(known, Y[KNOWN])
    assert detector.dimension_ == PCA(0.9, svd_solver="full").fit(known).n_components_


def test_everything_known_is_within_as_many_directions_as_rows() -> None:
    known = RNG.normal(size=(5, 30))
    detector = Residual(dimension=1000).fit(known, np.arange(5))
    assert detector.other_score(known).max() < 1e-9


@pytest.mark.parametrize("bad", [-1, 2.5, "5", True])
def test_the_dimension_must_be_a_whole_number(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="'dimension' parameter must be a whole number"):
        Residual(bad)  # type: ignore[arg-type]
