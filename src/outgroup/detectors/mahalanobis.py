"""Mahalanobis distance to the nearest class mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import unit_rows
from outgroup.detectors._class_gaussians import ClassGaussians
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("mahalanobis")
class Mahalanobis(ClassGaussians):
    """Distance to the nearest class mean of L2-normalised embeddings, one covariance for all.

    ``min_k sqrt((x - m_k)' S^-1 (x - m_k)) / s`` where S is the covariance within classes, shrunk
    towards a multiple of the identity (Ledoit and Wolf 2004) and computed in float64: with thirty
    images a class and 1280 dimensions the plain one can't be inverted. s is the median of what
    known rows get when they are left out, so that 1 is as far as a known image typically is.

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

    Examples
    --------
    >>> X = np.array([[3.0, 0.1], [2.0, 0.0], [0.0, 1.0], [0.1, 3.0]])
    >>> detector = Mahalanobis(shrinkage=1.0).fit(X, np.array([0, 0, 1, 1]))
    >>> detector.other_score(np.array([[5.0, 0.1], [-1.0, -1.0]])).round(3)
    array([ 0.1  , 55.641])
    """

    name = "mahalanobis"
    summary = "Mahalanobis distance to the nearest class mean, L2-normalised, Ledoit-Wolf"
    reference = "Lee et al. 2018; Mueller & Hein 2025; Ledoit & Wolf 2004"

    @staticmethod
    def prepared(X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the rows scaled to length 1."""
        return unit_rows(X)
