"""The interface of a head, and what all heads share."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from outgroup._component import OTHER as OTHER
from outgroup._component import UNSEEN as UNSEEN
from outgroup._component import Component
from outgroup._numeric import Array
from outgroup._registry import Registry

Labels = NDArray[np.int64]


class Head(Component, ABC):
    """A classifier on embeddings of any floating dtype.

    ``y`` holds class indices from 0 and `OTHER` for negatives; in `cross_fit` also `UNSEEN` for
    rows that are scored but not learned from. `LinearSigmoid` also takes a matrix of labels.
    """

    @abstractmethod
    def cross_fit(self, X: NDArray[Any], y: Labels, folds: Labels) -> Array:
        """Choose the parameters left at None, and return out-of-fold logits (n, K), float64.

        A row is scored by the model that learned from all other folds. Unseen rows have a fold of
        their own.
        """

    @abstractmethod
    def fit(self, X: NDArray[Any], y: Labels) -> Head:
        """Learn from all rows, with parameters set by `cross_fit` or the constructor."""

    @abstractmethod
    def logits(self, X: NDArray[Any]) -> Array:
        """Return unbounded class scores of shape (n, K)."""

    @staticmethod
    @abstractmethod
    def probabilities(logits: Array) -> Array:
        """Map logits to scores in [0, 1] of the same shape."""


class SoftmaxHead(Head):
    """A head with one softmax over the classes. It cannot learn from negatives."""

    probabilities = staticmethod(partial(softmax, axis=1))


class ExposedHead(Head):
    """A head with one softmax over the classes that learns to be uncertain on negatives."""

    probabilities = staticmethod(partial(softmax, axis=1))


class SigmoidHead(Head):
    """A head with one sigmoid per class. Negatives are rows without any class."""

    probabilities = staticmethod(expit)


HEADS: Registry[Head] = Registry("head", "outgroup.heads")


class GivenSoftmax(SoftmaxHead, SigmoidHead, ExposedHead):
    """Pass on the logits of a network that is already trained; fits every strategy with a head.

    The network has not learned from the rows it scores, so no logits need cross-fitting.
    """

    name = "given"
    summary = "logits of your own network"

    def cross_fit(self, X: NDArray[Any], y: Labels, folds: Labels) -> Array:
        """Return the logits unchanged."""
        return self.logits(X)

    def fit(self, X: NDArray[Any], y: Labels) -> GivenSoftmax:
        """Learn nothing."""
        return self

    def logits(self, X: NDArray[Any]) -> Array:
        """Return the logits unchanged."""
        return np.asarray(X, dtype=np.float64)


class GivenSigmoid(GivenSoftmax):
    """Pass on the logits of a trained network with one sigmoid per class."""

    probabilities = staticmethod(expit)


class StandardisedHead(Head):
    """A head that standardises the columns of its input by the training rows."""

    mean: Array
    scale: Array

    def standardise(self, X: NDArray[Any]) -> NDArray[Any]:
        """Set `mean` and `scale`, and return the standardised rows in the dtype of `X`."""
        self.mean, self.scale = X.mean(axis=0, dtype=np.float64), np.ones(X.shape[1])
        Z = self.scaled(X)
        scale = np.sqrt(np.square(Z).mean(axis=0, dtype=np.float64))
        # Divided by its own scale, a nearly constant column would be noise: it stays small.
        typical = float(np.sqrt((scale**2).mean())) or 1.0
        self.scale = np.where(scale > 1e-3 * typical, scale, typical)
        Z /= self.scale.astype(X.dtype)
        return Z

    def scaled(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return rows standardised by `mean` and `scale` in the dtype of `X`."""
        Z: NDArray[Any] = X - self.mean.astype(X.dtype)
        Z /= self.scale.astype(X.dtype)
        return Z


def is_number(value: Any) -> bool:
    """Return whether the value is a finite number; a bool is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any, least: int) -> bool:
    """Return whether the value is a whole number of at least `least`."""
    return (
        isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least
    )


def one_thread() -> Any:
    """Return a context manager that limits matrix products to one thread.

    NumPy and SciPy have a thread pool each. If both use all cores they block each other, and small
    products get up to ten times slower.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


@cache
def thread_pools() -> Any:
    """Return the controller of the thread pools of NumPy and SciPy, which are looked up once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
