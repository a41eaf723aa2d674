"""Multinomial logistic regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._linear import LinearHead
from outgroup.heads._losses import cross_entropy
from outgroup.heads._targets import one_hot
from outgroup.heads.base import HEADS, SoftmaxHead


@HEADS.register("linear-softmax")
class LinearSoftmax(LinearHead, SoftmaxHead):
    """Linear logits, softmax, cross-entropy.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.
    class_weight : "balanced" or None, default="balanced"
        "balanced": every class weighs the same; None: every row.

    References
    ----------
    C. M. Bishop, Pattern Recognition and Machine Learning, Springer 2006, section 4.3.4.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> head = LinearSoftmax(strength=0.1).fit(X, np.array([0, 0, 1, 1]))
    >>> head.probabilities(head.logits(np.array([[0.5], [2.5]]))).round(2)
    array([[0.89, 0.11],
           [0.5 , 0.5 ]])
    """

    name = "linear-softmax"
    summary = "one categorical output: softmax over linear scores, cross-entropy"
    reference = "Bishop 2006, section 4.3.4"

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
        return cross_entropy(logits, targets, weights)
