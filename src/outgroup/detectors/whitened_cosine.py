"""Cosine to the class means in the space where the background is round."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._gaussian import (
    ledoit_wolf,
    spread_of,
    valid_shrinkage,
    whitening,
    within_class,
)
from outgroup.detectors._numeric import unit_rows
from outgroup.detectors.base import DETECTORS, FeatureDetector


@DETECTORS.register("whitened-cosine")
class WhitenedCosine(FeatureDetector):
    """``1 - max_k cos(W'(x - m), W'(m_k - m))`` where W whitens the background of mean m.

    The background is the known rows and the negatives, if there are any, otherwise all known rows
    as one; x is scaled to length 1, the covariance shrunk as that of `mahalanobis` is. Directions
    in which all images vary count little, and what is left of x has to point to a class: this is
    linear discriminant analysis against the world (Hariharan et al. 2012), by angle. A single
    class without negatives is its own background, so that angles are taken from zero instead.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in the covariance, in (0, 1]; None: Ledoit and Wolf's, from all rows.

    References
    ----------
    B. Hariharan, J. Malik and D. Ramanan, Discriminative Decorrelation for Clustering and
    Classification, ECCV 2012.

    Examples
    --------
    >>> X = np.array([[3.0, 0.1], [2.0, 0.0], [0.0, 1.0], [0.1, 3.0], [-1.0, -1.0]])
    >>> detector = WhitenedCosine(shrinkage=1.0).fit(X, np.array([0, 0, 1, 1, -1]))
    >>> scores = detector.other_score(np.array([[5.0, 0.1], [-1.0, -2.0]]))
    >>> bool(scores[0] < 0.1 < 1.0 < scores[1])
    True
    """

    name = "whitened-cosine"
    summary = "cosine distance to the nearest class mean, background whitened"
    reference = "Hariharan et al. 2012"
    learns_from_others = True
    parameters = ("shrinkage",)
    tuned = ("shrinkage",)
    arrays = ("centre", "whitening", "directions")

    def __init__(self, shrinkage: float | None = None) -> None:
        self.shrinkage = valid_shrinkage(shrinkage)
        self.shrinkage_ = shrinkage

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            Z = unit_rows(X)
            self.shrinkage_ = ledoit_wolf(Z - Z.mean(axis=0))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> WhitenedCosine:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        Z = unit_rows(X)
        means = within_class(Z[y >= 0], y[y >= 0])[0]
        mean = Z.mean(axis=0)
        share = ledoit_wolf(Z - mean) if self.shrinkage_ is None else self.shrinkage_
        self.whitening = whitening(Z - mean, 1, share, spread_of(Z, Z - mean, 1))
        alone = len(means) == 1 and bool((y >= 0).all())
        self.centre = np.zeros_like(mean) if alone else mean
        self.directions = unit_rows((means - self.centre) @ self.whitening)
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        cosines = unit_rows((unit_rows(X) - self.centre) @ self.whitening) @ self.directions.T
        result: NDArray[np.float64] = 1.0 - cosines.max(axis=1)
        return result
