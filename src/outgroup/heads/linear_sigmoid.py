"""One-vs-rest logistic regression: a sigmoid for each class, and room for "none of them"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._linear import LinearHead
from outgroup.heads._losses import binary_cross_entropy
from outgroup.heads._targets import one_against_rest
from outgroup.heads.base import HEADS, SigmoidHead


@HEADS.register("linear-sigmoid")
class LinearSigmoid(LinearHead, SigmoidHead):
    """Linear logits, a sigmoid each, binary cross-entropy; negatives are all-zero rows.

    Where an image may have several labels, ``y`` is a matrix (n, K): 1 for a label that is there, 0
    for one that is not, -1 for one of which nobody knows, which is then not learned from.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.
    class_weight : "balanced" or None, default="balanced"
        "balanced": in each output the positives weigh as much as everything else together, which
        is all other classes and the negatives; None: every row weighs the same.

    References
    ----------
    R. Rifkin and A. Klautau, In Defense of One-Vs-All Classification, JMLR 5 (2004), 101-141.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0], [9.0], [9.5]])
    >>> head = LinearSigmoid(strength=0.1).fit(X, np.array([0, 0, 1, 1, -1, -1]))
    >>> head.probabilities(head.logits(np.array([[0.5], [9.0]]))).round(2)
    array([[0.77, 0.53],
           [0.09, 0.47]])
    >>> both = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1], [0, -1]])
    >>> LinearSigmoid(strength=0.1).fit(X, both).logits(X[:1]).round(1)
    array([[ 1.9, -1.3]])
    """

    name = "linear-sigmoid"
    summary = "a sigmoid for each class, binary cross-entropy; negatives are all-zero rows"
    reference = "Rifkin & Klautau 2004, JMLR 5"
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
        return binary_cross_entropy(logits, targets, weights)
