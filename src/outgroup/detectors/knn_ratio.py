"""Distance to the known neighbours against distance to the negatives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import unit_rows
from outgroup.detectors._neighbours import as_share, kth_distance, valid_rank
from outgroup.detectors.base import DETECTORS, FeatureDetector


@DETECTORS.register("knn-ratio")
class NeighbourRatio(FeatureDetector):
    """``a / (a + b)``: a the cosine distance to the k-th nearest known row, b to a negative's.

    From 0, on a known row, to 1, on a negative; 1/2 is as near to both, which is also where an
    image ends up that is far from everything. Without negatives the score is a, that of `knn`.

    Parameters
    ----------
    k : int or float, default=5
        Which neighbour among the known rows; with fewer rows, the farthest of them. Below 1: as a
        share of them, which is what a whole number becomes before out-of-fold models are made.
    k_others : int, float or None, default=None
        The same among the negatives; None: k.

    References
    ----------
    Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022, on the
    distance to the known rows; the ratio to negatives is this library's.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    >>> detector = NeighbourRatio(k=1).fit(X, np.array([0, 0, 1, -1]))
    >>> detector.other_score(np.array([[5.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])).round(3)
    array([0.   , 0.5  , 0.854])
    """

    name = "knn-ratio"
    summary = "cosine distance to the k-th nearest known image against that to a negative"
    reference = "after Sun et al. 2022"
    learns_from_others = True
    leaves_out = True
    parameters = ("k", "k_others")
    tuned = ("k", "k_others")
    arrays = ("known", "others")

    def __init__(self, k: int | float = 5, k_others: int | float | None = None) -> None:
        self.k = self.k_ = valid_rank("k", k)
        self.k_others = None if k_others is None else valid_rank("k_others", k_others)
        self.k_others_ = self.k_others

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Note which shares of the known rows and of the negatives these are."""
        self.k_ = as_share(self.k, int((y >= 0).sum()))
        if (y < 0).any():
            self.k_others_ = as_share(self.k_others or self.k, int((y < 0).sum()))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> NeighbourRatio:
        """See `FeatureDetector.fit`; the classes play no part."""
        Z = unit_rows(X)
        self.known, self.others = Z[y >= 0], Z[y < 0]
        return self

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `FeatureDetector.fit_left_out`."""
        self.fit(X, y)
        return self._ratio(self.known, own=True)

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        return self._ratio(unit_rows(X))

    def _ratio(self, Z: NDArray[np.float64], own: bool = False) -> NDArray[np.float64]:
        known = kth_distance(Z, self.known, self.k_, own)
        if not len(self.others):
            return known
        known = np.maximum(known, 0.0)  # rounding
        both = known + np.maximum(kth_distance(Z, self.others, self.k_others_ or self.k_), 0.0)
        result: NDArray[np.float64] = np.where(both > 0, known / np.where(both > 0, both, 1.0), 0.5)
        return result
