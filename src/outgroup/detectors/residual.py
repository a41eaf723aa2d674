"""Distance from the subspace that the known embeddings span."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import bounded
from outgroup.detectors._left_out import typical
from outgroup.detectors._subspace import (
    folds_within,
    left_out_lengths,
    off_subspace,
    principal,
    valid_dimension,
)
from outgroup.detectors.base import DETECTORS, FeatureDetector


@DETECTORS.register("residual")
class Residual(FeatureDetector):
    """``|(I - P P') (x - m)| / s``, P the principal directions of the known rows, m their mean.

    s is the median for known rows by the subspace of others (five folds), so that 1 is as far as a
    known image typically is. The paper takes its origin from a network's last layer; the mean needs
    no such layer.

    Parameters
    ----------
    dimension : int or None, default=None
        How many directions; None: the fewest with 90 % of the variance of all known rows. The
        paper's 512 or 1000 are for a million images.

    References
    ----------
    H. Wang et al., ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022 (section 3).

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [3.0, 0.0], [7.0, 0.0], [9.0, 0.0]])
    >>> detector = Residual(dimension=1).fit(X, np.array([0, 0, 1, 1]))
    >>> detector.other_score(np.array([[20.0, 0.0], [5.0, -2.0]])).round(3)
    array([0., 2.])
    """

    name = "residual"
    summary = "distance from the principal subspace of the known images"
    reference = "Wang et al. 2022"
    parameters = ("dimension",)
    tuned = ("dimension",)
    arrays = ("mean", "directions", "scale")

    def __init__(self, dimension: int | None = None) -> None:
        self.dimension = valid_dimension(dimension)
        self.dimension_ = dimension

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose how many directions."""
        if self.dimension is None:
            Z = bounded(X)
            self.dimension_ = principal(Z - Z.mean(axis=0), None).shape[1]

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> Residual:
        """See `FeatureDetector.fit`; the classes play no part."""
        Z = bounded(X)
        self.mean = Z.mean(axis=0)
        R = Z - self.mean
        self.directions = principal(R, self.dimension_)
        without = left_out_lengths(R, self.directions.shape[1], folds_within(Z), centred=True)
        self.scale = np.array([typical(without, 1e-6 * float(np.abs(R).max(initial=0.0)))])
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        length = off_subspace(bounded(X) - self.mean, self.directions)
        result: NDArray[np.float64] = length / self.scale[0]
        return result
