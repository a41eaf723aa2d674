"""Sigmoids that take negatives for what they may be: images of which nobody has said anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._checks import is_number, require
from outgroup.heads._linear import LinearHead
from outgroup.heads._prior import best_bin
from outgroup.heads._targets import BALANCED, one_against_rest
from outgroup.heads.base import HEADS, OTHER, SigmoidHead

Array = NDArray[np.float64]

#: Target of a cell of which nobody knows, less the share of such cells that are of the class.
UNLABELLED = -1.0

#: Below zero the loss on what is not of the class levels off over this width, without a kink.
CURVE = 0.01

#: Largest share that is believed: with more the risk is no longer convex in the logits.
MOST = 0.5


@HEADS.register("pu-sigmoid")
class PositiveUnlabelledSigmoid(LinearHead, SigmoidHead):
    """Linear logits, a sigmoid each; negatives are unlabelled, and a share of them of each class.

    For each class, the loss on what is unlabelled and not of it is that on all unlabelled rows less
    that on a share of positives, and no less than zero (but for a rounded corner): below, it would
    only be fitting noise. Rows of other classes are true negatives. Without unlabelled rows, or
    with a share of 0, this is `LinearSigmoid`.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.
    class_weight : "balanced" or None, default="balanced"
        "balanced": in each output the positives weigh as much as everything else together; None:
        every row weighs the same.
    prior : float, sequence of float, or None, default=None
        Share of each class among the unlabelled rows, from 0 to 0.5; None: estimated by `cross_fit`
        from held-out logits that take all of them for negatives (best bin estimation), and 0 where
        that was not called.

    References
    ----------
    R. Kiryo et al., Positive-Unlabeled Learning with Non-Negative Risk Estimator, NeurIPS 2017.
    Weighed as in G. Su, W. Chen and M. Xu, Positive-Unlabeled Learning from Imbalanced Data, IJCAI
    2021. The share: S. Garg et al., Mixture Proportion Estimation and PU Learning, NeurIPS 2021.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0], [9.0], [0.5]])
    >>> y = np.array([0, 0, 1, 1, -1, -1])  # the last is of class 0, which nobody has said
    >>> new = np.array([[0.5]])
    >>> for share in (0.0, 0.3):
    ...     head = PositiveUnlabelledSigmoid(strength=0.1, prior=share).fit(X, y)
    ...     print(head.probabilities(head.logits(new)).round(2))
    [[0.66 0.38]]
    [[0.71 0.4 ]]
    """

    name = "pu-sigmoid"
    summary = "a sigmoid for each class; negatives are unlabelled, a share of them of each class"
    reference = "Kiryo et al. 2017; Garg et al. 2021"
    parameters: ClassVar[tuple[str, ...]] = ("strength", "class_weight", "prior")
    tuned: ClassVar[tuple[str, ...]] = ("strength", "prior")
    adds_up = False
    separate = True

    def __init__(
        self,
        strength: float | None = None,
        class_weight: str | None = BALANCED,
        prior: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(strength, class_weight)
        shares: list[Any] = [prior] if is_number(prior) else _listed(prior)
        fine = all(is_number(share) and 0.0 <= share <= MOST for share in shares)
        fine = fine and (prior is None or len(shares) > 0)
        require(fine, "prior", "from 0 to 0.5, one such number a class, or None", prior)
        self.prior = None if prior is None else [float(share) for share in shares]
        self.prior_ = self.prior

    def cross_fit(self, X: NDArray[Any], y: NDArray[np.int64], folds: NDArray[np.int64]) -> Array:
        """See `Head.cross_fit`; strength and shares are chosen as if all negatives were such."""
        if self.prior is not None or y.ndim > 1 or not (y == OTHER).any():
            return super().cross_fit(X, y, folds)
        self.prior_ = None
        logits = super().cross_fit(X, y, folds)
        self.prior_ = [
            min(best_bin(logits[y == k, k], logits[y == OTHER, k]), MOST)
            for k in range(logits.shape[1])
        ]
        given, self.strength = self.strength, self.strength_
        try:
            return super().cross_fit(X, y, folds)
        finally:
            self.strength = given

    def targets(self, y: NDArray[np.int64], n_classes: int) -> tuple[Array, Array]:
        """See `LinearHead.targets`: 0/1 rows, `UNLABELLED` and less for negatives."""
        targets, weights = one_against_rest(y, n_classes, self.class_weight)
        if y.ndim == 1:
            prior = np.resize(0.0 if self.prior_ is None else self.prior_, n_classes)
            targets[y == OTHER] = UNLABELLED - prior
        return targets, weights

    def loss(self, logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
        """See `LinearHead.loss`; all rows are needed at once."""
        prior = np.maximum(UNLABELLED - targets.min(axis=0), 0.0)
        small = np.exp(-np.abs(logits))
        above = logits > 0
        softplus = np.log(1.0 + small) + np.where(above, logits, 0.0)
        sigmoid = np.where(above, 1.0, small) / (1.0 + small)
        positive = weights * (targets == 1)
        unlabelled = weights * (targets <= UNLABELLED)
        negative = weights - positive - unlabelled
        total = positive.sum(axis=0)
        taken = prior / (1.0 - prior) * unlabelled.sum(axis=0) / np.where(total > 0, total, 1.0)
        not_of_class = unlabelled / (1.0 - prior) - taken * positive
        of_others = (not_of_class * softplus).sum(axis=0)
        below = np.clip(of_others, -CURVE, 0.0)
        loss = (positive * (softplus - logits) + negative * softplus).sum(axis=0)
        loss += np.maximum(of_others, below) + below**2 / (2.0 * CURVE)
        not_of_class *= 1.0 + below / CURVE
        slope = positive * (sigmoid - 1.0) + (negative + not_of_class) * sigmoid
        return loss, slope


def _listed(prior: Any) -> list[Any]:
    """Return the shares one by one; what is no sequence is one that is no share."""
    if prior is None:
        return []
    return list(prior) if isinstance(prior, (list, tuple)) else [prior]
