"""What a strategy is, and where strategies are registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.component import Component
from outgroup.detectors import Detector
from outgroup.registry import Registry

#: Embeddings of n images by layer, each (n, d) and floating; "last" is always there.
Features = Mapping[str, NDArray[Any]]

#: Layers that a head reads, side by side, as far as the backbone has them.
HEAD_LAYERS = ("last", "second_last", "logits")


class Scores(NamedTuple):
    """What a strategy says of n images.

    `class_scores` is (n, K), float64, in [0, 1]; `other_score` is (n,), float64, higher = more
    other.
    """

    class_scores: NDArray[np.float64]
    other_score: NDArray[np.float64]


class Strategy(Component, ABC):
    """A way to say which class an image has, and how much it looks like none of them.

    A strategy never sees a threshold. Call `cross_fit` first: it chooses what is to be tuned and
    returns held-out scores, which calibration needs; then `fit`.
    """

    #: Whether it can't be fitted without negatives.
    needs_others: ClassVar[bool] = False
    #: Whether it learns from negatives when there are any.
    uses_others: ClassVar[bool] = False
    #: What its argument `detector` has to be; None if it has no such argument.
    takes: ClassVar[type[Detector] | None] = None

    @abstractmethod
    def cross_fit(
        self, features: Features, y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> Scores:
        """Choose what is to be tuned, and score every row by models that have not seen it.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (n, d)
            Embeddings by layer.
        y : ndarray of shape (n,), int64
            Class indices from 0, -1 for negatives.
        folds : ndarray of shape (n,), int64
            The model that scores a row has learned from all rows of the other folds.
        """

    @abstractmethod
    def fit(self, features: Features, y: NDArray[np.int64]) -> Strategy:
        """Learn from all rows, with what `cross_fit` or the constructor fixed."""

    @abstractmethod
    def score(self, features: Features) -> Scores:
        """Score images; needs NumPy alone."""


STRATEGIES: Registry[Strategy] = Registry("strategy", "outgroup.strategies")


def take(features: Features, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the given rows (indices or mask) of every layer."""
    return {layer: values[rows] for layer, values in features.items()}


def head_input(features: Features) -> NDArray[Any]:
    """Return the layers that heads read, side by side."""
    layers = [features[name] for name in HEAD_LAYERS if name in features]
    return layers[0] if len(layers) == 1 else np.hstack(layers)
