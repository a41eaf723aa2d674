"""A softmax: over the known classes, taught by negatives, or with a class for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup._features import Features, take
from outgroup._numeric import log_sum_exp
from outgroup.calibration import assign_folds
from outgroup.detectors import FittedLogitDetector, LogitDetector
from outgroup.detectors.logits import MaximumSoftmaxProbability
from outgroup.heads import ExposedHead, Head, SoftmaxHead
from outgroup.heads.linear import ExposedSoftmax, LinearSoftmax
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.cross_fit import FoldedRows

#: Folds of the logits that a detector learns from where `cross_fit` has not been called before.
FOLDS = 5


@STRATEGIES.register("softmax")
class Softmax(HeadStrategy):
    """A softmax over the known classes, and a threshold on a score of its logits.

    Parameters
    ----------
    detector : LogitDetector, FittedLogitDetector or None
        None is the maximum softmax probability. One that learns does so from the held-out logits of
        `cross_fit`, because the head is too certain of the rows that it has learned from.

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

    def learned(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class indices; negatives are not learned from."""
        return np.where(y == OTHER, UNSEEN, y)

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        y = self.learned(rows.y)
        logits = rows.logits(self.head, self.layers, y)
        if not isinstance(self.detector, FittedLogitDetector):
            return self._scores(logits)
        self._held_out = logits[rows.known], y[rows.known]
        held_out = self.detector.cross_fit(logits, y, rows.folds)
        return Scores(self.head.probabilities(logits), held_out)

    def fit(self, features: Features, y: NDArray[np.int64]) -> Softmax:
        """See `Strategy.fit`."""
        if isinstance(self.detector, FittedLogitDetector):
            known = y >= 0
            if self._held_out is None or not np.array_equal(self._held_out[1], y[known]):
                folds = assign_folds(y[known], FOLDS)
                self.cross_fit(FoldedRows(take(features, known), y[known], folds))
            assert self._held_out is not None
            self.detector.fit(*self._held_out)
            self._held_out = None
        super().fit(features, y)
        return self

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), self.detector.other_score(logits))


@STRATEGIES.register("outlier-exposure")
class OutlierExposure(HeadStrategy):
    """Outlier exposure: a softmax over the known classes, taught to be uniform on negatives.

    By default negatives weigh half of what the known images do, and the detector is the maximum
    softmax probability, as in the paper.

    References
    ----------
    D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, ICLR
    2019.
    """

    name = "outlier-exposure"
    summary = "softmax over the known classes, taught to be uniform on negatives"
    reference = "Hendrycks et al. 2019"
    needs_others = True
    uses_others = True
    needs_two_classes = True  # the softmax of one class is 1 whatever the image
    takes = LogitDetector
    takes_head = ExposedHead
    default_head = ExposedSoftmax
    parts = ("head", "detector")

    def __init__(
        self,
        head: Head | None = None,
        detector: LogitDetector | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        self.detector = detector or MaximumSoftmaxProbability()

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), self.detector.other_score(logits))


@STRATEGIES.register("other-class")
class OtherClass(HeadStrategy):
    """A softmax over K + 1 classes, the last one learned from negatives.

    The other-score is the log odds of the last class against all known ones.

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

    def learned(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class indices, with negatives as the last class."""
        return np.where(y == OTHER, y.max() + 1, y)

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        odds = logits[:, -1] - log_sum_exp(logits[:, :-1])
        return Scores(self.head.probabilities(logits)[:, :-1], odds)
