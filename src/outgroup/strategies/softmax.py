"""A closed-set softmax, and a threshold on an other-score of its logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import LogitDetector
from outgroup.detectors.msp import MaximumSoftmaxProbability
from outgroup.heads import Head
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input, take
from outgroup.strategies.folded import FoldedRows


@STRATEGIES.register("softmax")
class Softmax(HeadStrategy):
    """Train on the known classes alone, and threshold a score of the logits.

    Parameters
    ----------
    head : Head or None
        None is `LinearSoftmax`.
    detector : LogitDetector or None
        None is the maximum softmax probability.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

    References
    ----------
    D. Hendrycks and K. Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution
    Examples in Neural Networks, ICLR 2017.
    """

    name = "softmax"
    summary = "softmax over the known classes, threshold on its confidence"
    reference = "Hendrycks & Gimpel 2017"
    takes = LogitDetector
    default_head = LinearSoftmax
    parts = ("head", "detector")

    def __init__(
        self,
        head: Head | None = None,
        detector: LogitDetector | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        self.detector = detector or MaximumSoftmaxProbability()

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(rows.logits(self.head, self.layers, rows.without_others()))

    def fit(self, features: Features, y: NDArray[np.int64]) -> Softmax:
        """See `Strategy.fit`; negatives are not learned from."""
        self.head.fit(head_input(take(features, y >= 0), self.layers), y[y >= 0])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), self.detector.other_score(logits))
