"""A sigmoid for each class: other is what none of them claims."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.max_logit import MaxLogit
from outgroup.heads import Head, SigmoidHead
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input
from outgroup.strategies.folded import FoldedRows


@STRATEGIES.register("sigmoid")
class Sigmoid(HeadStrategy):
    """One-vs-rest sigmoids; negatives, if there are any, are rows of zeros.

    The other-score is minus the largest logit, which orders images as 1 - max sigmoid does.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid`.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017.
    """

    name = "sigmoid"
    summary = "one sigmoid a class; negatives are rows of zeros"
    reference = "Shu et al. 2017"
    uses_others = True
    takes_head = SigmoidHead
    default_head: ClassVar[type[Head]] = LinearSigmoid

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(rows.logits(self.head, self.layers))

    def fit(self, features: Features, y: NDArray[np.int64]) -> Sigmoid:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features, self.layers), y)
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), MaxLogit().other_score(logits))
