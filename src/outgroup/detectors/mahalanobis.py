"""Mahalanobis distance to the nearest class mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.base import DETECTORS, FeatureDetector, unit_rows
from outgroup.errors import InvalidParameterError

#: Mean squared distance of unit rows from their class mean that is rounding, not spread.
NO_SPREAD = 1e-24


@DETECTORS.register("mahalanobis")
class Mahalanobis(FeatureDetector):
    """Distance to the nearest class mean of L2-normalised embeddings, one covariance for all.

    ``min_k sqrt((x - m_k)' S^-1 (x - m_k))`` where S is the covariance within classes, shrunk
    towards a multiple of the identity (Ledoit and Wolf 2004) and computed in float64: with thirty
    images a class and 1280 dimensions the plain one can't be inverted.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in the covariance, in (0, 1]; None: Ledoit and Wolf's, from all known
        rows. It is fixed before out-of-fold models are made, because with fewer rows it would be
        larger and their distances smaller than the final model's.

    References
    ----------
    K. Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks, NeurIPS 2018; L2-normalised: M. Mueller and M. Hein, Mahalanobis++, ICML
    2025. O. Ledoit and M. Wolf, J. Multivariate Analysis 88 (2004), 365-411.
    """

    name = "mahalanobis"
    summary = "Mahalanobis distance to the nearest class mean, L2-normalised, Ledoit-Wolf"
    reference = "Lee et al. 2018; Mueller & Hein 2025; Ledoit & Wolf 2004"
    parameters = ("shrinkage",)
    tuned = ("shrinkage",)
    arrays = ("means", "whitening")

    def __init__(self, shrinkage: float | None = None) -> None:
        if shrinkage is not None and not 0.0 < shrinkage <= 1.0:
            raise InvalidParameterError(
                "The 'shrinkage' parameter must be above 0 and at most 1, or None. "
                f"Got {shrinkage!r} instead."
            )
        self.shrinkage = shrinkage
        self.shrinkage_ = shrinkage

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            self.shrinkage_ = _ledoit_wolf(_within_class(unit_rows(X), y)[1])

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> Mahalanobis:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        from scipy.linalg import solve_triangular  # slow to import; prediction does without

        means, residuals = _within_class(unit_rows(X), y)
        shrinkage = _ledoit_wolf(residuals) if self.shrinkage_ is None else self.shrinkage_
        n, d = residuals.shape
        covariance = residuals.T @ residuals / max(n - len(means), 1)
        spread = float(np.trace(covariance)) / d
        if spread * d < NO_SPREAD:  # identical images
            spread = 1.0
        covariance *= 1.0 - shrinkage
        covariance.flat[:: d + 1] += shrinkage * spread
        # With S = L L', |L^-1 (x - m)| is the distance: one triangular product a row.
        lower = np.linalg.cholesky(covariance)
        self.whitening = solve_triangular(lower, np.eye(d), lower=True).T
        self.means = means @ self.whitening
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        Z = unit_rows(X) @ self.whitening
        squares = (Z**2).sum(axis=1)[:, np.newaxis] + (self.means**2).sum(axis=1)
        distances = squares - 2.0 * Z @ self.means.T
        result: NDArray[np.float64] = np.sqrt(np.maximum(distances.min(axis=1), 0.0))
        return result


def _ledoit_wolf(residuals: NDArray[np.float64]) -> float:
    """Return the shrinkage of Ledoit and Wolf (2004, section 3.3) for centred rows.

    Five lines that scikit-learn has too, but it takes longer to import than the rest to compute.
    """
    n, d = residuals.shape
    gram = residuals @ residuals.T if n < d else residuals.T @ residuals  # of one Frobenius norm
    size = float((gram**2).sum()) / n**2
    spread = float((residuals**2).sum()) / n
    distance = size - spread**2 / d
    error = (float(((residuals**2).sum(axis=1) ** 2).sum()) / n - size) / n
    if distance <= 1e-12 * size:  # all directions alike already, or no spread at all
        return 1.0
    return float(np.clip(error / distance, 1e-6, 1.0))


def _within_class(
    X: NDArray[np.float64], y: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    present, index = np.unique(y, return_inverse=True)
    means = np.stack([X[index == k].mean(axis=0) for k in range(len(present))])
    return means, X - means[index]
