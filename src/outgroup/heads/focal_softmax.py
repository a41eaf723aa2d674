"""A softmax that minds rows it gets wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._focal import FocalHead
from outgroup.heads._losses import focal_softmax
from outgroup.heads._targets import one_hot
from outgroup.heads.base import HEADS, SoftmaxHead


@HEADS.register("focal-softmax")
class FocalSoftmax(FocalHead, SoftmaxHead):
    """Linear logits, softmax, focal loss: ``-(1 - p)^gamma log p`` of the true class.

    Rows that the head is sure of and right about hardly count, so that it is less sure on the
    whole; with ``gamma=0`` this is `LinearSoftmax`.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.
    class_weight : "balanced" or None, default="balanced"
        "balanced": every class weighs the same; None: every row.
    gamma : float, default=2.0
        How much less a row counts that the head is right about.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    J. Mukhoti et al., Calibrating Deep Neural Networks using Focal Loss, NeurIPS 2020 (softmax).

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> head = FocalSoftmax(strength=0.1).fit(X, np.array([0, 0, 1, 1]))
    >>> head.probabilities(head.logits(np.array([[0.5], [2.5]]))).round(2)
    array([[0.73, 0.27],
           [0.5 , 0.5 ]])
    """

    name = "focal-softmax"
    summary = "softmax over linear scores, focal loss"
    reference = "Lin et al. 2017; Mukhoti et al. 2020"

    def targets(
        self, y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LinearHead.targets`: one-hot rows; raises `InvalidDataError` for negatives."""
        return one_hot(y, n_classes, self.class_weight)

    def loss(
        self,
        logits: NDArray[np.float64],
        targets: NDArray[np.float64],
        weights: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See `LinearHead.loss`."""
        return focal_softmax(logits, targets, weights, self.gamma)
