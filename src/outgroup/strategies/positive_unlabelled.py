"""Negatives that nobody has looked at, taken for what they are: unlabelled."""

from __future__ import annotations

from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.heads.pu_sigmoid import PositiveUnlabelledSigmoid
from outgroup.strategies.base import STRATEGIES, Scores
from outgroup.strategies.folded import FoldedRows
from outgroup.strategies.sigmoid import Sigmoid


@STRATEGIES.register("positive-unlabelled")
class PositiveUnlabelled(Sigmoid):
    """One-vs-rest sigmoids that expect a share of the negatives to be of each class.

    The share is estimated from held-out scores. Made for random images that are learned from as
    they come (``keep_suspects``); where what looks like a class has been set aside before, there is
    little left to expect, and this is much the same as `Sigmoid`.

    Parameters
    ----------
    head : PositiveUnlabelledSigmoid or None
        None is one of its usual parameters.
    layers : sequence of str or None
        Layers that the head reads; None: all there are.

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
        """See `Strategy.cross_fit`; without negatives this is `Sigmoid`, with which it shares."""
        head = self.head
        if rows.has_others or not isinstance(head, PositiveUnlabelledSigmoid):
            return super().cross_fit(rows)
        plain = LinearSigmoid(head.strength, head.class_weight)
        logits = rows.logits(plain, self.layers)
        head.choose({**head.chosen(), **plain.chosen()})
        return self._scores(logits)
