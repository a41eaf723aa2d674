"""Scores that miss different things, joined."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector
from outgroup.detectors.knn import KNearestNeighbours
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.detectors.max_logit import MaxLogit
from outgroup.detectors.relative_mahalanobis import RelativeMahalanobis
from outgroup.heads import Head, SigmoidHead
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.features import Features, head_input
from outgroup.strategies.folded import FoldedRows
from outgroup.strategies.standardising import check_scaling, class_scales, standardised

#: The member that is the head's largest logit.
CONFIDENCE = "confidence"

#: The member that has a say only where there are negatives, and few images of the classes.
RELATIVE = "relative"

#: Distances by name, each with the layer it looks at: the shape of the classes and the nearest
#: images on the last layer, which sees most, and one on each other. Members and weights are
#: compared on training images by ``benchmarks/choices.py``.
DISTANCES = {
    "last_shape": "last",
    "last_neighbours": "last",
    "second_last_shape": "second_last",
    "logits_neighbours": "logits",
    RELATIVE: "last",
}

#: What the head counts, where each distance counts 1, if it has negatives to learn from. More of it
#: rejects more of what is like them, and less of what is not; compared by the same script.
TAUGHT = 1.5

#: Images a class, on average, from which on the classes say themselves how they spread, and what
#: negatives say of it is no help; compared by the same script.
ENOUGH = 40

#: Negatives that say how images spread, at most: more say it no better, and are a larger file;
#: compared by the same script.
BACKGROUND = 128


@STRATEGIES.register("blend")
class Blend(HeadStrategy):
    """One-vs-rest sigmoids and distances on each layer, of which none can outvote the others.

    Distances know textures and clip art, which a linear head gives any label with any certainty;
    the logits know what tells one animal from another, which a distance drowns in all other
    directions; and each layer of the backbone sees other things. With fewer than forty images a
    class and negatives, the distance from the classes is also taken relative to that from
    everything: few images say little of how a class spreads, and negatives say how images do.

    Each score is standardised to a z by the median and the spread over *held-out* known images (see
    `centre_and_scale`): on those that fitted it a distance is far too small, and would rule the
    sum. What is far for one class is near for another, so both are those of the class that the head
    gives the image, as far as there are images enough to know them (see `class_scales`). The
    other-score is the sum of ``softplus(z)``: a score says "other" as loudly as it likes, but
    "known" only up to a point. A head that learned from negatives counts one and a half times: it
    alone knows what they look like. With a single class and no negatives it has nothing to tell
    apart, and does not count.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid`; negatives, if there are any, are rows of zeros.
    last_shape, second_last_shape : FeatureDetector or None
        A distance on the last layer and on the one before, if the backbone has it. None is the
        Mahalanobis distance.
    last_neighbours, logits_neighbours : FeatureDetector or None
        A distance on the last layer, and on the backbone's own logits, whose 1,000 coordinates are
        too correlated for a covariance from few images. None is the distance to a neighbour.
    relative : FeatureDetector or None
        A distance on the last layer that learns from negatives; None is `RelativeMahalanobis` with
        128 of them as background.
    scaling : dict of str to list, or None
        Centres and scales, by class, of the head's confidence and of each distance, and what it
        counts if that is not 1; None: found by `cross_fit`.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

    Raises
    ------
    InvalidParameterError
        If `scaling` is nothing of the kind, or as `HeadStrategy` says.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017; K. Lee et
    al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
    Attacks, NeurIPS 2018; Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors,
    ICML 2022; J. Ren et al., A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection,
    arXiv:2106.09022, 2021.
    """

    name = "blend"
    summary = "one sigmoid a class and distances on each layer, standardised and added"
    reference = "outgroup; members: Shu et al. 2017, Lee et al. 2018, Sun et al. 2022"
    uses_others = True
    takes_one_class = True
    takes_head = SigmoidHead
    default_head = LinearSigmoid
    parameters: ClassVar[tuple[str, ...]] = ("scaling", "layers")
    tuned: ClassVar[tuple[str, ...]] = ("scaling",)
    parts = ("head", *DISTANCES)
    optional_parts = parts[1:]
    #: Detectors by name, each with the layer it looks at.
    detectors: ClassVar[dict[str, str]] = DISTANCES

    def __init__(
        self,
        head: Head | None = None,
        last_shape: FeatureDetector | None = None,
        last_neighbours: FeatureDetector | None = None,
        second_last_shape: FeatureDetector | None = None,
        logits_neighbours: FeatureDetector | None = None,
        relative: FeatureDetector | None = None,
        scaling: dict[str, list[Any]] | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(head, layers)
        if scaling is not None:
            check_scaling(scaling)
        self.last_shape = last_shape or Mahalanobis()
        self.last_neighbours = last_neighbours or KNearestNeighbours()
        self.second_last_shape = second_last_shape or Mahalanobis()
        self.logits_neighbours = logits_neighbours or KNearestNeighbours()
        self.relative = relative or RelativeMahalanobis(n_background=BACKGROUND)
        self.scaling = scaling
        self.scaling_ = scaling

    def fitted_parts(self) -> tuple[str, ...]:
        """See `Component.fitted_parts`: the detectors that count."""
        assert self.scaling_ is not None
        return ("head", *(name for name in self.detectors if name in self.scaling_))

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        logits = rows.logits(self.head, self.layers)
        members = {}
        if rows.has_others or rows.y.max() > 0:  # or the head has nothing to tell apart
            members[CONFIDENCE] = MaxLogit().other_score(logits)
        for name in self._counting(rows):
            members[name] = rows.other_scores(getattr(self, name), self.detectors[name])
        if self.scaling is None:
            known, y = rows.known, rows.y[rows.known]
            self.scaling_ = {
                name: [*class_scales(scores[known], y, logits.shape[1])]
                for name, scores in members.items()
            }
            if rows.has_others:
                self.scaling_[CONFIDENCE].append(self._taught(len(members) - 1))
        other_score = self._blended(members, logits)
        return Scores(self._probabilities(logits, other_score), other_score)

    def fit(self, features: Features, y: NDArray[np.int64]) -> Blend:
        """See `Strategy.fit`."""
        self.head.fit(head_input(features, self.layers), y)
        for name, layer in self.detectors.items():
            if layer in features and (self.scaling_ is None or name in self.scaling_):
                detector = getattr(self, name)
                used = (y >= 0) | detector.learns_from_others
                detector.fit(features[layer][used], y[used])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        assert self.scaling_ is not None
        logits = self.logits(features)
        members = {}
        if CONFIDENCE in self.scaling_:
            members[CONFIDENCE] = MaxLogit().other_score(logits)
        for name in self.fitted_parts()[1:]:
            members[name] = getattr(self, name).other_score(features[self.detectors[name]])
        other_score = self._blended(members, logits)
        return Scores(self._probabilities(logits, other_score), other_score)

    def _counting(self, rows: FoldedRows) -> list[str]:
        """Return the names of the detectors that count."""
        there = [name for name, layer in self.detectors.items() if layer in rows.features]
        if self.scaling is not None:
            return [name for name in there if name in self.scaling]
        y = rows.y[rows.known]
        few = len(y) < ENOUGH * len(np.unique(y))
        return [name for name in there if name != RELATIVE or (few and rows.has_others)]

    def _taught(self, n_distances: int) -> float:
        """Return what a head that learned from negatives counts beside so many distances."""
        return TAUGHT

    def _probabilities(
        self, logits: NDArray[np.float64], other_score: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the probability of each class, (n, K)."""
        return self.head.probabilities(logits)

    def _blended(
        self, members: dict[str, NDArray[np.float64]], logits: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        assert self.scaling_ is not None
        other_score = np.zeros(len(logits))
        for name, (centres, scales, *votes) in self.scaling_.items():
            one = np.logaddexp(0.0, standardised(members[name], logits, centres, scales))
            other_score += votes[0] * one if votes else one
        return other_score
