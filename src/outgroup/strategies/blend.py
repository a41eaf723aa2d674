"""Two scores that miss different things, joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector, LogitDetector
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.detectors.max_logit import MaxLogit
from outgroup.heads import Head
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input, take
from outgroup.strategies.folded import FoldedRows

#: Weight of the logits against the distance, without and with negatives to learn from: a head
#: that has seen negatives knows more about others than a distance that has not. Weights are
#: compared on training images by ``benchmarks/choices.py``.
WEIGHTS = (1.0, 2.0)


@STRATEGIES.register("blend")
class Blend(HeadStrategy):
    """One-vs-rest sigmoids and the Mahalanobis distance, of which neither can outvote the other.

    The distance knows textures and clip art, which a linear head gives any label with any
    certainty; the logits know what tells one animal from another, which a distance drowns in all
    other directions. Each score is standardised to a z by the median and the median absolute
    deviation over *held-out* known images: on those that fitted it a distance is far too small, and
    would rule the sum. The other-score is ``weight * softplus(z_logits) + softplus(z_distance)``:
    a score says "other" as loudly as it likes, but "known" only up to a point.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid`; negatives, if there are any, are rows of zeros.
    distance : FeatureDetector or None
        None is the Mahalanobis distance.
    confidence : LogitDetector or None
        None is the maximum logit.
    scaling : list of float or None
        Centre and scale of the distance, centre and scale of the confidence, and the weight of the
        confidence; None: found by `cross_fit`.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.
    """

    name = "blend"
    summary = "one sigmoid a class and the Mahalanobis distance, standardised and added"
    reference = "outgroup; members: Shu et al. 2017, Lee et al. 2018"
    uses_others = True
    default_head = LinearSigmoid
    parameters = ("scaling", "layers")
    tuned = ("scaling",)
    parts = ("head", "distance", "confidence")

    def __init__(
        self,
        head: Head | None = None,
        distance: FeatureDetector | None = None,
        confidence: LogitDetector | None = None,
        scaling: list[float] | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        self.distance = distance or Mahalanobis()
        self.confidence = confidence or MaxLogit()
        self.scaling = scaling
        self.scaling_ = scaling

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        logits = rows.logits(self.head, self.layers)
        distance = rows.other_scores(self.distance)
        if self.scaling is None:
            confidence = self.confidence.other_score(logits)
            self.scaling_ = [
                *centre_and_scale(distance[rows.known]),
                *centre_and_scale(confidence[rows.known]),
                WEIGHTS[int(rows.has_others)],
            ]
        return self._scores(logits, distance)

    def fit(self, features: Features, y: NDArray[np.int64]) -> Blend:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features, self.layers), y)
        used = (y >= 0) | self.distance.learns_from_others
        self.distance.fit(take(features, used)["last"], y[used])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features), self.distance.other_score(features["last"]))

    def _scores(self, logits: NDArray[np.float64], distance: NDArray[np.float64]) -> Scores:
        assert self.scaling_ is not None
        centre_d, scale_d, centre_c, scale_c, weight = self.scaling_
        confidence = self.confidence.other_score(logits)
        other_score = weight * np.logaddexp(0.0, (confidence - centre_c) / scale_c)
        other_score += np.logaddexp(0.0, (distance - centre_d) / scale_d)
        return Scores(self.head.probabilities(logits), other_score)


def centre_and_scale(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and the median absolute deviation, 1 in place of a deviation of 0.

    Examples
    --------
    >>> centre_and_scale(np.array([1.0, 2.0, 3.0, 100.0]))
    (2.5, 1.0)
    """
    centre = float(np.median(scores))
    return centre, float(np.median(np.abs(scores - centre))) or 1.0
