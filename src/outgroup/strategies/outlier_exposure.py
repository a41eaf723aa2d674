"""A softmax that negatives teach to be unsure, and a threshold on how unsure it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import LogitDetector
from outgroup.detectors.msp import MaximumSoftmaxProbability
from outgroup.heads import ExposedHead, Head
from outgroup.heads.exposed_softmax import ExposedSoftmax
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input
from outgroup.strategies.folded import FoldedRows


@STRATEGIES.register("outlier-exposure")
class OutlierExposure(HeadStrategy):
    """Outlier exposure: the softmax over the known classes is to be uniform on negatives.

    As in the paper an image is other when its largest softmax probability is small.

    Parameters
    ----------
    head : Head or None
        None is `ExposedSoftmax`, where negatives weigh half of what the known images do.
    detector : LogitDetector or None
        None is the maximum softmax probability.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

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

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        return self._scores(rows.logits(self.head, self.layers))

    def fit(self, features: Features, y: NDArray[np.int64]) -> OutlierExposure:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features, self.layers), y)
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), self.detector.other_score(logits))
