"""Relative Mahalanobis distance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import unit_rows
from outgroup.detectors._gaussian import (
    ClassModel,
    Metric,
    ledoit_wolf,
    valid_shrinkage,
    within_class,
)
from outgroup.detectors._left_out import centre_and_scale, left_out_squares
from outgroup.detectors.base import DETECTORS, FeatureDetector
from outgroup.errors import InvalidParameterError


@DETECTORS.register("relative-mahalanobis")
class RelativeMahalanobis(FeatureDetector):
    """Squared Mahalanobis distance to the nearest class less that to everything.

    ``min_k (x - m_k)' S^-1 (x - m_k) - (x - m)' B^-1 (x - m)`` with S the covariance within classes
    and m, B the mean and covariance of the background: the known rows and the negatives, if there
    are any; all known rows as one otherwise. What is odd about every image cancels. Embeddings are
    scaled to length 1 as for `mahalanobis` (the paper takes them as they are). Both covariances get
    the same share of the same multiple of the identity: what is the same in both cancels only if
    both are shrunk alike. The difference is given less its median over known rows left out, over
    their median absolute deviation (see `outgroup.detectors._left_out`).

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in S and in B, in (0, 1]; None: Ledoit and Wolf's for S, from all
        known rows.
    n_background : int or None, default=None
        Of more negatives than these only so many, evenly spaced, are of the background: what is
        kept of it grows with them. None: all.

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
    leaves_out = True
    parameters = ("shrinkage", "n_background")
    tuned = ("shrinkage",)
    arrays = (
        "means",
        "whitening",
        "isotropic",
        "background_mean",
        "background_whitening",
        "background_isotropic",
        "standard",
    )

    def __init__(self, shrinkage: float | None = None, n_background: int | None = None) -> None:
        self.shrinkage = valid_shrinkage(shrinkage)
        self.shrinkage_ = shrinkage
        if n_background is not None and (not isinstance(n_background, int) or n_background < 1):
            raise InvalidParameterError(
                "The 'n_background' parameter must be a positive integer or None. "
                f"Got {n_background!r} instead."
            )
        self.n_background = n_background

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            self.shrinkage_ = ledoit_wolf(within_class(unit_rows(X[y >= 0]), y[y >= 0])[1])

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> RelativeMahalanobis:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        self.fit_left_out(X, y)
        return self

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `FeatureDetector.fit_left_out`."""
        X, y = self._thinned(X, y)
        Z, known = unit_rows(X), y >= 0
        near = ClassModel.of(Z[known], y[known], self.shrinkage_)
        all_one = np.zeros(len(Z), dtype=np.int64)
        far = ClassModel.of(Z, all_one, near.shrinkage, near.spread)
        self.means, self.whitening = near.means, near.metric.whitening
        self.background_mean, self.background_whitening = far.means, far.metric.whitening
        self.isotropic = np.array([near.metric.isotropic])
        self.background_isotropic = np.array([far.metric.isotropic])
        far = replace(far, index=far.index[known])
        without = left_out_squares(near, Z[known])[0].min(axis=1)
        without -= left_out_squares(far, Z[known])[0][:, 0]
        self.standard = centre_and_scale(without)
        result: NDArray[np.float64] = (without - self.standard[0]) / self.standard[1]
        return result

    def _thinned(
        self, X: NDArray[Any], y: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        others = np.flatnonzero(y < 0)
        if self.n_background is None or len(others) <= self.n_background:
            return X, y
        some = np.linspace(0, len(others) - 1, self.n_background).astype(np.int64)
        rows = np.sort(np.concatenate([np.flatnonzero(y >= 0), others[some]]))
        return X[rows], y[rows]

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        Z = unit_rows(X)
        near = Metric(self.whitening, float(self.isotropic[0]))
        far = Metric(self.background_whitening, float(self.background_isotropic[0]))
        background = far.squared(Z, self.background_mean)[:, 0]
        centre, scale = self.standard
        squares = near.squared(Z, self.means).min(axis=1)
        result: NDArray[np.float64] = (squares - background - centre) / scale
        return result
