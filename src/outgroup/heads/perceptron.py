"""Multi-layer perceptrons, trained by scikit-learn and applied with NumPy.

The number of epochs decides how large the logits get, so it is chosen once for all folds and used
in the final fit too. An epoch has a fixed number of batches and the penalty counts per row, so that
an epoch means the same for a fold and for all rows.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array, require
from outgroup.errors import InvalidParameterError
from outgroup.heads.base import (
    HEADS,
    UNSEEN,
    Labels,
    SigmoidHead,
    SoftmaxHead,
    StandardisedHead,
    is_number,
    is_whole,
    one_thread,
)
from outgroup.heads.head_losses import (
    BALANCED,
    OVERSAMPLE,
    binary_cross_entropy,
    cross_entropy,
    one_against_rest,
    one_hot,
    oversampled,
    row_weights,
)

Layers = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]

#: Batches per epoch.
BATCHES = 8

#: Most epochs, and epochs without a smaller held-out loss after which training stops.
MOST_EPOCHS, PATIENCE = 100, 5


class PerceptronHead(StandardisedHead):
    """Base of perceptrons with one hidden layer; a subclass defines the output layer.

    Rows are shuffled from the order in which they come, so another order gives another, equally
    good model; `ImageClassifier` sorts images first.

    Parameters
    ----------
    hidden : int, default=64
        Units of the hidden layer, rectified.
    strength : float, default=0.01
        Weight of the squared norm of the coefficients, for a loss that is a mean over rows.
    class_weight : "balanced", "oversample" or None, default="balanced"
        "balanced": every class weighs the same, all negatives counting as one class; "oversample":
        the same by repeating rows of rare classes; None: every row weighs the same.
    seed : int, default=0
        Seed of the initial coefficients and of the order of rows.
    epochs : int or None, default=None
        Number of epochs. None: the one with the least held-out loss in `cross_fit`.
    """

    parameters = ("hidden", "strength", "class_weight", "seed", "epochs")
    tuned = ("epochs",)
    arrays = ("mean", "scale", "inner", "inner_bias", "outer", "outer_bias")

    def __init__(
        self,
        hidden: int = 64,
        strength: float = 0.01,
        class_weight: str | None = BALANCED,
        seed: int = 0,
        epochs: int | None = None,
    ) -> None:
        require(is_whole(hidden, 1), "hidden", "a whole number from 1 up", hidden)
        require(is_number(strength) and strength >= 0, "strength", "a number from 0 up", strength)
        valid = class_weight in (BALANCED, OVERSAMPLE, None)
        require(valid, "class_weight", "'balanced', 'oversample' or None", class_weight)
        valid = is_whole(seed, 0) and seed < 2**32
        require(valid, "seed", "a whole number from 0 to 2**32 - 1", seed)
        valid = epochs is None or is_whole(epochs, 1)
        require(valid, "epochs", "a whole number from 1 up, or None", epochs)
        self.hidden = int(hidden)
        self.strength = float(strength)
        self.class_weight = class_weight
        self.loss_weight = None if class_weight is None else BALANCED
        self.seed = int(seed)
        self.epochs = None if epochs is None else int(epochs)
        self.epochs_ = self.epochs

    @staticmethod
    @abstractmethod
    def encoded(y: Labels, n_classes: int) -> tuple[Labels, Labels]:
        """Return labels and classes in scikit-learn's form."""

    @staticmethod
    def output_layer(coef: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return a copy of scikit-learn's output layer with K logits."""
        return coef.copy(), bias.copy()

    @abstractmethod
    def held_out_loss(self, logits: Array, y: Labels) -> float:
        """Return the loss of known rows and negatives."""

    def cross_fit(self, X: NDArray[Any], y: Labels, folds: Labels) -> Array:
        """Choose the epochs and return out-of-fold logits; all folds advance epoch by epoch."""
        seen, n_classes = y != UNSEEN, int(y.max()) + 1
        Z, y_seen = self.standardise(X if seen.all() else X[seen]), y[seen]
        Z, unseen = (np.asarray(rows, dtype=np.float32) for rows in (Z, self.scaled(X[~seen])))
        fold_names = np.unique(folds)  # the fold of unseen rows holds out no seen row
        held_out = [folds[seen] == fold for fold in fold_names]
        logits, unseen_logits = np.empty((len(Z), n_classes)), np.empty((len(unseen), n_classes))
        best_loss, best = np.inf, (logits, unseen_logits)
        with one_thread():  # the same steps for any number of threads
            trainings = [_Training(self, y_seen, ~held, n_classes) for held in held_out]
            for epoch in range(1, (self.epochs or MOST_EPOCHS) + 1):
                for training, held in zip(trainings, held_out, strict=True):
                    training.epoch(Z)
                    if held.any():
                        logits[held] = _forward(Z[held], training.layers())
                loss = self.held_out_loss(logits, y_seen)
                if loss < best_loss or self.epochs is not None:
                    if len(unseen):
                        whole = trainings[int(np.searchsorted(fold_names, folds[~seen][0]))]
                        unseen_logits = _forward(unseen, whole.layers())
                    best_loss, best, self.epochs_ = loss, (logits.copy(), unseen_logits), epoch
                elif epoch - (self.epochs_ or 0) >= PATIENCE:
                    break
        result = np.empty((len(y), n_classes))
        result[seen], result[~seen] = best
        return result

    def fit(self, X: NDArray[Any], y: Labels) -> PerceptronHead:
        """Learn from all rows; see `Head.fit`."""
        if self.epochs_ is None:
            raise InvalidParameterError("`epochs` is None: call cross_fit first, or set it.")
        Z = np.asarray(self.standardise(X), dtype=np.float32)
        with one_thread():
            training = _Training(self, y, np.ones(len(y), dtype=np.bool_), int(y.max()) + 1)
            for _ in range(self.epochs_):
                training.epoch(Z)
        self.inner, self.inner_bias, self.outer, self.outer_bias = training.layers()
        return self

    def logits(self, X: NDArray[Any]) -> Array:
        """Return unbounded class scores of shape (n, K)."""
        layers = (self.inner, self.inner_bias, self.outer, self.outer_bias)
        double = [layer.astype(np.float64) for layer in layers]
        return _forward((X - self.mean) / self.scale, double)


@HEADS.register("mlp")
class Perceptron(PerceptronHead, SoftmaxHead):
    """One hidden layer, softmax, cross-entropy; scikit-learn's `MLPClassifier`.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press 2016, chapters 6 and 7.8.
    """

    summary = "multi-layer perceptron with one softmax (scikit-learn's)"
    reference = "Goodfellow et al. 2016, chapter 6"

    @staticmethod
    def encoded(y: Labels, n_classes: int) -> tuple[Labels, Labels]:
        """Return class indices; refuse negatives."""
        one_hot(y, n_classes, None)
        return y, np.arange(n_classes)

    @staticmethod
    def output_layer(coef: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the layer; with two classes scikit-learn has one logit."""
        if len(bias) > 1:
            return coef.copy(), bias.copy()
        halves = np.array([-0.5, 0.5], dtype=coef.dtype)
        return coef * halves, bias * halves

    def held_out_loss(self, logits: Array, y: Labels) -> float:
        """Return the cross-entropy."""
        targets, weights = one_hot(y, logits.shape[1], self.loss_weight)
        return float(cross_entropy(logits, targets, weights)[0].sum())


@HEADS.register("mlp-sigmoid")
class PerceptronSigmoid(PerceptronHead, SigmoidHead):
    """One hidden layer, a sigmoid per class; scikit-learn's multi-label `MLPClassifier`.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, MIT Press 2016, chapters 6 and 7.8.
    """

    summary = "multi-layer perceptron with a sigmoid for each class; negatives are all-zero rows"
    reference = "Goodfellow et al. 2016, chapter 6"

    @staticmethod
    def encoded(y: Labels, n_classes: int) -> tuple[Labels, Labels]:
        """Return 0/1 rows, or a vector if there is one class."""
        rows = (y[:, np.newaxis] == np.arange(n_classes)).astype(np.int64)
        return (rows[:, 0], np.arange(2)) if n_classes == 1 else (rows, np.arange(n_classes))

    def held_out_loss(self, logits: Array, y: Labels) -> float:
        """Return the binary cross-entropy."""
        targets, _ = one_against_rest(y, logits.shape[1], None)
        weights = np.repeat(row_weights(y, self.loss_weight)[:, np.newaxis], logits.shape[1], 1)
        return float(binary_cross_entropy(logits, targets, weights)[0].sum())


class _Training:
    """One network in training on some of the rows."""

    def __init__(
        self, head: PerceptronHead, y: Labels, rows: NDArray[np.bool_], n_classes: int
    ) -> None:
        from sklearn.neural_network import MLPClassifier

        self.rows = np.flatnonzero(rows)
        self.weights = None
        if head.class_weight == OVERSAMPLE:
            self.rows = self.rows[oversampled(y[self.rows])]
        elif head.class_weight == BALANCED:
            self.weights = len(self.rows) * row_weights(y[self.rows], BALANCED)
        self.labels, self.classes = head.encoded(y[self.rows], n_classes)
        self.output_layer = head.output_layer
        batch = max(-(-len(self.rows) // BATCHES), 1)
        self.network = MLPClassifier(
            hidden_layer_sizes=(head.hidden,),
            alpha=head.strength * batch,
            batch_size=batch,
            learning_rate_init=3e-3,  # three times the default: as good in a third of the epochs
            random_state=np.random.RandomState(head.seed),  # one stream for all epochs
        )

    def epoch(self, Z: NDArray[Any]) -> None:
        """Learn once from every row."""
        self.network.partial_fit(Z[self.rows], self.labels, self.weights, classes=self.classes)

    def layers(self) -> Layers:
        """Return copies of the coefficients and biases of both layers."""
        (inner, outer), (inner_bias, outer_bias) = self.network.coefs_, self.network.intercepts_
        return inner.copy(), inner_bias.copy(), *self.output_layer(outer, outer_bias)


def _forward(Z: NDArray[Any], layers: Any) -> Array:
    inner, inner_bias, outer, outer_bias = layers
    logits: Array = np.maximum(Z @ inner + inner_bias, 0.0) @ outer + outer_bias
    return logits.astype(np.float64, copy=False)
