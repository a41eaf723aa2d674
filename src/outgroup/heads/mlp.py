"""A multi-layer perceptron with one softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._losses import cross_entropy
from outgroup.heads._mlp import PerceptronHead
from outgroup.heads._targets import one_hot
from outgroup.heads.base import HEADS, SoftmaxHead


@HEADS.register("mlp")
class Perceptron(PerceptronHead, SoftmaxHead):
    """One hidden layer, softmax, cross-entropy; scikit-learn's `MLPClassifier`.

    Parameters
    ----------
    hidden : int, default=64
        Units of the hidden layer.
    strength : float, default=0.01
        Strength of regularisation.
    class_weight : "balanced", "oversample" or None, default="balanced"
        "balanced": every class weighs the same; "oversample": the same by repeating rows of rare
        classes; None: every row weighs the same.
    seed : int, default=0
        Seed of the start and of the order of rows.
    epochs : int or None, default=None
        How often each row is seen; None: chosen by cross-validation.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press 2016, chapters 6 and 7.8.

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])  # no line parts these
    >>> head = Perceptron(epochs=100, strength=0.0).fit(X, np.array([0, 0, 1, 1]))
    >>> head.logits(X).argmax(axis=1)
    array([0, 0, 1, 1])
    """

    name = "mlp"
    summary = "multi-layer perceptron with one softmax (scikit-learn's)"
    reference = "Goodfellow et al. 2016, chapter 6"

    @staticmethod
    def encoded(
        y: NDArray[np.int64], n_classes: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `PerceptronHead.encoded`: class indices."""
        one_hot(y, n_classes, None)  # refuses negatives
        return y, np.arange(n_classes)

    @staticmethod
    def output_layer(coef: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """See `PerceptronHead.output_layer`: for two classes scikit-learn has one logit."""
        if len(bias) > 1:
            return coef.copy(), bias.copy()
        halves = np.array([-0.5, 0.5], dtype=coef.dtype)
        return coef * halves, bias * halves

    def held_out_loss(self, logits: NDArray[np.float64], y: NDArray[np.int64]) -> float:
        """See `PerceptronHead.held_out_loss`."""
        targets, weights = one_hot(y, logits.shape[1], self.loss_weight)
        return float(cross_entropy(logits, targets, weights)[0].sum())
