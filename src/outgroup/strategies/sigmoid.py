"""A sigmoid for each class: other is what none of them claims."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.max_logit import MaxLogit
from outgroup.heads import Head
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.strategies.base import STRATEGIES, Features, Scores, Strategy, head_input


@STRATEGIES.register("sigmoid")
class Sigmoid(Strategy):
    """One-vs-rest sigmoids; negatives, if there are any, are rows of zeros.

    The other-score is minus the largest logit, which orders images as 1 - max sigmoid does.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid`.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017.
    """

    name = "sigmoid"
    summary = "one sigmoid a class; negatives are rows of zeros"
    reference = "Shu et al. 2017"
    uses_others = True
    parts = ("head",)

    def __init__(self, head: Head | None = None) -> None:
        self.head = head or LinearSigmoid()
        self._detector = MaxLogit()

    def cross_fit(
        self, features: Features, y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(self.head.cross_fit(head_input(features), y, folds))

    def fit(self, features: Features, y: NDArray[np.int64]) -> Sigmoid:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features), y)
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.head.logits(head_input(features)))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), self._detector.other_score(logits))
