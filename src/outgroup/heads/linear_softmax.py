"""Multinomial logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError
from outgroup.heads._linear import LinearHead
from outgroup.heads.base import HEADS


@HEADS.register("linear-softmax")
class LinearSoftmax(LinearHead):
    """Linear logits, softmax, cross-entropy with every class weighing the same.

    Parameters
    ----------
    strength : float or None, default=None
        Strength of regularisation; None: chosen by cross-validation.

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

    @staticmethod
    def targets(
        y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return one-hot rows, and weights with the same sum for every class present.

        Raises
        ------
        InvalidDataError
            If there are negatives: a softmax over the known classes has no place for them; or
            if a row may have several labels.
        """
        if y.ndim != 1:
            raise InvalidDataError("A softmax gives each image one class, and can't learn several.")
        if (y < 0).any():
            raise InvalidDataError("A softmax over the known classes can't learn from negatives.")
        targets = np.eye(n_classes)[y]
        counts = targets.sum(axis=0)
        weights = 1.0 / (counts[y] * max(int((counts > 0).sum()), 1))
        return targets, np.repeat(weights[:, np.newaxis], n_classes, axis=1)

    @staticmethod
    def loss(
        logits: NDArray[np.float64], targets: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Return the weighted cross-entropy (natural logarithm) and its slope in the logits.

        Several models may stand side by side; each has one target a row, so the number of ones in
        a row tells how many there are, and each gets a softmax of its own.
        """
        n_models = int(targets[0].sum())
        z, t, w = (a.reshape(len(a), n_models, -1) for a in (logits, targets, weights))
        top = z.max(axis=2, keepdims=True)
        log_sum = top + np.log(np.exp(z - top).sum(axis=2, keepdims=True))
        loss = (w * t * (log_sum - z)).sum()
        return float(loss), (w * (np.exp(z - log_sum) - t)).reshape(logits.shape)

    @staticmethod
    def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the softmax: rows add up to 1, safe for any finite logits."""
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: NDArray[Any] = shifted / shifted.sum(axis=1, keepdims=True)
        return result
