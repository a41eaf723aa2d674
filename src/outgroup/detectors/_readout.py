"""A linear last layer, for the detectors that their papers define on one.

Those papers look at a network whose last layer was trained on the known classes. Here the network
is frozen and a detector sees its embeddings alone, so it fits that layer itself, in closed form:
linear discriminant analysis, whose logits are the log-posteriors of Gaussian classes with one
covariance, shrunk as that of `mahalanobis` is. Unlike a ridge regression on one-hot rows, which
has the same directions (Hastie et al. 2009, section 4.3), it has logits of the size that energies
are made for; unlike a logistic regression it needs no strength to be searched for, and fifty
classes cost what three do. What the softmax does not see is fixed as a penalty on the weights fixes
it: weights and biases add up to zero over the classes, so that an energy is log K where nothing
speaks for any class. With a single class all is zero, and there is nothing to read.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._gaussian import (
    ledoit_wolf,
    spread_of,
    valid_shrinkage,
    whitening,
    within_class,
)
from outgroup.detectors._numeric import bounded, log_sum_exp
from outgroup.detectors.base import FeatureDetector
from outgroup.errors import InvalidParameterError

Array = NDArray[np.float64]


class ReadoutDetector(FeatureDetector):
    """Base of detectors with a linear layer of their own.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in the covariance, in (0, 1]; None: Ledoit and Wolf's, from all known
        rows.
    """

    parameters: ClassVar[tuple[str, ...]] = ("shrinkage",)
    tuned: ClassVar[tuple[str, ...]] = ("shrinkage",)
    arrays: ClassVar[tuple[str, ...]] = ("weights", "bias")

    def __init__(self, shrinkage: float | None = None) -> None:
        self.shrinkage = valid_shrinkage(shrinkage)
        self.shrinkage_ = shrinkage

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose the shrinkage by Ledoit and Wolf's formula."""
        if self.shrinkage is None:
            self.shrinkage_ = ledoit_wolf(within_class(self.prepared(X), y)[1])

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> ReadoutDetector:
        """See `FeatureDetector.fit`; without `tune` before it the shrinkage is this data's own."""
        Z = self.prepared(X)
        means, residuals = within_class(Z, y)
        share = ledoit_wolf(residuals) if self.shrinkage_ is None else self.shrinkage_
        W = whitening(residuals, len(means), share, spread_of(Z, residuals, len(means)))
        centre = means.mean(axis=0)
        white = (means - centre) @ W
        self.weights = W @ white.T
        bias = -0.5 * (white**2).sum(axis=1)
        self.bias = bias - bias.mean() - centre @ self.weights
        self.learn(Z)
        return self

    def prepared(self, X: NDArray[Any]) -> Array:
        """Return the rows that the layer reads."""
        return bounded(X)

    def logits(self, Z: Array) -> Array:
        """Return the layer's (n, K) outputs for prepared rows."""
        result: Array = Z @ self.weights + self.bias
        return result

    def learn(self, Z: Array) -> None:
        """Learn what else the score needs from prepared rows; the layer is there. Nothing here."""


class ShapedEnergy(ReadoutDetector):
    """Base of energies of activations that were changed before the layer reads them.

    The papers take what leaves a ReLU: negative activations count as zero here.

    Parameters
    ----------
    percentile : float
        Percentage of activations that are small, in (0, 100).
    shrinkage : float or None, default=None
        See `ReadoutDetector`.
    """

    parameters = ("percentile", "shrinkage")

    def __init__(self, percentile: float, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        self.percentile = valid_percentile(percentile)

    def prepared(self, X: NDArray[Any]) -> Array:
        """See `ReadoutDetector.prepared`."""
        return np.maximum(bounded(X), 0.0)

    @abstractmethod
    def shaped(self, Z: Array) -> Array:
        """Return the activations that the layer reads instead."""

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        return -log_sum_exp(self.logits(self.shaped(self.prepared(X))))


def valid_percentile(value: float) -> float:
    """Return the value of a parameter that is a percentile, or raise."""
    if not 0.0 < value < 100.0:
        raise InvalidParameterError(
            f"The 'percentile' parameter must be between 0 and 100. Got {value!r} instead."
        )
    return float(value)


def largest(Z: Array, percentile: float) -> NDArray[np.int64]:
    """Return (n, k) the columns of the largest activations of each row, all above the percentile.

    With d columns k is d less ``percentile`` per cent of it, and at least 1.
    """
    d = Z.shape[1]
    k = max(d - int(np.round(d * percentile / 100)), 1)
    # a stable order, so that ties do not depend on the batch
    result: NDArray[np.int64] = np.argsort(-Z, axis=1, kind="stable")[:, :k]
    return result


def sum_ratio(Z: Array, kept: NDArray[np.int64]) -> Array:
    """Return (n, 1) the sum of activations over that of the kept ones; 1 if all are zero."""
    after = np.take_along_axis(Z, kept, axis=1).sum(axis=1, keepdims=True)
    result: Array = np.where(
        after > 0, Z.sum(axis=1, keepdims=True) / np.where(after > 0, after, 1.0), 1.0
    )
    return result
