"""What a labeler is, and where labelers are registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup._component import Component
from outgroup._registry import Registry
from outgroup.strategies import Features


class LabelScores(NamedTuple):
    """What a labeler says of n images.

    `probabilities` is (n, K), float64, in [0, 1]; `other_score` is (n, K), float64: higher = more
    surely without this label.
    """

    probabilities: NDArray[np.float64]
    other_score: NDArray[np.float64]


class Labeler(Component, ABC):
    """A way to say, for each label by itself, how much an image looks as if it had not got it.

    ``Y`` is (n, K), int64: 1 for a label that is there, 0 for one that is not, -1 for one of which
    nobody knows. A row of zeros is an image of none of the labels. Call `cross_fit` first: it
    chooses what is to be tuned and returns held-out scores, which thresholds are fixed from; then
    `fit`.
    """

    #: The threshold of every label, where it is part of the method; None: fixed from held-out rows.
    fixed_threshold: ClassVar[float | None] = None

    @abstractmethod
    def cross_fit(
        self, features: Features, Y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> LabelScores:
        """Choose what is to be tuned, and score every row by models that have not seen it.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (n, d)
            Embeddings by layer.
        Y : ndarray of shape (n, K), int64
            Labels.
        folds : ndarray of shape (n,), int64
            The model that scores a row has learned from all rows of the other folds.
        """

    @abstractmethod
    def fit(self, features: Features, Y: NDArray[np.int64]) -> Labeler:
        """Learn from all rows, with what `cross_fit` or the constructor fixed."""

    @abstractmethod
    def score(self, features: Features) -> LabelScores:
        """Score images; needs NumPy alone."""


LABELERS: Registry[Labeler] = Registry("strategy", "outgroup.multilabel.labelers")
