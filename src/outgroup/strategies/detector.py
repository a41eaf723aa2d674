"""A closed-set softmax for the label, and a detector of unusual embeddings for "other"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.heads import Head, SoftmaxHead
from outgroup.heads.linear_softmax import LinearSoftmax
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, detector_input, head_input, take
from outgroup.strategies.folded import FoldedRows


@STRATEGIES.register("detector")
class DetectorStrategy(HeadStrategy):
    """Call an image other when its embedding is far from the known ones.

    Parameters
    ----------
    head : Head or None
        None is `LinearSoftmax`; only the label comes from it (of a single class the probability is
        1: if an image is known, it is of this class).
    detector : FeatureDetector or None
        None is the Mahalanobis distance.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

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

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        logits = rows.logits(self.head, self.layers, rows.without_others())
        return Scores(self.head.probabilities(logits), rows.other_scores(self.detector))

    def fit(self, features: Features, y: NDArray[np.int64]) -> DetectorStrategy:
        """See `Strategy.fit`; negatives are learned from by a detector that asks for them."""
        known = take(features, y >= 0)
        self.head.fit(head_input(known, self.layers), y[y >= 0])
        used = (y >= 0) | self.detector.learns_from_others
        self.detector.fit(detector_input(features, self.detector)[used], y[used])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        probabilities = self.head.probabilities(self.logits(features))
        rows = detector_input(features, self.detector)
        return Scores(probabilities, self.detector.other_score(rows))
