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

How large logits are depends on how many rows there were for how many columns, so they are
multiplied by what makes them as large as rows left out say they ought to be; and a detector's score
is the paper's less its median over known rows left out, over their median absolute deviation: both
in closed form (see `outgroup.detectors._left_out`). Otherwise a threshold from out-of-fold models
does not hold for the final one.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import bounded, log_sum_exp
from outgroup.detectors._gaussian import (
    ClassModel,
    ledoit_wolf,
    valid_shrinkage,
    within_class,
)
from outgroup.detectors._left_out import centre_and_scale, left_out_squares
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
    arrays: ClassVar[tuple[str, ...]] = ("weights", "bias", "standard")

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
        model = ClassModel.of(Z, y, self.shrinkage_)
        centre = model.means.mean(axis=0)
        means = model.means - centre
        self.learn_shape(Z)
        shaped = self.shaped(Z)
        measured = left_out_squares(model, Z) if shaped is Z else left_out_squares(model, Z, shaped)
        size = size_of_logits(measured[0], model.index)
        self.weights = size * model.metric.dual(means).T
        bias = -0.5 * size * model.metric.lengths(means)
        self.bias = bias - bias.mean() - centre @ self.weights
        logits = self.logits(shaped)  # of a row that is a class of its own
        left = np.isfinite(measured[-1]).all(axis=1)
        squares = measured[-1][left]
        logits[left] = -0.5 * size * (squares - squares.mean(axis=1, keepdims=True))
        self.learn(Z, logits)
        self.standard = centre_and_scale(self.left_out(Z, logits)[left])
        return self

    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """See `FeatureDetector.other_score`."""
        Z = self.prepared(X)
        centre, scale = self.standard
        result: Array = (self.raw(Z, self.logits(self.shaped(Z))) - centre) / scale
        return result

    @abstractmethod
    def raw(self, Z: Array, logits: Array) -> Array:
        """Return the (n,) scores of the paper for prepared rows and the logits of shaped ones."""

    def learn_shape(self, Z: Array) -> None:
        """Learn what `shaped` needs. Nothing here."""

    def shaped(self, Z: Array) -> Array:
        """Return what the layer reads instead of prepared rows."""
        return Z

    def left_out(self, Z: Array, logits: Array) -> Array:
        """Return `raw` of the known rows by models without them; the logits are by such."""
        return self.raw(Z, logits)

    def prepared(self, X: NDArray[Any]) -> Array:
        """Return the rows that the layer reads."""
        return bounded(X)

    def logits(self, Z: Array) -> Array:
        """Return the layer's (n, K) outputs for prepared rows."""
        result: Array = Z @ self.weights + self.bias
        return result

    def learn(self, Z: Array, logits: Array) -> None:
        """Learn what else the score needs, by default nothing.

        The layer is there; the logits are those of layers that have not seen the row.
        """


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

    def raw(self, Z: Array, logits: Array) -> Array:
        """Return the energy."""
        return -log_sum_exp(logits)


def valid_percentile(value: float) -> float:
    """Return the value of a parameter that is a percentile, or raise."""
    if not 0.0 < value < 100.0:
        raise InvalidParameterError(
            f"The 'percentile' parameter must be between 0 and 100. Got {value!r} instead."
        )
    return float(value)


def largest(Z: Array, percentile: float) -> NDArray[np.bool_]:
    """Return (n, d) which are the k largest activations of each row, all above the percentile.

    With d columns k is d less ``percentile`` per cent of it, and at least 1; of equal ones the
    first are taken.
    """
    d = Z.shape[1]
    k = max(d - int(np.round(d * percentile / 100)), 1)
    last = np.partition(Z, d - k, axis=1)[:, d - k, np.newaxis]
    above, equal = last < Z, last == Z
    room = k - above.sum(axis=1, keepdims=True)
    tied = equal.sum(axis=1) != room[:, 0]
    equal[tied] &= np.cumsum(equal[tied], axis=1) <= room[tied]
    result: NDArray[np.bool_] = above | equal
    return result


def sum_ratio(Z: Array, kept: NDArray[np.bool_]) -> Array:
    """Return (n, 1) the sum of activations over that of the kept ones; 1 if all are zero."""
    after = np.where(kept, Z, 0.0).sum(axis=1, keepdims=True)
    result: Array = np.where(
        after > 0, Z.sum(axis=1, keepdims=True) / np.where(after > 0, after, 1.0), 1.0
    )
    return result


def size_of_logits(squares: Array, index: NDArray[np.int64]) -> float:
    """Return what log-posteriors are to be multiplied by to be as large as they are sure.

    By how much the logit of a row's own class exceeds another has, if classes are Gaussian and the
    covariance is theirs, a variance of twice its mean. Of rows left out it has not: the fewer rows,
    the larger the logits for what they tell. 1 where that can't be found out.
    """
    mean = variance = 0.0
    for k in range(squares.shape[1]):
        rows = squares[(index == k) & np.isfinite(squares[:, k])]
        ahead = 0.5 * np.delete(rows - rows[:, [k]], k, axis=1)
        if len(rows) > 1:
            mean += ahead.mean(axis=0).sum() * len(rows)
            variance += ahead.var(axis=0).sum() * len(rows)
    return 2.0 * mean / variance if mean > 0 and variance > 0 else 1.0
