"""An "other" class beside the known ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup.detectors.base import log_sum_exp
from outgroup.heads import SoftmaxHead
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input
from outgroup.strategies.folded import FoldedRows


@STRATEGIES.register("other-class")
class OtherClass(HeadStrategy):
    """A softmax over K + 1 classes, the last one learned from negatives.

    The other-score is the logarithm of the odds of the last class against all known ones.

    Parameters
    ----------
    head : Head or None
        None is `LinearSoftmax`.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

    References
    ----------
    A. Bendale and T. Boult, Towards Open Set Deep Networks, CVPR 2016, discuss this baseline;
    S. Vaze et al., Open-Set Recognition: a Good Closed-Set Classifier is All You Need?, ICLR 2022.
    """

    name = "other-class"
    summary = "one more softmax class, learned from negatives"
    reference = "Bendale & Boult 2016; Vaze et al. 2022"
    needs_others = True
    uses_others = True
    takes_head = SoftmaxHead
    default_head = LinearSoftmax

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(rows.logits(self.head, self.layers, _other_last(rows.y)))

    def fit(self, features: Features, y: NDArray[np.int64]) -> OtherClass:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features, self.layers), _other_last(y))
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        odds = logits[:, -1] - log_sum_exp(logits[:, :-1])
        return Scores(self.head.probabilities(logits)[:, :-1], odds)


def _other_last(y: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(y == OTHER, y.max() + 1, y)
