"""A sigmoid for each class: an image that no class claims is other."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup.detectors.logits import MaxLogit
from outgroup.heads import Head, SigmoidHead
from outgroup.heads.linear import LinearSigmoid, PositiveUnlabelledSigmoid
from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores
from outgroup.strategies.cross_fit import FoldedRows

#: The sigmoid that the fixed-threshold recipe asks for.
CONFIDENT: Final = 0.95


@STRATEGIES.register("sigmoid")
class Sigmoid(HeadStrategy):
    """One-vs-rest sigmoids; negatives, if there are any, are rows of zeros.

    The other-score is minus the largest logit, which orders images as 1 - max sigmoid does.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017.
    """

    name = "sigmoid"
    summary = "one sigmoid a class; negatives are rows of zeros"
    reference = "Shu et al. 2017"
    uses_others = True
    takes_head = SigmoidHead
    default_head: ClassVar[type[Head]] = LinearSigmoid

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        return Scores(self.head.probabilities(logits), MaxLogit().other_score(logits))


@STRATEGIES.register("sigmoid-0.95")
class FixedSigmoid(Sigmoid):
    """Sigmoids by plain cross-entropy, without negatives, and 0.95 as the threshold.

    A popular recipe, for comparison: an image is other iff no sigmoid reaches 0.95. The threshold
    is fixed, so the certificate only states what held-out images show for it.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017, with a
    threshold of 0.5 or one fitted to each class.
    """

    name = "sigmoid-0.95"
    summary = "one sigmoid a class without negatives, 0.95 as the threshold: a popular recipe"
    reference = "after Shu et al. 2017"
    uses_others = False
    fixed_threshold = -math.log(CONFIDENT / (1 - CONFIDENT))

    def __init__(self, head: Head | None = None, layers: tuple[str, ...] | None = None) -> None:
        super().__init__(LinearSigmoid(class_weight=None) if head is None else head, layers)

    def learned(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the class indices; negatives are not learned from."""
        return np.where(y == OTHER, UNSEEN, y)


@STRATEGIES.register("positive-unlabelled")
class PositiveUnlabelled(Sigmoid):
    """One-vs-rest sigmoids that expect a share of the negatives to belong to each class.

    The share is estimated from held-out scores. Meant for unchecked negatives that are learned from
    as they are (``keep_suspects``).

    References
    ----------
    R. Kiryo et al., Positive-Unlabeled Learning with Non-Negative Risk Estimator, NeurIPS 2017.
    """

    name = "positive-unlabelled"
    summary = "one sigmoid a class; negatives are unlabelled, a share of them of each class"
    reference = "Kiryo et al. 2017; Garg et al. 2021"
    takes_head = PositiveUnlabelledSigmoid
    default_head = PositiveUnlabelledSigmoid

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`; without negatives this is `Sigmoid`, and shares its scores."""
        head = self.head
        if rows.has_others or not isinstance(head, PositiveUnlabelledSigmoid):
            return super().cross_fit(rows)
        plain = LinearSigmoid(head.strength, head.class_weight)
        logits = rows.logits(plain, self.layers)
        head.choose({**head.chosen(), **plain.chosen()})
        return self._scores(logits)
