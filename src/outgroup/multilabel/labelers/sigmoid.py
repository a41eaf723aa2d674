"""A sigmoid for each label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.heads import Head
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.multilabel.labelers.base import LABELERS, Labeler, LabelScores
from outgroup.strategies import Features, head_input


@LABELERS.register("sigmoid")
class SigmoidLabeler(Labeler):
    """Independent sigmoids; the score of a label is minus its logit.

    Rows of zeros teach it what has none of the labels. Without any it gives images far from all
    training data some label with certainty.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid`.

    References
    ----------
    M. R. Boutell et al., Learning Multi-Label Scene Classification, Pattern Recognition 37 (2004),
    1757-1771.
    """

    name = "sigmoid"
    summary = "one sigmoid a label; images of none are rows of zeros"
    reference = "Boutell et al. 2004"
    parts = ("head",)

    def __init__(self, head: Head | None = None) -> None:
        self.head = head or LinearSigmoid()

    def cross_fit(
        self, features: Features, Y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> LabelScores:
        """See `Labeler.cross_fit`."""
        return self._scores(self.head.cross_fit(head_input(features), Y, folds))

    def fit(self, features: Features, Y: NDArray[np.int64]) -> SigmoidLabeler:
        """See `Labeler.fit`."""
        self.head.fit(head_input(features), Y)
        return self

    def score(self, features: Features) -> LabelScores:
        """See `Labeler.score`."""
        return self._scores(self.head.logits(head_input(features)))

    def _scores(self, logits: NDArray[np.float64]) -> LabelScores:
        return LabelScores(self.head.probabilities(logits), -logits)
