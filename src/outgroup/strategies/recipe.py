"""The popular recipe, to see what it does."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.max_logit import MaxLogit
from outgroup.heads import Head, SigmoidHead
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input, take
from outgroup.strategies.folded import FoldedRows

#: The sigmoid that a class needs to be given.
CONFIDENT: Final = 0.95


@STRATEGIES.register("sigmoid-0.95")
class Recipe(HeadStrategy):
    """Sigmoids by plain cross-entropy, no negatives, and 0.95 as the threshold.

    "Train with sigmoids instead of a softmax, and take 0.95 when predicting": advice often given to
    those whose classifier names what it has never seen. An image is other iff no sigmoid reaches
    0.95; the other-score is minus the largest logit. The threshold is part of the recipe, so the
    certificate only says what held-out images made of it.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid` with every image weighing the same.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017, is where
    such sigmoids are proposed, with a threshold of 0.5 or one fitted to each class.
    """

    name = "sigmoid-0.95"
    summary = "one sigmoid a class without negatives, 0.95 as the threshold: a popular recipe"
    reference = "after Shu et al. 2017"
    fixed_threshold = -math.log(CONFIDENT / (1 - CONFIDENT))
    takes_head = SigmoidHead
    default_head = LinearSigmoid

    def __init__(self, head: Head | None = None, layers: tuple[str, ...] | None = None) -> None:
        super().__init__(LinearSigmoid(class_weight=None) if head is None else head, layers)

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(rows.logits(self.head, self.layers, rows.without_others()))

    def fit(self, features: Features, y: NDArray[np.int64]) -> Recipe:
        """See `Strategy.fit`; negatives are not learned from."""
        self.head.fit(head_input(take(features, y >= 0), self.layers), y[y >= 0])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), MaxLogit().other_score(logits))
