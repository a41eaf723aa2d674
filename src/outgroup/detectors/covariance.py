"""Shrunk covariances, and distances of known rows by models without the row.

A model is closer to the rows it was fitted to than to new rows, the more so the fewer rows there
are. Distances by out-of-fold models are therefore larger than those by the final model, and a
threshold from them would be too high. So a detector gives its scores in relation to what its own
known rows typically get when they are left out. This needs no second model: without one row, a
covariance changes by a matrix of rank one (J. Sherman and W. J. Morrison, 1950). Only the variance
that the covariance is shrunk towards is not updated, a difference of one part in n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array, require, squared_distances, unit_rows
from outgroup.detectors.base import FeatureDetector

#: Rows that are multiplied at once, which bounds the memory.
BLOCK = 4096

#: Columns of a triangular matrix that are multiplied at once.
PANEL = 160


@dataclass(frozen=True)
class Metric:
    """The inverse of a shrunk covariance S, stored in as many columns as there were rows.

    ``a' S^-1 b`` is ``(a W) . (b W)`` with W = `whitening` (d, q), upper triangular; `isotropic` is
    0. With fewer rows than columns, S differs from a multiple of the identity in as many directions
    as there are rows: then it is ``i a.b - (a W) . (b W)`` with i = `isotropic` above 0, and S is
    never built.
    """

    whitening: Array
    isotropic: float

    @classmethod
    def of(cls, residuals: Array, n_means: int, shrinkage: float, spread: float) -> Metric:
        """Return the metric of rows (n, d) less their means.

        S is ``(1 - shrinkage)`` times the covariance of the residuals plus ``shrinkage * spread``
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
            return cls(scaled.T @ (_inverse_root(gram) / np.sqrt(isotropic)), 1.0 / isotropic)
        covariance = residuals.T @ residuals
        covariance *= weight
        covariance.flat[:: d + 1] += isotropic
        return cls(_inverse_root(covariance), 0.0)

    def dual(self, A: Array) -> Array:
        """Return ``S^-1 a`` for each row a of A (n, d)."""
        result = self.white(A) @ self.whitening.T
        return self.isotropic * A - result if self.isotropic else result

    def squared(self, A: Array, M: Array) -> Array:
        """Return the squared distances (n, m) of rows A (n, d) from rows M (m, d)."""
        result = np.empty((len(A), len(M)))
        for start in range(0, len(A), BLOCK):
            rows = A[start : start + BLOCK]
            result[start : start + BLOCK] = self.squared_white(rows, self.white(rows), M)
        return result

    def white(self, A: Array) -> Array:
        """Return ``A W``, which is most of the work of the other methods."""
        if self.isotropic:
            return A @ self.whitening
        result = np.empty((len(A), self.whitening.shape[1]))
        for start in range(0, result.shape[1], PANEL):
            stop = min(start + PANEL, result.shape[1])  # W is zero below, so half is skipped
            result[:, start:stop] = A[:, :stop] @ self.whitening[:stop, start:stop]
        return result

    def squared_white(self, A: Array, white: Array, M: Array) -> Array:
        """Return `squared` of a few rows, given ``white = A W``."""
        found = squared_distances(white, self.white(M))
        if self.isotropic:
            found = self.isotropic * squared_distances(A, M) - found
        return np.maximum(found, 0.0)

    def lengths(self, A: Array, white: Array | None = None) -> Array:
        """Return ``a' S^-1 a`` for each row a of A (n, d); ``white = A W`` if there is one."""
        white = self.white(A) if white is None else white
        found: Array = (white**2).sum(axis=1)
        if self.isotropic:
            found = self.isotropic * (A**2).sum(axis=1) - found
        return np.maximum(found, 0.0)


@dataclass(frozen=True)
class ClassModel:
    """Gaussian classes with one covariance, shrunk towards a multiple of the identity.

    `means` (K, d) are of the classes that have rows, `index` (n,) is the row in `means` of the
    class of each row, `counts` (K,) the rows of each class. `weight` is that of the product of a
    row with itself in the covariance, `spread` the variance it is shrunk towards, `shrinkage` how
    far.
    """

    metric: Metric
    means: Array
    index: NDArray[np.int64]
    counts: Array
    weight: float
    spread: float
    shrinkage: float

    @classmethod
    def of(
        cls,
        X: Array,
        y: NDArray[np.int64],
        shrinkage: float | None = None,
        spread: float | None = None,
    ) -> ClassModel:
        """Fit to rows (n, d) and their classes; what is None is estimated from these rows."""
        means, residuals = within_class(X, y)
        index = np.unique(y, return_inverse=True)[1]
        share = ledoit_wolf(residuals) if shrinkage is None else shrinkage
        spread = _spread_of(X, residuals, len(means)) if spread is None else spread
        metric = Metric.of(residuals, len(means), share, spread)
        weight = (1.0 - share) / max(len(X) - len(means), 1)
        counts = np.bincount(index).astype(np.float64)
        return cls(metric, means, index, counts, weight, spread, share)

    @property
    def without_one(self) -> float:
        """The factor on squared distances if the covariance is divided by one row less.

        Only the part that is not shrunk changes. Its share in a distance is its share in the
        variance along each direction, on average over all directions.
        """
        d, isotropic = self.means.shape[1], self.shrinkage * self.spread
        inverse = float((self.metric.whitening**2).sum())
        if self.metric.isotropic:
            inverse = d / isotropic - inverse
        unshrunk = 1.0 - isotropic * inverse / d
        n_free = max(float(self.counts.sum()) - len(self.means), 2.0)
        return float(1.0 - unshrunk / n_free)

    def left_out_squares(self, X: Array, *shaped: Array) -> list[Array]:
        """Return squared distances (n, K) of rows from the means, each by a model without the row.

        `X` are the rows (n, d) that the model was fitted to, `shaped` variants of them that are
        measured by the same models; the list has one array for each. Infinite where a class has one
        row only.
        """
        metric, means, counts, fewer = self.metric, self.means, self.counts, self.without_one
        between = metric.squared(means, means)
        results = [np.empty((len(X), len(means))) for _ in range(1 + len(shaped))]
        for start in range(0, len(X), BLOCK):
            block = slice(start, start + BLOCK)
            own, x = self.index[block], X[block]
            at, others = np.arange(len(own)), np.maximum(counts[own] - 1.0, 1.0)
            white = metric.white(x)
            from_x = metric.squared_white(x, white, means)
            h = from_x[at, own]
            factor = self.weight * counts[own] / others
            factor /= np.maximum(1.0 - factor * h, 1e-12)
            for result, rows in zip(results, (X, *shaped), strict=True):
                squares, apart = from_x, np.zeros(len(x))
                if rows is not X:
                    s = rows[block]
                    white_s = metric.white(s)
                    squares = metric.squared_white(s, white_s, means)
                    apart = metric.lengths(x - s, white - white_s)
                # r' S^-1 (s - m_j) with r = x - m_own, from the distances between the four
                along = from_x + (squares[at, own] - apart)[:, np.newaxis] - between[own]
                along *= 0.5
                without = squares + factor[:, np.newaxis] * along**2
                # without x, the mean of its class is r / (n - 1) farther away
                mine = along[at, own]
                back = squares[at, own] + 2.0 * mine / others + h / others**2
                back += factor * (mine + h / others) ** 2
                without[at, own] = np.where(counts[own] > 1, back, np.inf)
                result[block] = fewer * np.maximum(without, 0.0)
        return results


class ShrunkDetector(FeatureDetector):
    """Base of detectors with a shrunk covariance, computed in float64.

    The shrinkage is chosen once, from all known rows, and fixed in every fold: with fewer rows it
    would be larger, and distances smaller.
    """

    parameters: ClassVar[tuple[str, ...]] = ("shrinkage",)
    tuned: ClassVar[tuple[str, ...]] = ("shrinkage",)

    def __init__(self, shrinkage: float | None = None) -> None:
        fine = shrinkage is None or 0.0 < shrinkage <= 1.0
        require(fine, "shrinkage", "above 0 and at most 1, or None", shrinkage)
        self.shrinkage = self.shrinkage_ = shrinkage

    @staticmethod
    def _prepared(X: NDArray[Any]) -> Array:
        """Return the rows that the covariance is of; none of their squares may overflow."""
        return unit_rows(X)

    def _residuals(self, X: NDArray[Any], y: NDArray[np.int64]) -> Array:
        """Return the prepared rows less their means, for `tune`."""
        return within_class(self._prepared(X[y >= 0]), y[y >= 0])[1]

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by the formula of Ledoit and Wolf."""
        if self.shrinkage is None:
            self.shrinkage_ = ledoit_wolf(self._residuals(X, y))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> ShrunkDetector:
        """See `FittedDetector.fit`; without `tune` before, the shrinkage is that of these rows."""
        self.fit_left_out(X, y)
        return self


def within_class(X: Array, y: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the mean of each class that has rows, and each row less the mean of its class."""
    present, index = np.unique(y, return_inverse=True)
    means = np.stack([X[index == k].mean(axis=0) for k in range(len(present))])
    return means, X - means[index]


def ledoit_wolf(residuals: Array) -> float:
    """Return the shrinkage for centred rows (n, d) (Ledoit and Wolf 2004, section 3.3).

    As `sklearn.covariance.ledoit_wolf_shrinkage`, without the import of two seconds, in [1e-6, 1],
    and 1 for rows that are all zero.
    """
    n, d = residuals.shape
    residuals = residuals / (float(np.abs(residuals).max()) or 1.0)  # for the fourth powers
    gram = residuals @ residuals.T if n < d else residuals.T @ residuals  # of equal norm
    size = float((gram**2).sum()) / n**2
    spread = float((residuals**2).sum()) / n
    distance = size - spread**2 / d
    error = (float(((residuals**2).sum(axis=1) ** 2).sum()) / n - size) / n
    if distance <= 1e-12 * size:  # equal variance in all directions, or none
        return 1.0
    return float(np.clip(error / distance, 1e-6, 1.0))


def _spread_of(X: Array, residuals: Array, n_means: int) -> float:
    """Return the mean variance of the columns; 1 where rows differ only by rounding."""
    n, d = residuals.shape
    spread = float((residuals**2).sum()) / max(n - n_means, 1) / d
    return 1.0 if spread * d <= max(1e-24 * float((X**2).sum()) / n, 1e-100) else spread


def _inverse_root(S: Array) -> Array:
    """Return upper triangular W, ``W W'`` the inverse of a positive definite matrix."""
    from scipy.linalg import lapack  # slow to import, not needed for prediction

    # The transpose is what LAPACK's column order makes of the factor: no copy.
    result: Array = lapack.dtrtri(np.linalg.cholesky(S).T)[0]
    return result
