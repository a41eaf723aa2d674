"""Scores that miss different things, joined."""

from __future__ import annotations

from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector
from outgroup.detectors.knn import KNearestNeighbours
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.detectors.max_logit import MaxLogit
from outgroup.heads import Head, SigmoidHead
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import HEAD_LAYERS, Features, head_input
from outgroup.strategies.folded import FoldedRows

#: Weight of the head's logits against each distance, without and with negatives to learn from: a
#: head that has seen negatives knows more about others than distances that have not. Members and
#: weights are compared on training images by ``benchmarks/choices.py``.
WEIGHTS = (1.0, 2.0)

#: The member that is no distance.
CONFIDENCE = "confidence"


@STRATEGIES.register("blend")
class Blend(HeadStrategy):
    """One-vs-rest sigmoids and a distance on each layer, of which none can outvote the others.

    Distances know textures and clip art, which a linear head gives any label with any certainty;
    the logits know what tells one animal from another, which a distance drowns in all other
    directions; and each layer of the backbone sees other things. Each score is standardised to a z
    by the median and the median absolute deviation over *held-out* known images: on those that
    fitted it a distance is far too small, and would rule the sum. The other-score is ``weight *
    softplus(z_logits) + sum softplus(z_distance)``: a score says "other" as loudly as it likes, but
    "known" only up to a point.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid`; negatives, if there are any, are rows of zeros. Its confidence is
        its largest logit.
    on_last, on_second_last, on_logits : FeatureDetector or None
        The distance on each layer, if the backbone has it. None is the Mahalanobis distance on
        embeddings, and the cosine distance to a neighbour on the backbone's own logits, whose
        1,000 coordinates are too correlated for a covariance from few images.
    scaling : dict of str to list of float, or None
        Weight, centre and scale of the confidence and of the distance on each layer; None: found
        by `cross_fit`.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.
    """

    name = "blend"
    summary = "one sigmoid a class and a distance on each layer, standardised and added"
    reference = "outgroup; members: Shu et al. 2017, Lee et al. 2018, Sun et al. 2022"
    uses_others = True
    takes_head = SigmoidHead
    default_head = LinearSigmoid
    parameters = ("scaling", "layers")
    tuned = ("scaling",)
    parts = ("head", *(f"on_{layer}" for layer in HEAD_LAYERS))
    optional_parts = parts[1:]

    def __init__(
        self,
        head: Head | None = None,
        on_last: FeatureDetector | None = None,
        on_second_last: FeatureDetector | None = None,
        on_logits: FeatureDetector | None = None,
        scaling: dict[str, list[float]] | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        self.on_last = on_last or Mahalanobis()
        self.on_second_last = on_second_last or Mahalanobis()
        self.on_logits = on_logits or KNearestNeighbours()
        self.scaling = scaling
        self.scaling_ = scaling

    def fitted_parts(self) -> tuple[str, ...]:
        """See `Component.fitted_parts`: the distances on the layers that there were."""
        assert self.scaling_ is not None
        return ("head", *(f"on_{layer}" for layer in HEAD_LAYERS if layer in self.scaling_))

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        logits = rows.logits(self.head, self.layers)
        members = {CONFIDENCE: MaxLogit().other_score(logits)}
        for layer, distance in self._distances(rows.features):
            members[layer] = rows.other_scores(distance, layer)
        if self.scaling is None:
            self.scaling_ = {
                name: [1.0, *centre_and_scale(scores[rows.known])]
                for name, scores in members.items()
            }
            self.scaling_[CONFIDENCE][0] = WEIGHTS[int(rows.has_others)]
        return Scores(self.head.probabilities(logits), self._blended(members))

    def fit(self, features: Features, y: NDArray[np.int64]) -> Blend:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features, self.layers), y)
        for layer, distance in self._distances(features):
            used = (y >= 0) | distance.learns_from_others
            distance.fit(features[layer][used], y[used])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        logits = self.logits(features)
        members = {CONFIDENCE: MaxLogit().other_score(logits)}
        assert self.scaling_ is not None
        for layer, distance in self._distances(self.scaling_):
            members[layer] = distance.other_score(features[layer])
        return Scores(self.head.probabilities(logits), self._blended(members))

    def _distances(self, there: Container[str]) -> list[tuple[str, FeatureDetector]]:
        """Return each layer that is there with its distance."""
        return [(layer, getattr(self, f"on_{layer}")) for layer in HEAD_LAYERS if layer in there]

    def _blended(self, members: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        assert self.scaling_ is not None
        other_score = np.zeros(len(members[CONFIDENCE]))
        for name, (weight, centre, scale) in self.scaling_.items():
            other_score += weight * np.logaddexp(0.0, (members[name] - centre) / scale)
        return other_score


def centre_and_scale(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median and the median absolute deviation, 1 in place of a deviation of 0.

    Examples
    --------
    >>> centre_and_scale(np.array([1.0, 2.0, 3.0, 100.0]))
    (2.5, 1.0)
    """
    centre = float(np.median(scores))
    return centre, float(np.median(np.abs(scores - centre))) or 1.0
