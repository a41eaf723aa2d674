"""Mahalanobis distance of embeddings as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import bounded
from outgroup.detectors._class_gaussians import ClassGaussians
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("mahalanobis-raw")
class MahalanobisRaw(ClassGaussians):
    """Distance to the nearest class mean of the embeddings as they are, one covariance for all.

    ``min_k sqrt((x - m_k)' S^-1 (x - m_k)) / s`` with S the covariance within classes, shrunk as
    that of `mahalanobis` is, and s the median of what known rows get when they are left out. The
    length of an embedding counts here: a faint one is far from all means.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in the covariance, in (0, 1]; None: Ledoit and Wolf's, from all known
        rows.

    References
    ----------
    K. Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks, NeurIPS 2018. O. Ledoit and M. Wolf, J. Multivariate Analysis 88 (2004),
    365-411.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 9.0], [0.0, 7.0]])
    >>> detector = MahalanobisRaw(shrinkage=1.0).fit(X, np.array([0, 0, 1, 1]))
    >>> detector.other_score(np.array([[2.0, 1.0], [-3.0, -3.0]])).round(3)
    array([0.5  , 2.915])
    """

    name = "mahalanobis-raw"
    summary = "Mahalanobis distance to the nearest class mean, lengths kept, Ledoit-Wolf"
    reference = "Lee et al. 2018; Ledoit & Wolf 2004"

    @staticmethod
    def prepared(X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the rows with their lengths, cut where squares overflow."""
        return bounded(X)
