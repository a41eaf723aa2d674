"""An "other" class beside the known ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.base import log_sum_exp
from outgroup.heads import Head
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies.base import STRATEGIES, Features, Scores, Strategy, head_input


@STRATEGIES.register("other-class")
class OtherClass(Strategy):
    """A softmax over K + 1 classes, the last one learned from negatives.

    The other-score is the logarithm of the odds of the last class against all known ones.

    Parameters
    ----------
    head : Head or None
        None is `LinearSoftmax`.

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
    parts = ("head",)

    def __init__(self, head: Head | None = None) -> None:
        self.head = head or LinearSoftmax()

    def cross_fit(
        self, features: Features, y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(self.head.cross_fit(head_input(features), _other_last(y), folds))

    def fit(self, features: Features, y: NDArray[np.int64]) -> OtherClass:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features), _other_last(y))
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.head.logits(head_input(features)))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        odds = logits[:, -1] - log_sum_exp(logits[:, :-1])
        return Scores(self.head.probabilities(logits)[:, :-1], odds)


def _other_last(y: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(y < 0, y.max() + 1, y)
