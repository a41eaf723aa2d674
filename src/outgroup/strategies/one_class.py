"""One known class, with negatives or from its own images alone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector
from outgroup.detectors.answer_odds import AnswerOdds
from outgroup.detectors.max_logit import MaxLogit
from outgroup.heads import Head
from outgroup.strategies.base import STRATEGIES, Scores
from outgroup.strategies.blend import CONFIDENCE, DISTANCES, Blend, centre_and_scale
from outgroup.strategies.features import Features
from outgroup.strategies.folded import FoldedRows

#: The member that `Blend` has not.
ANSWERS = "answers"

#: How finely the held-out other-scores of known images are kept, for the probability of a class
#: that has nothing to be told apart from.
QUANTILES = 101


@STRATEGIES.register("one-class")
class OneClass(Blend):
    """A blend that doesn't count on having something to tell its class apart from.

    Its members are those of `Blend`: the distances on each layer, and the confidence of a linear
    head where there are negatives or a second class; and one more, the odds of the backbone's own
    answers that known images don't get (see `AnswerOdds`): a network that knows breeds of dogs
    tells them from cats without one dog in the training images. Each counts once, the head too. It
    is made for a single class, and takes several.

    The probability of a class is the head's sigmoid: with negatives, how probable it is against
    them if both are as frequent. A single class without negatives has nothing to be weighed
    against; its probability is then the share of images *of the class* that look more other than
    this one, by the held-out scores: about 0.5 for a typical one, 0.05 at the usual threshold, 0
    for what is more other than all of them.

    Parameters
    ----------
    head, last_shape, last_neighbours, second_last_shape, logits_neighbours, layers
        As for `Blend`.
    answers : FeatureDetector or None
        What reads the backbone's own answers, where it gives any; None is `AnswerOdds`.
    scaling : dict of str to list of float, or None
        Centre and scale of each member; None: found by `cross_fit`.
    quantiles : list of float or None
        Evenly spaced quantiles of the held-out other-scores of known images if the probability is
        made of them, empty if not; None: found by `cross_fit`.

    References
    ----------
    K. Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and
    Adversarial Attacks, NeurIPS 2018; Y. Sun et al., Out-of-Distribution Detection with Deep
    Nearest Neighbors, ICML 2022; D. Hendrycks et al., Scaling Out-of-Distribution Detection for
    Real-World Settings, ICML 2022.
    """

    name = "one-class"
    summary = "a class by itself: blend, and the odds of answers of the backbone it doesn't get"
    reference = "outgroup; members: Lee et al. 2018, Sun et al. 2022, Hendrycks et al. 2022"
    parameters: ClassVar[tuple[str, ...]] = ("scaling", "quantiles", "layers")
    tuned: ClassVar[tuple[str, ...]] = ("scaling", "quantiles")
    parts = (*Blend.parts, ANSWERS)
    optional_parts = parts[1:]

    def __init__(
        self,
        head: Head | None = None,
        last_shape: FeatureDetector | None = None,
        last_neighbours: FeatureDetector | None = None,
        second_last_shape: FeatureDetector | None = None,
        logits_neighbours: FeatureDetector | None = None,
        answers: FeatureDetector | None = None,
        scaling: dict[str, list[float]] | None = None,
        quantiles: list[float] | None = None,
        layers: tuple[str, ...] | None = None,
    ) -> None:
        distances = (last_shape, last_neighbours, second_last_shape, logits_neighbours)
        super().__init__(head, *distances, scaling, layers)
        self.answers = answers or AnswerOdds()
        self.quantiles = self.quantiles_ = quantiles

    def fitted_parts(self) -> tuple[str, ...]:
        """See `Component.fitted_parts`: those of the layers that there were."""
        assert self.scaling_ is not None
        return (*super().fitted_parts(), *([ANSWERS] if ANSWERS in self.scaling_ else []))

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        logits = rows.logits(self.head, self.layers)
        members = {
            name: rows.other_scores(distance, DISTANCES[name])
            for name, distance in self._distances(rows.features).items()
        }
        if "logits" in rows.features:
            members[ANSWERS] = rows.other_scores(self.answers, "logits")
        told_apart = rows.has_others or rows.y.max() > 0  # or the head has nothing to learn
        if told_apart:
            members[CONFIDENCE] = MaxLogit().other_score(logits)
        if self.scaling is None:
            self.scaling_ = {
                name: [*centre_and_scale(scores[rows.known])] for name, scores in members.items()
            }
        other_score = self._blended(members)
        if self.quantiles is None:
            steps = np.linspace(0.0, 1.0, QUANTILES)
            known = other_score[rows.known]
            self.quantiles_ = [] if told_apart else np.quantile(known, steps).tolist()
        return Scores(self._probabilities(logits, other_score), other_score)

    def fit(self, features: Features, y: NDArray[np.int64]) -> OneClass:
        """See `Strategy.fit`."""
        super().fit(features, y)
        if "logits" in features:
            used = (y >= 0) | self.answers.learns_from_others
            self.answers.fit(features["logits"][used], y[used])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        assert self.scaling_ is not None
        logits = self.logits(features)
        members = {
            name: getattr(self, name).other_score(features[layer])
            for name, layer in DISTANCES.items()
            if name in self.scaling_
        }
        if ANSWERS in self.scaling_:
            members[ANSWERS] = self.answers.other_score(features["logits"])
        if CONFIDENCE in self.scaling_:
            members[CONFIDENCE] = MaxLogit().other_score(logits)
        other_score = self._blended(members)
        return Scores(self._probabilities(logits, other_score), other_score)

    def _probabilities(
        self, logits: NDArray[np.float64], other_score: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if not self.quantiles_:
            return self.head.probabilities(logits)
        shares = np.linspace(1.0, 0.0, len(self.quantiles_))
        return np.interp(other_score, self.quantiles_, shares)[:, np.newaxis]
