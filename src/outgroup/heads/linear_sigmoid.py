"""One-vs-rest logistic regression: a sigmoid for each class, and room for "none of them"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from outgroup.heads._linear import LinearHead
from outgroup.heads.base import HEADS


@HEADS.register("linear-sigmoid")
class LinearSigmoid(LinearHead):
    """Linear logits, a sigmoid each, binary cross-entropy; negatives are all-zero rows.

    In each output the positives weigh as much as everything else together. Where an image may have
    several labels, ``y`` is a matrix (n, K): 1 for a label that is there, 0 for one that is not,
    -1 for one of which nobody knows, which is then not learned from.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.

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

    @staticmethod
    def targets(
        y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return 0/1 rows, all zero for negatives, and weights: half for each side of a column."""
        marks = y if y.ndim == 2 else (y[:, np.newaxis] == np.arange(n_classes)).astype(np.int64)
        yes, no = marks == 1, marks == 0
        weight_yes, weight_no = (0.5 / np.maximum(side.sum(axis=0), 1.0) for side in (yes, no))
        return yes.astype(np.float64), yes * weight_yes + no * weight_no

    @staticmethod
    def loss(
        logits: NDArray[np.float64], targets: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the weighted binary cross-entropy and its slope in the logits."""
        loss = (weights * (np.logaddexp(0.0, logits) - targets * logits)).sum()
        return float(loss), weights * (expit(logits) - targets)

    @staticmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sigmoid of each logit: each class by itself, rows need not add up to 1."""
        result: NDArray[np.float64] = expit(logits)
        return result
