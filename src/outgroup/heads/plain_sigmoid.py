"""Sigmoids with the plain binary cross-entropy, as it is most often trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.heads.base import HEADS
from outgroup.heads.linear_sigmoid import LinearSigmoid


@HEADS.register("plain-sigmoid")
class PlainSigmoid(LinearSigmoid):
    """As `LinearSigmoid`, but every image weighs the same, however rare its class.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.

    References
    ----------
    C. M. Bishop, Pattern Recognition and Machine Learning, Springer 2006, section 4.3.2.

    Examples
    --------
    >>> X = np.array([[0.0], [4.0], [5.0], [9.0]])
    >>> head = PlainSigmoid(strength=0.1).fit(X, np.array([0, 1, 1, 1]))
    >>> head.probabilities(head.logits(np.array([[0.5]]))).round(2)
    array([[0.56, 0.44]])
    """

    name = "plain-sigmoid"
    summary = "a sigmoid for each class, binary cross-entropy, every image weighing the same"
    reference = "Bishop 2006, section 4.3.2"

    @staticmethod
    def targets(
        y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return 0/1 rows, all zero for negatives, and one weight for all cells of a column."""
        targets, weights = LinearSigmoid.targets(y, n_classes)
        seen = weights > 0
        return targets, seen / np.maximum(seen.sum(axis=0), 1.0)
