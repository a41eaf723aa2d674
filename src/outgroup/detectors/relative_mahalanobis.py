"""Relative Mahalanobis distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._gaussian import (
    ledoit_wolf,
    nearest_squared,
    spread_of,
    valid_shrinkage,
    whitening,
    within_class,
)
from outgroup.detectors._numeric import unit_rows
from outgroup.detectors.base import DETECTORS, FeatureDetector


@DETECTORS.register("relative-mahalanobis")
class RelativeMahalanobis(FeatureDetector):
    """Squared Mahalanobis distance to the nearest class less that to everything.

    ``min_k (x - m_k)' S^-1 (x - m_k) - (x - m)' B^-1 (x - m)`` with S the covariance within classes
    and m, B the mean and covariance of the background: the known rows and the negatives, if there
    are any; all known rows as one otherwise. What is odd about every image cancels. Embeddings are
    scaled to length 1 as for `mahalanobis` (the paper takes them as they are). Both covariances get
    the same share of the same multiple of the identity: what is the same in both cancels only if
    both are shrunk alike. It can be negative.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in S and in B, in (0, 1]; None: Ledoit and Wolf's for S, from all
        known rows.

    References
    ----------
    J. Ren et al., A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection, ICML 2021
    workshop on Uncertainty and Robustness in Deep Learning, arXiv:2106.09022.

    Examples
    --------
    >>> X = np.array([[3.0, 0.1], [2.0, 0.0], [0.0, 1.0], [0.1, 3.0], [-1.0, -1.0]])
    >>> detector = RelativeMahalanobis(0.5).fit(X, np.array([0, 0, 1, 1, -1]))
    >>> scores = detector.other_score(np.array([[5.0, 0.1], [-1.0, -2.0]]))
    >>> bool(scores[0] < 0 < scores[1])
    True
    """

    name = "relative-mahalanobis"
    summary = "Mahalanobis distance to the nearest class less that to the background"
    reference = "Ren et al. 2021"
    learns_from_others = True
    parameters = ("shrinkage",)
    tuned = ("shrinkage",)
    arrays = ("means", "whitening", "background_mean", "background_whitening")

    def __init__(self, shrinkage: float | None = None) -> None:
        self.shrinkage = valid_shrinkage(shrinkage)
        self.shrinkage_ = shrinkage

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            self.shrinkage_ = ledoit_wolf(within_class(unit_rows(X[y >= 0]), y[y >= 0])[1])

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> RelativeMahalanobis:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        Z, known = unit_rows(X), y >= 0
        means, residuals = within_class(Z[known], y[known])
        share = ledoit_wolf(residuals) if self.shrinkage_ is None else self.shrinkage_
        spread = spread_of(Z[known], residuals, len(means))
        self.whitening = whitening(residuals, len(means), share, spread)
        self.means = means @ self.whitening
        mean = Z.mean(axis=0, keepdims=True)
        self.background_whitening = whitening(Z - mean, 1, share, spread)
        self.background_mean = mean @ self.background_whitening
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        Z = unit_rows(X)
        background = nearest_squared(Z @ self.background_whitening, self.background_mean)
        return nearest_squared(Z @ self.whitening, self.means) - background
