"""What a detector is, and where detectors are registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.component import Component
from outgroup.registry import Registry


class Detector(Component, ABC):
    """Gives every row an other-score: higher = more other."""

    #: What `other_score` looks at: "features" (embeddings) or "logits" (class scores of a head).
    on: ClassVar[str]


class LogitDetector(Detector):
    """A detector that only looks at the logits of a head, and has nothing to learn."""

    on = "logits"

    @abstractmethod
    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for logits of shape (n, K)."""


class FeatureDetector(Detector):
    """A detector that learns what known embeddings look like."""

    on = "features"

    def cross_fit(
        self, X: NDArray[Any], y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Choose what is to be tuned, and return scores by models that have not seen the row.

        Parameters
        ----------
        X : ndarray of shape (n, d), floating
            Embeddings.
        y : ndarray of shape (n,), int64
            Class indices, -1 for negatives, which are scored and not learned from.
        folds : ndarray of shape (n,), int64
            The model that scores a known row has learned from the known rows of the other folds.
            Negatives are scored by the model of all known rows, which has seen none of them: with
            fewer rows to learn from every distance is larger, and a negative would look more other
            than the final model will find it.
        """
        known = y >= 0
        self.tune(X[known], y[known])
        scores = np.empty(len(X))
        for fold in np.unique(folds[known]):
            train, held_out = known & (folds != fold), known & (folds == fold)
            scores[held_out] = self.frozen().fit(X[train], y[train]).other_score(X[held_out])
        if not known.all():
            scores[~known] = self.frozen().fit(X[known], y[known]).other_score(X[~known])
        return scores

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose from all known rows what stays fixed in each fold; by default nothing."""

    @abstractmethod
    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> FeatureDetector:
        """Learn from known rows (n, d) and their class indices (n,)."""

    @abstractmethod
    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for embeddings of shape (n, d)."""


DETECTORS: Registry[Detector] = Registry("detector", "outgroup.detectors")


def unit_rows(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return rows scaled to length 1, in float64; a zero row stays zero.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    X = np.asarray(X, dtype=np.float64)
    largest = np.abs(X).max(axis=1, initial=0.0, keepdims=True)
    X = X / np.where(largest > 0, largest, 1.0)  # squares of very large or small values are lost
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1.0)


def log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(sum(exp(row))) of each row, safe for any finite logits."""
    result: NDArray[np.float64] = logits.max(axis=1) + log_sum_exp_above_max(logits)
    return result


def log_sum_exp_above_max(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``log_sum_exp(logits) - logits.max(axis=1)`` with all its digits where it is tiny.

    Examples
    --------
    >>> log_sum_exp_above_max(np.array([[40.0, 0.0], [50.0, 0.0]]))
    array([4.24835426e-18, 1.92874985e-22])
    """
    rest = np.exp(logits - logits.max(axis=1, keepdims=True))
    rest[np.arange(len(rest)), logits.argmax(axis=1)] = 0.0  # the one that is exactly 1
    result: NDArray[np.float64] = np.log1p(rest.sum(axis=1))
    return result
