"""Sigmoids that mind rows they get wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._focal import FocalHead
from outgroup.heads._losses import focal_sigmoid
from outgroup.heads._targets import one_against_rest
from outgroup.heads.base import HEADS, SigmoidHead


@HEADS.register("focal-sigmoid")
class FocalSigmoid(FocalHead, SigmoidHead):
    """Linear logits, a sigmoid each, focal loss: ``-(1 - p)^gamma log p`` of the true side.

    Made for a few positives among many easy negatives. The paper's alpha, a weight of each side,
    is the class weight here; with ``gamma=0`` this is `LinearSigmoid`.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.
    class_weight : "balanced" or None, default="balanced"
        "balanced": in each output the positives weigh as much as everything else together; None:
        every row weighs the same.
    gamma : float, default=2.0
        How much less a row counts that the head is right about.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0], [9.0], [9.5]])
    >>> head = FocalSigmoid(strength=0.1).fit(X, np.array([0, 0, 1, 1, -1, -1]))
    >>> head.probabilities(head.logits(np.array([[0.5], [9.0]]))).round(2)
    array([[0.64, 0.51],
           [0.23, 0.49]])
    """

    name = "focal-sigmoid"
    summary = "a sigmoid for each class, focal loss; negatives are all-zero rows"
    reference = "Lin et al. 2017"
    separate = True

    def targets(
        self, y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LinearHead.targets`: 0/1 rows, all zero for negatives."""
        return one_against_rest(y, n_classes, self.class_weight)

    def loss(
        self,
        logits: NDArray[np.float64],
        targets: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LinearHead.loss`."""
        return focal_sigmoid(logits, targets, weights, self.gamma)
