"""Distance to the k-th nearest known embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.base import DETECTORS, FeatureDetector, unit_rows
from outgroup.errors import InvalidParameterError

#: Rows scored at once: bounds the memory of the similarities to this many times the known rows.
BLOCK = 1024


@DETECTORS.register("knn")
class KNearestNeighbours(FeatureDetector):
    """One minus the cosine similarity to the k-th nearest known embedding.

    Parameters
    ----------
    k : int, default=5
        Which neighbour; with fewer known rows, the farthest of them.

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
    arrays = ("known",)

    def __init__(self, k: int = 5) -> None:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise InvalidParameterError(
                f"The 'k' parameter must be a whole number from 1 up. Got {k!r} instead."
            )
        self.k = int(k)

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> KNearestNeighbours:
        """See `FeatureDetector.fit`; the classes play no part."""
        self.known = unit_rows(X)
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        Z = unit_rows(X)
        k = min(self.k, len(self.known))
        scores = np.empty(len(Z))
        for start in range(0, len(Z), BLOCK):
            similarity = Z[start : start + BLOCK] @ self.known.T
            scores[start : start + BLOCK] = 1.0 - np.partition(similarity, -k, axis=1)[:, -k]
        return scores
