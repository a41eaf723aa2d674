"""A softmax for the label, and a detector of unusual embeddings for the other-score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup._features import Features
from outgroup.detectors import FeatureDetector
from outgroup.detectors.gaussian import Mahalanobis
from outgroup.heads import Head, SoftmaxHead
from outgroup.heads.linear import LinearSoftmax
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.cross_fit import FoldedRows
from outgroup.strategies.features import detector_input


@STRATEGIES.register("detector")
class DetectorStrategy(HeadStrategy):
    """Reject an image when its embedding is far from the known ones.

    By default the distance is that of Mahalanobis. Only the label comes from the head (with a
    single class its probability is 1).

    References
    ----------
    K. Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks, NeurIPS 2018.
    """

    name = "detector"
    summary = "distance of the embedding from the known classes (Mahalanobis)"
    reference = "Lee et al. 2018"
    takes = FeatureDetector
    takes_head = SoftmaxHead
    takes_one_class = True
    default_head = LinearSoftmax
    parts = ("head", "detector")

    def __init__(
        self,
        head: Head | None = None,
        detector: FeatureDetector | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        self.detector = detector or Mahalanobis()

    def learned(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class indices; the head does not learn from negatives."""
        return np.where(y == OTHER, UNSEEN, y)

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        logits = rows.logits(self.head, self.layers, self.learned(rows.y))
        return Scores(self.head.probabilities(logits), rows.other_scores(self.detector))

    def fit(self, features: Features, y: NDArray[np.int64]) -> DetectorStrategy:
        """See `Strategy.fit`; a detector that learns from negatives does so."""
        super().fit(features, y)
        used = (y >= 0) | self.detector.learns_from_others
        self.detector.fit(detector_input(features, self.detector)[used], y[used])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        probabilities = self.head.probabilities(self.logits(features))
        rows = detector_input(features, self.detector)
        return Scores(probabilities, self.detector.other_score(rows))
