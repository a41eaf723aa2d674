"""Distances and angles from class means, against the formulas written out."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine, mahalanobis
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

from outgroup.detectors.gaussian import (
    Mahalanobis,
    MahalanobisRaw,
    RelativeMahalanobis,
    WhitenedCosine,
)
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import auroc

RNG = np.random.default_rng(0)
Y = np.r_[np.arange(60) % 3, np.full(25, -1)]
X = RNG.normal(size=(85, 7)) * np.arange(1, 8) + 4 * np.eye(4, 7)[Y] + 1
KNOWN = Y >= 0
ROWS = RNG.normal(size=(40, 7)) * 6


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def few_rows_many_dimensions(
    d: int = 1280,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return X and y of thirty images of each of two classes, known rows and unknown rows.

    All images vary along a few common directions, and only a little elsewhere. The unknown rows
    differ where the known ones hardly vary.
    """
    rng = np.random.default_rng(2)
    common = rng.normal(size=(20, d))

    def draw(n: int, shift: np.ndarray) -> np.ndarray:
        rows = 5.0 + shift + rng.normal(size=(n, 20)) @ common + 0.3 * rng.normal(size=(n, d))
        return rows.astype(np.float32)

    centres = 2 * rng.normal(size=(2, 20)) @ common
    y = np.repeat([0, 1], 30)
    X = np.vstack([draw(30, c) for c in centres])
    known = np.vstack([draw(100, c) for c in centres])
    return X, y, known, draw(200, centres.mean(axis=0) + 0.3 * rng.normal(size=d))


def test_mahalanobis_is_the_direct_formula_in_double_precision() -> None:
    X, y, known, other = few_rows_many_dimensions(d=300)
    Z = unit(X.astype(np.float64))
    means = np.stack([Z[y == k].mean(axis=0) for k in (0, 1)])
    residuals = Z - means[y]
    # scikit-learn divides by n instead of n - K, and the shrunk covariance is linear in that
    fit = LedoitWolf(assume_centered=True).fit(residuals)
    covariance = fit.covariance_ * len(X) / (len(X) - 2)
    rows = unit(np.vstack([known, other]).astype(np.float64))
    differences = rows[:, np.newaxis] - means
    squares = np.einsum("nkd,nkd->nk", differences @ np.linalg.inv(covariance), differences)
    detector = Mahalanobis().fit(X, y)
    found = detector.other_score(np.vstack([known, other])) * detector.scale
    np.testing.assert_allclose(found, np.sqrt(squares.min(axis=1)), rtol=1e-8)


def test_thirty_images_in_1280_dimensions_are_enough() -> None:
    X, y, known, other = few_rows_many_dimensions()
    detector = Mahalanobis().fit(X, y)
    assert auroc(detector.other_score(known), detector.other_score(other)) > 0.99

    # without shrinkage, in the precision of the embeddings, it is no better than chance
    residuals = X - np.stack([X[y == k].mean(axis=0) for k in (0, 1)])[y]
    precision = np.linalg.pinv(np.cov(residuals, rowvar=False).astype(np.float32))
    means = [X[y == k].mean(axis=0) for k in (0, 1)]

    def plain(rows: np.ndarray) -> np.ndarray:
        return np.min([np.einsum("nd,nd->n", (rows - m) @ precision, rows - m) for m in means], 0)

    assert auroc(plain(known), plain(other)) < 0.9


def test_the_shrinkage_is_chosen_from_all_known_rows_and_fixed_in_each_fold() -> None:
    X, y, _, _ = few_rows_many_dimensions(d=300)
    detector = Mahalanobis()
    detector.cross_fit(X, y, np.arange(len(y)) % 5)
    Z = unit(X.astype(np.float64))
    residuals = Z - np.stack([Z[y == k].mean(axis=0) for k in (0, 1)])[y]
    expected = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    assert detector.shrinkage_ == pytest.approx(expected, rel=1e-9)
    assert detector.frozen().shrinkage == detector.shrinkage_


def test_with_full_shrinkage_it_is_the_euclidean_distance_to_the_nearest_mean() -> None:
    rng = np.random.default_rng(3)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 5)) + 4 * np.eye(2, 5)[y]
    rows = rng.normal(size=(30, 5))
    means = np.stack([unit(X)[y == k].mean(axis=0) for k in (0, 1)])
    euclidean = np.linalg.norm(unit(rows)[:, np.newaxis] - means, axis=2).min(axis=1)
    found = Mahalanobis(shrinkage=1.0).fit(X, y).other_score(rows)
    np.testing.assert_allclose(found / found[0], euclidean / euclidean[0], rtol=1e-9)


def test_the_length_of_a_row_plays_no_part_however_extreme() -> None:
    rng = np.random.default_rng(3)
    X, y, rows = rng.normal(size=(40, 5)) + 1, np.arange(40) % 2, rng.normal(size=(9, 5))
    detector = Mahalanobis().fit(X, y)
    expected = detector.other_score(rows)
    for length in (1e-250, 1e-3, 1e3, 1e250):
        np.testing.assert_allclose(detector.other_score(rows * length), expected, rtol=1e-9)


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.5, float("nan")])
def test_the_shrinkage_must_be_a_share_above_zero(bad: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `shrinkage`: must be above 0"):
        Mahalanobis(bad)


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


def test_the_raw_mahalanobis_distance_depends_on_the_length_of_a_row() -> None:
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


def test_the_background_has_a_limited_number_of_evenly_spaced_negatives() -> None:
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
def test_the_size_of_the_background_must_be_a_whole_number(value: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `n_background`: must be a whole"):
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


def test_a_single_class_without_negatives_is_told_from_rows_of_another_direction() -> None:
    one = Y == 0
    scores = WhitenedCosine().fit(X[one], Y[one]).other_score(np.vstack([X[one], -X[one]]))
    assert np.median(scores[:20]) < 0.9 < 1.1 < np.median(scores[20:])


def test_with_a_background_the_shrinkage_is_chosen_from_all_rows() -> None:
    folds = np.arange(85) % 5
    detector, cosine_ = RelativeMahalanobis(), WhitenedCosine()
    for each in (detector, cosine_):
        each.cross_fit(X, Y, folds)
    Z = unit(X)
    expected = ledoit_wolf_shrinkage(within(Z[KNOWN], Y[KNOWN])[1], assume_centered=True)
    assert detector.frozen().shrinkage == pytest.approx(expected, rel=1e-9)
    expected = ledoit_wolf_shrinkage(Z - Z.mean(axis=0), assume_centered=True)
    assert cosine_.frozen().shrinkage == pytest.approx(expected, rel=1e-9)
