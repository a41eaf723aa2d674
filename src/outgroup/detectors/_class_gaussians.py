"""Distances to the nearest class mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._gaussian import (
    ClassModel,
    Metric,
    ledoit_wolf,
    valid_shrinkage,
    within_class,
)
from outgroup.detectors._left_out import left_out_squares, typical
from outgroup.detectors.base import FeatureDetector


class ClassGaussians(FeatureDetector):
    """Base of distances to the nearest class mean, one covariance for all.

    ``min_k sqrt((x - m_k)' S^-1 (x - m_k)) / s`` where S is the covariance within classes, shrunk
    towards a multiple of the identity (Ledoit and Wolf 2004) and computed in float64: with thirty
    images a class and 1280 dimensions the plain one can't be inverted. s is the median of what
    known rows get when each is left out (see `outgroup.detectors._left_out`). A subclass says with
    `prepared` what x is.
    """

    parameters = ("shrinkage",)
    tuned = ("shrinkage",)
    arrays = ("means", "whitening", "isotropic", "scale")
    leaves_out = True

    def __init__(self, shrinkage: float | None = None) -> None:
        self.shrinkage = valid_shrinkage(shrinkage)
        self.shrinkage_ = shrinkage

    @staticmethod
    def prepared(X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the rows that are measured; none of their squares may overflow."""
        raise NotImplementedError

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            self.shrinkage_ = ledoit_wolf(within_class(self.prepared(X), y)[1])

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> ClassGaussians:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        self.fit_left_out(X, y)
        return self

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `FeatureDetector.fit_left_out`."""
        Z = self.prepared(X)
        model = ClassModel.of(Z, y, self.shrinkage_)
        self.means, self.whitening = model.means, model.metric.whitening
        self.isotropic = np.array([model.metric.isotropic])
        distances = np.sqrt(left_out_squares(model, Z)[0].min(axis=1))
        self.scale = np.array([typical(distances)])
        result: NDArray[np.float64] = distances / self.scale[0]
        return result

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        metric = Metric(self.whitening, float(self.isotropic[0]))
        squares = metric.squared(self.prepared(X), self.means).min(axis=1)
        result: NDArray[np.float64] = np.sqrt(squares) / self.scale[0]
        return result
