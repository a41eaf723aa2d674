"""What a head is, and where heads are registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from outgroup._component import OTHER as OTHER
from outgroup._component import UNSEEN as UNSEEN
from outgroup._component import Component
from outgroup._registry import Registry
from outgroup.heads._losses import softmax


class Head(Component, ABC):
    """A classifier on embeddings.

    Rows are of any floating dtype; ``y`` holds class indices from 0, `OTHER` for negatives, and in
    `cross_fit` `UNSEEN` for rows that are only scored. A head with a sigmoid for each class also
    takes a matrix: see `LinearSigmoid`.
    """

    @abstractmethod
    def cross_fit(
        self, X: NDArray[Any], y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Choose what is to be tuned, and return logits by models that have not seen the row.

        Parameters
        ----------
        X : ndarray of shape (n, d), floating
            Embeddings.
        y : ndarray of shape (n,), int64
            Class indices, `OTHER` for negatives, `UNSEEN` for rows that no model learns from.
        folds : ndarray of shape (n,), int64
            The model that scores a row has learned from all rows of the other folds; unseen rows
            have a fold of their own.

        Returns
        -------
        ndarray of shape (n, K), float64
        """

    @abstractmethod
    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> Head:
        """Learn from all rows, with what `cross_fit` or the constructor fixed."""

    @abstractmethod
    def logits(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return unbounded class scores of shape (n, K)."""

    @staticmethod
    @abstractmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map logits to scores in [0, 1], of the same shape."""


class SoftmaxHead(Head):
    """A head whose classes share one softmax; it refuses negatives."""

    @staticmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the softmax: rows add up to 1, safe for any finite logits."""
        return softmax(logits)


class ExposedHead(Head):
    """A head whose classes share one softmax, which negatives teach to be unsure."""

    @staticmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the softmax: rows add up to 1, safe for any finite logits."""
        return softmax(logits)


class SigmoidHead(Head):
    """A head with a sigmoid for each class; negatives are rows of zeros to it."""

    @staticmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sigmoid of each logit: each class by itself, rows need not add up to 1."""
        result: NDArray[np.float64] = expit(logits)
        return result


HEADS: Registry[Head] = Registry("head", "outgroup.heads")
