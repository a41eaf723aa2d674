"""A closed-set softmax, and a threshold on an other-score of its logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import LogitDetector
from outgroup.detectors.msp import MaximumSoftmaxProbability
from outgroup.heads import Head
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies.base import STRATEGIES, Features, Scores, Strategy, head_input, take


@STRATEGIES.register("softmax")
class Softmax(Strategy):
    """Train on the known classes alone, and threshold a score of the logits.

    Parameters
    ----------
    head : Head or None
        None is `LinearSoftmax`.
    detector : LogitDetector or None
        None is the maximum softmax probability.

    References
    ----------
    D. Hendrycks and K. Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution
    Examples in Neural Networks, ICLR 2017.
    """

    name = "softmax"
    summary = "softmax over the known classes, threshold on its confidence"
    reference = "Hendrycks & Gimpel 2017"
    takes = LogitDetector
    parts = ("head", "detector")

    def __init__(self, head: Head | None = None, detector: LogitDetector | None = None) -> None:
        self.head = head or LinearSoftmax()
        self.detector = detector or MaximumSoftmaxProbability()

    def cross_fit(
        self, features: Features, y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(cross_fit_on_known(self.head, features, y, folds))

    def fit(self, features: Features, y: NDArray[np.int64]) -> Softmax:
        """See `Strategy.fit`; negatives are not learned from."""
        self.head.fit(head_input(take(features, y >= 0)), y[y >= 0])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.head.logits(head_input(features)))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), self.detector.other_score(logits))


def cross_fit_on_known(
    head: Head, features: Features, y: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cross-fit a head that can't learn from negatives, and give these logits all the same.

    No fold's model has seen a negative, so the one fitted to all known rows may score them.
    """
    X, known = head_input(features), y >= 0
    logits_known = head.cross_fit(X[known], y[known], folds[known])
    logits = np.empty((len(y), logits_known.shape[1]))
    logits[known] = logits_known
    if not known.all():
        logits[~known] = head.fit(X[known], y[known]).logits(X[~known])
    return logits
