"""Distance to the k-th nearest known embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import unit_rows
from outgroup.detectors._neighbours import as_share, kth_distance, valid_rank
from outgroup.detectors.base import DETECTORS, FeatureDetector


@DETECTORS.register("knn")
class KNearestNeighbours(FeatureDetector):
    """One minus the cosine similarity to the k-th nearest known embedding.

    Parameters
    ----------
    k : int or float, default=5
        Which neighbour; with fewer known rows, the farthest of them. Below 1: as a share of the
        known rows, which is what a whole number becomes before out-of-fold models are made: they
        have fewer rows, of which the same share lies nearer.

    References
    ----------
    Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    >>> detector = KNearestNeighbours(k=1).fit(X, np.array([0, 0, 1]))
    >>> detector.other_score(np.array([[5.0, 0.0], [-1.0, -1.0]])).round(3)
    array([0.   , 1.707])
    """

    name = "knn"
    summary = "cosine distance to the k-th nearest known image"
    reference = "Sun et al. 2022"
    parameters = ("k",)
    tuned = ("k",)
    arrays = ("known",)
    leaves_out = True

    def __init__(self, k: int | float = 5) -> None:
        self.k = self.k_ = valid_rank("k", k)

    @staticmethod
    def prepared(X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the rows of length 1 that are compared."""
        return unit_rows(X)

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Note which share of the known rows k is."""
        self.k_ = as_share(self.k, len(X))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> KNearestNeighbours:
        """See `FeatureDetector.fit`; the classes play no part."""
        self.known = self.prepared(X)
        return self

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `FeatureDetector.fit_left_out`."""
        self.fit(X, y)
        return kth_distance(self.known, self.known, self.k_, own=True)

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        return kth_distance(self.prepared(X), self.known, self.k_)
