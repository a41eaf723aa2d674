"""One known class, with negatives or from its own images alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector
from outgroup.detectors.answer_odds import AnswerOdds
from outgroup.heads import Head
from outgroup.strategies.base import STRATEGIES, Scores
from outgroup.strategies.blend import DISTANCES, Blend
from outgroup.strategies.folded import FoldedRows

#: The member that `Blend` has not.
ANSWERS = "answers"

#: How finely the held-out other-scores of known images are kept, for the probability of a class
#: that has nothing to be told apart from.
QUANTILES = 101


@STRATEGIES.register("one-class")
class OneClass(Blend):
    """A blend that doesn't count on having something to tell its class apart from.

    Its members are those of `Blend`, and one more, the odds of the backbone's own answers that
    known images don't get (see `AnswerOdds`): a network that knows breeds of dogs tells them from
    cats without one dog in the training images. Each counts once, the head too. It is made for a
    single class, and takes several.

    The probability of a class is the head's sigmoid: with negatives, how probable it is against
    them if both are as frequent. A single class without negatives has nothing to be weighed
    against; its probability is then the share of images *of the class* that look more other than
    this one, by the held-out scores: about 0.5 for a typical one, 0.05 at the usual threshold, 0
    for what is more other than all of them.

    Parameters
    ----------
    head, last_shape, last_neighbours, second_last_shape, logits_neighbours, relative, scaling,
    layers
        As for `Blend`.
    answers : FeatureDetector or None
        What reads the backbone's own answers, where it gives any; None is `AnswerOdds`.
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
    summary = "a class by itself: blend, and the odds of answers of the backbone it doesn't get"
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
        """Return the share of held-out known images that look more other than each, (n, 1)."""
        assert self.quantiles_
        shares = np.linspace(1.0, 0.0, len(self.quantiles_))
        return np.interp(other_score, self.quantiles_, shares)[:, np.newaxis]
