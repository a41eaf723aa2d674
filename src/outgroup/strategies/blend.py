"""Standardised scores of a head and of several distances, added up."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._features import Features
from outgroup.detectors import FeatureDetector
from outgroup.detectors.answers import AnswerOdds
from outgroup.detectors.gaussian import Mahalanobis, RelativeMahalanobis
from outgroup.detectors.logits import MaxLogit
from outgroup.detectors.neighbours import KNearestNeighbours
from outgroup.heads import Head, SigmoidHead
from outgroup.heads.linear import LinearSigmoid
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.cross_fit import FoldedRows
from outgroup.strategies.features import head_input
from outgroup.strategies.standardise import check_scaling, class_scales, standardised

#: Members of a blend: minus the largest logit of the head; a distance that counts only where there
#: are negatives and few images of the classes; the odds of the backbone's own answers.
CONFIDENCE, RELATIVE, ANSWERS = "confidence", "relative", "answers"

#: Distances by name, each with the layer it reads. See ``benchmarks/choices.py`` for members and
#: weights.
DISTANCES = {
    "last_shape": "last",
    "last_neighbours": "last",
    "second_last_shape": "second_last",
    "logits_neighbours": "logits",
    RELATIVE: "last",
}

#: Weight of a head that has learned from negatives; each distance has weight 1.
TAUGHT = 1.5

#: Mean number of images a class from which on `RELATIVE` does not count.
ENOUGH = 40

#: Negatives that `RELATIVE` keeps as its background, at most.
BACKGROUND = 128

#: Number of quantiles of the held-out other-scores that `OneClass` keeps.
QUANTILES = 101


@STRATEGIES.register("blend")
class Blend(HeadStrategy):
    """One-vs-rest sigmoids and distances on each layer, standardised and added.

    A head gives images far from all training data some class with certainty; a distance can't tell
    related classes apart; each layer of the backbone sees other things. So the other-score is a sum
    over members: the head's confidence, distances on each layer and, with fewer than forty images a
    class and negatives, a distance relative to that from the negatives.

    Each score is standardised to z by the median and spread of *held-out* known images of the class
    that the head gives the image, shrunk towards those of all classes (see `class_scales`). The sum
    is of ``softplus(z)``, so that a member may say "other" as strongly as it likes, but "known"
    only up to a point. A head that has learned from negatives has weight 1.5. With a single class
    and no negatives the head has nothing to tell apart, and does not count.

    Parameters
    ----------
    last_shape, second_last_shape : FeatureDetector or None
        Distances on the last layer and on the one before, if the backbone has it; None is the
        Mahalanobis distance.
    last_neighbours, logits_neighbours : FeatureDetector or None
        Distances on the last layer and on the backbone's logits; None is the distance to a nearest
        neighbour.
    relative : FeatureDetector or None
        A distance on the last layer that learns from negatives; None is `RelativeMahalanobis` with
        128 of them as background.
    scaling : dict of str to list, or None
        Centres and scales by class, and a weight if it is not 1, of each member; None: found by
        `cross_fit`.

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
    #: Detectors by name, each with the layer it reads.
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
        if rows.has_others or rows.y.max() > 0:  # else the head has nothing to tell apart
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
        """Return the weight of a head that has learned from negatives, beside some distances."""
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
        for name, (centres, scales, *weight) in self.scaling_.items():
            one = np.logaddexp(0.0, standardised(members[name], logits, centres, scales))
            other_score += weight[0] * one if weight else one
        return other_score


@STRATEGIES.register("two-votes")
class TwoVotes(Blend):
    """A blend in which a head taught by negatives counts as much as all distances together.

    Better than `Blend` where unknown images are of the kinds of the negatives and look much like
    the known classes, because distances find them near; worse where they are of other kinds.
    `compare` measures which it is.

    References
    ----------
    As for `Blend`.
    """

    name = "two-votes"
    summary = "blend in which the head, taught by negatives, counts as much as all distances"
    needs_others = True

    def _taught(self, n_distances: int) -> float:
        return float(n_distances)


@STRATEGIES.register("one-class")
class OneClass(Blend):
    """A blend with the odds of the backbone's own answers, for a single class.

    One more member than `Blend`: `AnswerOdds`, by which a network that knows breeds of dogs tells
    them from cats without one dog in the training images. Every member has weight 1. It is made for
    a single class, and takes several.

    The probability of a class is the head's sigmoid. A single class without negatives has nothing
    to be compared with; its probability is then the share of held-out images of the class with a
    higher other-score: about 0.5 for a typical one, 0.05 at the default threshold.

    Parameters
    ----------
    answers : FeatureDetector or None
        What reads the backbone's own logits, where it has any; None is `AnswerOdds`.
    quantiles : list of float or None
        Evenly spaced quantiles of the held-out other-scores of known images if the probability is
        made of them, empty if not; None: found by `cross_fit`.

    References
    ----------
    D. Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022;
    V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random World, 2005, chapter 2,
    where such a share is a p-value.
    """

    name = "one-class"
    summary = "a class by itself: blend, and the odds of the ImageNet classes it is not"
    reference = "outgroup; members: Lee et al. 2018, Sun et al. 2022, Hendrycks et al. 2022"
    parameters: ClassVar[tuple[str, ...]] = ("scaling", "quantiles", "layers")
    tuned: ClassVar[tuple[str, ...]] = ("scaling", "quantiles")
    parts = (*Blend.parts, ANSWERS)
    optional_parts = parts[1:]
    detectors: ClassVar[dict[str, str]] = {**DISTANCES, ANSWERS: "logits"}

    def __init__(
        self,
        head: Head | None = None,
        last_shape: FeatureDetector | None = None,
        last_neighbours: FeatureDetector | None = None,
        second_last_shape: FeatureDetector | None = None,
        logits_neighbours: FeatureDetector | None = None,
        relative: FeatureDetector | None = None,
        answers: FeatureDetector | None = None,
        scaling: dict[str, list[Any]] | None = None,
        quantiles: list[float] | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        distances = (last_shape, last_neighbours, second_last_shape, logits_neighbours)
        super().__init__(head, *distances, relative, scaling, layers)
        self.answers = answers or AnswerOdds()
        self.quantiles = self.quantiles_ = quantiles

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        self.quantiles_ = self.quantiles or []
        scores = super().cross_fit(rows)
        if self.quantiles is not None or rows.has_others or rows.y.max() > 0:
            return scores
        steps = np.linspace(0.0, 1.0, QUANTILES)
        self.quantiles_ = np.quantile(scores.other_score[rows.known], steps).tolist()
        return Scores(self._shares(scores.other_score), scores.other_score)

    def _taught(self, n_distances: int) -> float:
        return 1.0

    def _probabilities(
        self, logits: NDArray[np.float64], other_score: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if self.quantiles_:
            return self._shares(other_score)
        return super()._probabilities(logits, other_score)

    def _shares(self, other_score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of held-out known images with a higher other-score, (n, 1)."""
        assert self.quantiles_
        shares = np.linspace(1.0, 0.0, len(self.quantiles_))
        return np.interp(other_score, self.quantiles_, shares)[:, np.newaxis]
