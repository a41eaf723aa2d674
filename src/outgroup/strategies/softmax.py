"""A closed-set softmax, and a threshold on an other-score of its logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import assign_folds
from outgroup.detectors import FittedLogitDetector, LogitDetector
from outgroup.detectors.msp import MaximumSoftmaxProbability
from outgroup.heads import Head, SoftmaxHead
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input, take
from outgroup.strategies.folded import FoldedRows

#: Folds of the logits that a detector learns from where `cross_fit` has not been called before.
FOLDS = 5


@STRATEGIES.register("softmax")
class Softmax(HeadStrategy):
    """Train on the known classes alone, and threshold a score of the logits.

    Parameters
    ----------
    head : Head or None
        None is `LinearSoftmax`.
    detector : LogitDetector, FittedLogitDetector or None
        None is the maximum softmax probability. One that learns does so from held-out logits,
        those of `cross_fit`; on the rows that it has learned from the head is too sure of itself.
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
    takes = (LogitDetector, FittedLogitDetector)
    takes_head = SoftmaxHead
    default_head = LinearSoftmax
    parts = ("head", "detector")

    def __init__(
        self,
        head: Head | None = None,
        detector: LogitDetector | FittedLogitDetector | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        self.detector = detector or MaximumSoftmaxProbability()
        self._held_out: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        y = rows.without_others()
        logits = rows.logits(self.head, self.layers, y)
        if not isinstance(self.detector, FittedLogitDetector):
            return self._scores(logits)
        self._held_out = logits[rows.known], y[rows.known]
        held_out = self.detector.cross_fit(logits, y, rows.folds)
        return Scores(self.head.probabilities(logits), held_out)

    def fit(self, features: Features, y: NDArray[np.int64]) -> Softmax:
        """See `Strategy.fit`; negatives are not learned from."""
        features, y = take(features, y >= 0), y[y >= 0]
        if isinstance(self.detector, FittedLogitDetector):
            if self._held_out is None or not np.array_equal(self._held_out[1], y):
                self.cross_fit(FoldedRows(features, y, assign_folds(y, FOLDS)))
            assert self._held_out is not None
            self.detector.fit(*self._held_out)
            self._held_out = None
        self.head.fit(head_input(features, self.layers), y)
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), self.detector.other_score(logits))
