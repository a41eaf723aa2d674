"""The popular recipe, to see what it does."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from outgroup._component import UNSEEN
from outgroup.heads import Head
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.multilabel.labelers.base import LABELERS, Labeler, LabelScores
from outgroup.strategies import Features, head_input, take
from outgroup.strategies.folded import NO_FOLD

#: The sigmoid that a label needs to be given.
CONFIDENT: Final = 0.95


@LABELERS.register("sigmoid-0.95")
class RecipeLabeler(Labeler):
    """Sigmoids by plain cross-entropy, no negatives, and 0.95 as the threshold of each.

    "Train with sigmoids instead of a softmax, and take 0.95 when predicting": advice often given to
    those whose classifier names what it has never seen. Images of none of the labels are not
    learned from. The threshold is part of the recipe, so the certificate only says what held-out
    images made of it.

    Parameters
    ----------
    head : Head or None
        None is `LinearSigmoid` with every image weighing the same.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017, is where
    such sigmoids are proposed, with a threshold of 0.5 or one fitted to each class.
    """

    name = "sigmoid-0.95"
    summary = "one sigmoid a label without negatives, 0.95 as the threshold: a popular recipe"
    reference = "after Shu et al. 2017"
    fixed_threshold = -math.log(CONFIDENT / (1 - CONFIDENT))
    parts = ("head",)

    def __init__(self, head: Head | None = None) -> None:
        self.head = head or LinearSigmoid(class_weight=None)

    def cross_fit(
        self, features: Features, Y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> LabelScores:
        """See `Labeler.cross_fit`; rows of none of the labels are scored by the final model."""
        used = (Y == 1).any(axis=1)
        Y = np.where(used[:, np.newaxis], Y, UNSEEN)
        folds = np.where(used, folds, NO_FOLD)
        return self._scores(self.head.cross_fit(head_input(features), Y, folds))

    def fit(self, features: Features, Y: NDArray[np.int64]) -> RecipeLabeler:
        """See `Labeler.fit`."""
        used = (Y == 1).any(axis=1)
        self.head.fit(head_input(take(features, used)), Y[used])
        return self

    def score(self, features: Features) -> LabelScores:
        """See `Labeler.score`."""
        return self._scores(self.head.logits(head_input(features)))

    def _scores(self, logits: NDArray[np.float64]) -> LabelScores:
        return LabelScores(self.head.probabilities(logits), -logits)
