"""A multi-layer perceptron with a sigmoid for each class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._losses import binary_cross_entropy
from outgroup.heads._mlp import PerceptronHead
from outgroup.heads._targets import one_against_rest, row_weights
from outgroup.heads.base import HEADS, SigmoidHead


@HEADS.register("mlp-sigmoid")
class PerceptronSigmoid(PerceptronHead, SigmoidHead):
    """One hidden layer, a sigmoid for each class; scikit-learn's multi-label `MLPClassifier`.

    Parameters
    ----------
    hidden : int, default=64
        Units of the hidden layer.
    strength : float, default=0.01
        Strength of regularisation.
    class_weight : "balanced", "oversample" or None, default="balanced"
        "balanced": every class weighs the same, and all negatives together as much as a class;
        "oversample": the same by repeating rows; None: every row weighs the same.
    seed : int, default=0
        Seed of the start and of the order of rows.
    epochs : int or None, default=None
        How often each row is seen; None: chosen by cross-validation.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press 2016, chapters 6 and 7.8.

    Examples
    --------
    >>> X = np.array([[0.0], [0.2], [1.0], [1.2], [2.0], [2.2]])  # the last class has two sides
    >>> head = PerceptronSigmoid(epochs=200, strength=0.0).fit(X, np.array([0, 0, 1, 1, -1, -1]))
    >>> (head.probabilities(head.logits(X)) > 0.5).astype(int)
    array([[1, 0],
           [1, 0],
           [0, 1],
           [0, 1],
           [0, 0],
           [0, 0]])
    """

    name = "mlp-sigmoid"
    summary = "multi-layer perceptron with a sigmoid for each class; negatives are all-zero rows"
    reference = "Goodfellow et al. 2016, chapter 6"

    @staticmethod
    def encoded(
        y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `PerceptronHead.encoded`: 0/1 rows, a plain vector for one class."""
        rows = (y[:, np.newaxis] == np.arange(n_classes)).astype(np.int64)
        return (rows[:, 0], np.arange(2)) if n_classes == 1 else (rows, np.arange(n_classes))

    @staticmethod
    def output_layer(coef: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `PerceptronHead.output_layer`."""
        return coef.copy(), bias.copy()

    def held_out_loss(self, logits: NDArray[np.float64], y: NDArray[np.int64]) -> float:
        """See `PerceptronHead.held_out_loss`."""
        targets, _ = one_against_rest(y, logits.shape[1], None)
        weights = np.repeat(row_weights(y, self.loss_weight)[:, np.newaxis], logits.shape[1], 1)
        return float(binary_cross_entropy(logits, targets, weights)[0].sum())
