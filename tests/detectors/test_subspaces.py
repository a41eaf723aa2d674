"""Distances from principal subspaces, against the principal components of scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from outgroup.detectors.subspaces import Residual, left_out_lengths
from outgroup.errors import InvalidParameterError

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = RNG.normal(size=(60, 7)) * np.arange(1, 8) + 4 * np.eye(3, 7)[Y] + 1
ROWS = RNG.normal(size=(40, 7)) * 6


@pytest.mark.parametrize("columns", [7, 200])
@pytest.mark.parametrize("dimension", [1, 4])
def test_residual_is_the_distance_from_the_principal_components_of_scikit_learn(
    columns: int, dimension: int
) -> None:
    mixing = RNG.normal(size=(7, columns))
    known, rows = X @ mixing, ROWS @ mixing + RNG.normal(size=(40, columns))
    pca = PCA(dimension, svd_solver="full").fit(known)
    expected = np.linalg.norm(rows - pca.inverse_transform(pca.transform(rows)), axis=1)
    detector = Residual(dimension).fit(known, Y)
    np.testing.assert_allclose(detector.other_score(rows) * detector.scale, expected, rtol=1e-9)


@pytest.mark.parametrize("columns", [7, 200])
def test_the_default_dimension_holds_nine_tenths_of_the_variance(columns: int) -> None:
    known = RNG.normal(size=(60, columns)) * np.linspace(1, 5, columns)
    detector = Residual()
    detector.tune(known, Y)
    assert detector.dimension_ == PCA(0.9, svd_solver="full").fit(known).n_components_


def test_known_rows_are_within_as_many_directions_as_rows() -> None:
    known = RNG.normal(size=(5, 30))
    detector = Residual(dimension=1000).fit(known, np.arange(5))
    assert detector.other_score(known).max() < 1e-9


@pytest.mark.parametrize("bad", [-1, 2.5, "5", True])
def test_the_dimension_must_be_a_whole_number(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `dimension`: must be a whole number"):
        Residual(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("d", [5, 15, 30, 90])
@pytest.mark.parametrize("centred", [False, True])
def test_left_out_lengths_are_those_by_subspaces_of_other_folds(d: int, centred: bool) -> None:
    X = RNG.normal(size=(40, d)) * np.linspace(1, 3, d) + 1
    folds = np.arange(40) % 4 - 1
    found = left_out_lengths(X - 1, 3, folds, centred)
    assert np.isnan(found[folds < 0]).all()
    for fold in range(3):
        held, rest = folds == fold, folds != fold
        origin = X[rest].mean(axis=0) if centred else np.ones(d)
        away = np.linalg.svd(X[rest] - origin)[2][3:]
        expected = np.linalg.norm((X[held] - origin) @ away.T, axis=1)
        np.testing.assert_allclose(found[held], expected, rtol=1e-8)


def test_a_new_row_typically_has_a_residual_of_one_and_a_known_row_less() -> None:
    X = RNG.normal(size=(60, 80)) * np.linspace(2, 0.1, 80)
    detector = Residual(10).fit(X, np.zeros(60, dtype=np.int64))
    new = RNG.normal(size=(2000, 80)) * np.linspace(2, 0.1, 80)
    assert np.median(detector.other_score(X)) < 0.85
    assert np.median(detector.other_score(new)) == pytest.approx(1.0, abs=0.05)
