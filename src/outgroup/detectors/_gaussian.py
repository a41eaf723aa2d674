"""Shrunk covariances: what the Mahalanobis-like detectors and the linear readout share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.base import FeatureDetector
from outgroup.errors import InvalidParameterError

#: Mean squared distance from the mean, relative to that from zero, that is rounding, not spread.
NO_SPREAD = 1e-24

#: Variance below which squares are no longer told apart from zero.
TINY = 1e-100


class ClassGaussians(FeatureDetector):
    """Base of distances to the nearest class mean, one covariance for all.

    ``min_k sqrt((x - m_k)' S^-1 (x - m_k))`` where S is the covariance within classes, shrunk
    towards a multiple of the identity (Ledoit and Wolf 2004) and computed in float64: with thirty
    images a class and 1280 dimensions the plain one can't be inverted. A subclass says with
    `prepared` what x is.
    """

    parameters = ("shrinkage",)
    tuned = ("shrinkage",)
    arrays = ("means", "whitening")

    def __init__(self, shrinkage: float | None = None) -> None:
        self.shrinkage = valid_shrinkage(shrinkage)
        self.shrinkage_ = shrinkage

    @staticmethod
    def prepared(X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the rows that are measured; none of their squares may overflow."""
        raise NotImplementedError

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            self.shrinkage_ = ledoit_wolf(within_class(self.prepared(X), y)[1])

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> ClassGaussians:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        Z = self.prepared(X)
        means, residuals = within_class(Z, y)
        share = ledoit_wolf(residuals) if self.shrinkage_ is None else self.shrinkage_
        spread = spread_of(Z, residuals, len(means))
        self.whitening = whitening(residuals, len(means), share, spread)
        self.means = means @ self.whitening
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        squares = nearest_squared(self.prepared(X) @ self.whitening, self.means)
        result: NDArray[np.float64] = np.sqrt(squares)
        return result


def valid_shrinkage(value: float | None) -> float | None:
    """Return the value of a parameter that is a shrinkage, or raise what says how it should be."""
    if value is not None and not 0.0 < value <= 1.0:
        raise InvalidParameterError(
            "The 'shrinkage' parameter must be above 0 and at most 1, or None. "
            f"Got {value!r} instead."
        )
    return value


def spread_of(X: NDArray[np.float64], residuals: NDArray[np.float64], n_means: int) -> float:
    """Return the mean variance of the columns of rows X, given them less one of `n_means` means.

    It is 1 where all that differs is rounding: images that are identical.
    """
    n, d = residuals.shape
    spread = float((residuals**2).sum()) / max(n - n_means, 1) / d
    return 1.0 if spread * d <= max(NO_SPREAD * float((X**2).sum()) / n, TINY) else spread


def whitening(
    residuals: NDArray[np.float64], n_means: int, shrinkage: float, spread: float
) -> NDArray[np.float64]:
    """Return W (d, d) so that ``|(x - m) W|`` is the Mahalanobis distance of x from m.

    The covariance is that of the residuals but for a share of `shrinkage`, which is `spread` times
    the identity.
    """
    from scipy.linalg import solve_triangular  # slow to import; prediction does without

    n, d = residuals.shape
    covariance = residuals.T @ residuals / max(n - n_means, 1)
    covariance *= 1.0 - shrinkage
    covariance.flat[:: d + 1] += shrinkage * spread
    # With S = L L', |L^-1 (x - m)| is the distance: one triangular product a row.
    lower = np.linalg.cholesky(covariance)
    result: NDArray[np.float64] = solve_triangular(lower, np.eye(d), lower=True).T
    return result


def nearest_squared(Z: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared Euclidean distance of each row to the nearest of the means."""
    squares = (Z**2).sum(axis=1)[:, np.newaxis] + (means**2).sum(axis=1)
    distances = squares - 2.0 * Z @ means.T
    result: NDArray[np.float64] = np.maximum(distances.min(axis=1), 0.0)
    return result


def ledoit_wolf(residuals: NDArray[np.float64]) -> float:
    """Return the shrinkage of Ledoit and Wolf (2004, section 3.3) for centred rows.

    Five lines that scikit-learn has too, but it takes longer to import than the rest to compute.
    """
    n, d = residuals.shape
    residuals = residuals / (float(np.abs(residuals).max()) or 1.0)  # for fourth powers
    gram = residuals @ residuals.T if n < d else residuals.T @ residuals  # of one Frobenius norm
    size = float((gram**2).sum()) / n**2
    spread = float((residuals**2).sum()) / n
    distance = size - spread**2 / d
    error = (float(((residuals**2).sum(axis=1) ** 2).sum()) / n - size) / n
    if distance <= 1e-12 * size:  # all directions alike already, or no spread at all
        return 1.0
    return float(np.clip(error / distance, 1e-6, 1.0))


def within_class(
    X: NDArray[np.float64], y: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of every class present, and each row less that of its own class."""
    present, index = np.unique(y, return_inverse=True)
    means = np.stack([X[index == k].mean(axis=0) for k in range(len(present))])
    return means, X - means[index]
