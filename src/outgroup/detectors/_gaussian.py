"""Shrunk covariances: what the Mahalanobis-like detectors and the linear readout share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError

#: Mean squared distance from the mean, relative to that from zero, that is rounding, not spread.
NO_SPREAD = 1e-24

#: Variance below which squares are no longer told apart from zero.
TINY = 1e-100

#: Rows that are multiplied at once.
BLOCK = 4096

#: Columns of a triangular matrix that are multiplied at once.
PANEL = 160


@dataclass(frozen=True)
class Metric:
    """The inverse of a shrunk covariance, as little of it as there are rows.

    ``a' S^-1 b`` is ``(a W) . (b W)``; with fewer rows than columns it is ``i a.b - (a W) . (b W)``
    instead: the covariance differs from a multiple of the identity in as many directions as there
    are rows, so that W has as many columns and nothing of the size of S is ever made.

    Parameters
    ----------
    whitening : ndarray of shape (d, q), float64
        W; upper triangular where `isotropic` is 0.
    isotropic : float
        i; 0 where W alone says it all.
    """

    whitening: NDArray[np.float64]
    isotropic: float

    @classmethod
    def of(
        cls, residuals: NDArray[np.float64], n_means: int, shrinkage: float, spread: float
    ) -> Metric:
        """Return the metric of rows (n, d) less their means.

        The covariance is that of the residuals but for a share of `shrinkage`, which is `spread`
        times the identity.
        """
        n, d = residuals.shape
        weight = (1.0 - shrinkage) / max(n - n_means, 1)
        isotropic = shrinkage * spread
        if n < d:
            # Woodbury: (w R'R + i I)^-1 = (I - R' (RR' + i/w I)^-1 R) / i
            scaled = residuals * np.sqrt(weight / isotropic)
            gram = scaled @ scaled.T
            gram.flat[:: n + 1] += 1.0
            root = _inverse_root(gram)
            return cls(scaled.T @ (root / np.sqrt(isotropic)), 1.0 / isotropic)
        covariance = residuals.T @ residuals
        covariance *= weight
        covariance.flat[:: d + 1] += isotropic
        return cls(_inverse_root(covariance), 0.0)

    def inner(self, A: NDArray[np.float64], B: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``a' S^-1 b`` for each row a of A (n, d) and b of B (m, d)."""
        products: NDArray[np.float64] = self.white(A) @ self.white(B).T
        return self.isotropic * (A @ B.T) - products if self.isotropic else products

    def dual(self, A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``S^-1 a`` for each row a of A (n, d)."""
        result: NDArray[np.float64] = self.white(A) @ self.whitening.T
        return self.isotropic * A - result if self.isotropic else result

    def squared(self, A: NDArray[np.float64], M: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squared distance of each row of A (n, d) from each of M (m, d)."""
        result = np.empty((len(A), len(M)))
        for start in range(0, len(A), BLOCK):
            rows = A[start : start + BLOCK]
            result[start : start + BLOCK] = self.squared_white(rows, self.white(rows), M)
        return result

    def white(self, A: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``A W``, which is most of the work of all else."""
        if self.isotropic:
            return A @ self.whitening
        result = np.empty((len(A), self.whitening.shape[1]))
        for start in range(0, result.shape[1], PANEL):
            stop = min(start + PANEL, result.shape[1])  # below it W is zero: half is not computed
            result[:, start:stop] = A[:, :stop] @ self.whitening[:stop, start:stop]
        return result

    def squared_white(
        self, A: NDArray[np.float64], white: NDArray[np.float64], M: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return `squared` of a few rows of which ``A W`` is there."""
        found = squared_distances(white, self.white(M))
        if self.isotropic:
            found = self.isotropic * squared_distances(A, M) - found
        return np.maximum(found, 0.0)

    def lengths(
        self, A: NDArray[np.float64], white: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return ``a' S^-1 a`` for each row a of A (n, d), of which ``A W`` may be there."""
        white = self.white(A) if white is None else white
        found = (white**2).sum(axis=1)
        if self.isotropic:
            found = self.isotropic * (A**2).sum(axis=1) - found
        result: NDArray[np.float64] = np.maximum(found, 0.0)
        return result


@dataclass(frozen=True)
class ClassModel:
    """Classes with one covariance, shrunk towards a multiple of the identity.

    Parameters
    ----------
    metric : Metric
        Of the rows less the means of their classes.
    means : ndarray of shape (K, d), float64
        Means of the classes that have rows.
    index : ndarray of shape (n,), int64
        Which mean is that of each row.
    counts : ndarray of shape (K,), float64
        How many rows each class has.
    weight : float
        Share of the product of a row with itself in the covariance.
    spread : float
        The variance that the covariance is shrunk to.
    shrinkage : float
        How far it is shrunk.
    """

    metric: Metric
    means: NDArray[np.float64]
    index: NDArray[np.int64]
    counts: NDArray[np.float64]
    weight: float
    spread: float
    shrinkage: float

    @classmethod
    def of(
        cls,
        X: NDArray[np.float64],
        y: NDArray[np.int64],
        shrinkage: float | None = None,
        spread: float | None = None,
    ) -> ClassModel:
        """Learn from rows (n, d) and their classes; None: by Ledoit and Wolf, and these rows'."""
        means, residuals = within_class(X, y)
        index = np.unique(y, return_inverse=True)[1]
        share = ledoit_wolf(residuals) if shrinkage is None else shrinkage
        spread = spread_of(X, residuals, len(means)) if spread is None else spread
        metric = Metric.of(residuals, len(means), share, spread)
        weight = (1.0 - share) / max(len(X) - len(means), 1)
        counts = np.bincount(index).astype(np.float64)
        return cls(metric, means, index, counts, weight, spread, share)

    @property
    def without_one(self) -> float:
        """By how much squared distances are smaller where sums are divided by one row less.

        Of the covariance that is the part that is not shrunk, and of a distance what this part is
        of the variance along each direction, on average over all directions.
        """
        d, isotropic = self.means.shape[1], self.shrinkage * self.spread
        inverse = float((self.metric.whitening**2).sum())
        if self.metric.isotropic:
            inverse = d / isotropic - inverse
        unshrunk = 1.0 - isotropic * inverse / d
        n_free = max(float(self.counts.sum()) - len(self.means), 2.0)
        return float(1.0 - unshrunk / n_free)


def squared_distances(A: NDArray[np.float64], M: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared Euclidean distance of each row of A from each of M."""
    squares = (A**2).sum(axis=1)[:, np.newaxis] + (M**2).sum(axis=1)
    result: NDArray[np.float64] = squares - 2.0 * A @ M.T
    return result


def _inverse_root(S: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return upper triangular W: ``W W'`` is the inverse of a positive definite matrix."""
    from scipy.linalg import lapack  # slow to import; prediction does without

    # Of S = L L' the transposed factor, as LAPACK has columns where NumPy has rows: no copy.
    result: NDArray[np.float64] = lapack.dtrtri(np.linalg.cholesky(S).T)[0]
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
