"""A multi-layer perceptron, trained by scikit-learn and applied with NumPy.

How long it is trained decides how large its logits are, so that is chosen once, for all folds
together, and is the same in each and in the final model. So that an epoch is as many steps of as
much regularisation for four fifths of the rows as for all of them, the rows of an epoch come in a
fixed number of batches, and the penalty counts per row.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError
from outgroup.heads._checks import is_number, is_whole, require
from outgroup.heads._standard import Standardised
from outgroup.heads._targets import (
    BALANCED,
    OVERSAMPLE,
    oversampled,
    row_weights,
    valid_class_weight,
)
from outgroup.heads.base import UNSEEN, Head

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Layers = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]

#: Batches that the rows of an epoch come in.
BATCHES = 8

#: Step of Adam: three times scikit-learn's own, which ends up as well in a third of the time.
LEARNING_RATE = 3e-3

#: Most epochs, and epochs without a smaller held-out loss after which there is none to come.
MOST_EPOCHS, PATIENCE = 100, 5


class PerceptronHead(Standardised, Head):
    """Base of perceptrons; a subclass says what its outputs are to be.

    Rows are shuffled by `seed` from the order that they come in, so another order gives another
    model, equally good; `ImageClassifier` brings images into an order of its own first.

    Parameters
    ----------
    hidden : int, default=64
        Units of the one hidden layer, rectified.
    strength : float, default=0.01
        Weight of the squared norm of the coefficients of standardised features, for a loss that is
        a mean over rows; scikit-learn's `alpha` is this times the rows of a batch.
    class_weight : "balanced", "oversample" or None, default="balanced"
        "balanced": every class weighs the same, the negatives counting as one class; "oversample":
        the same by repeating rows of rare classes, so that each batch has some; None: every row
        weighs the same.
    seed : int, default=0
        Seed of the start and of the order of rows.
    epochs : int or None, default=None
        How often each row is seen; None: what has the least held-out loss in cross-validation.
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
        seeds = is_whole(seed, 0) and seed < 2**32
        require(seeds, "seed", "a whole number from 0 to 2**32 - 1", seed)
        fine = epochs is None or is_whole(epochs, 1)
        require(fine, "epochs", "a whole number from 1 up, or None", epochs)
        self.hidden = int(hidden)
        self.strength = float(strength)
        self.class_weight = valid_class_weight(class_weight, OVERSAMPLE)
        self.seed = int(seed)
        self.epochs = None if epochs is None else int(epochs)
        self.epochs_ = self.epochs

    @property
    def loss_weight(self) -> str | None:
        """The class weight that the training amounts to."""
        return None if self.class_weight is None else BALANCED

    @staticmethod
    @abstractmethod
    def encoded(y: Labels, n_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return labels and classes as scikit-learn takes them."""

    @staticmethod
    @abstractmethod
    def output_layer(coef: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return scikit-learn's output layer as one of K logits."""

    @abstractmethod
    def held_out_loss(self, logits: Array, y: Labels) -> float:
        """Return the loss of known rows and negatives, weighed by `row_weights`."""

    def cross_fit(self, X: NDArray[Any], y: Labels, folds: Labels) -> Array:
        """See `Head.cross_fit`; the models of all folds are trained an epoch at a time."""
        from threadpoolctl import threadpool_limits

        seen, n_classes = y != UNSEEN, int(y.max()) + 1
        Z, y_seen = self._single(self.standardise(X if seen.all() else X[seen])), y[seen]
        unseen = self._single(self.scaled(X[~seen]))
        numbers = np.unique(folds)  # with that of the unseen rows, whose model holds out no other
        held_out = [folds[seen] == fold for fold in numbers]
        logits, unseen_logits = np.empty((len(Z), n_classes)), np.empty((len(unseen), n_classes))
        best_loss, best = np.inf, (logits, unseen_logits)
        with threadpool_limits(limits=1):  # the same steps whatever the number of threads
            trainings = [_Training(self, y_seen, ~held, n_classes) for held in held_out]
            for epoch in range(1, (self.epochs or MOST_EPOCHS) + 1):
                for training, held in zip(trainings, held_out, strict=True):
                    training.epoch(Z)
                    if held.any():
                        logits[held] = _forward(Z[held], training.layers())
                loss = self.held_out_loss(logits, y_seen)
                if loss < best_loss or self.epochs is not None:
                    if len(unseen):
                        whole = trainings[int(np.searchsorted(numbers, folds[~seen][0]))]
                        unseen_logits = _forward(unseen, whole.layers())
                    best_loss, best, self.epochs_ = loss, (logits.copy(), unseen_logits), epoch
                elif epoch - (self.epochs_ or 0) >= PATIENCE:
                    break
        result = np.empty((len(y), n_classes))
        result[seen], result[~seen] = best
        return result

    def fit(self, X: NDArray[Any], y: Labels) -> PerceptronHead:
        """See `Head.fit`."""
        from threadpoolctl import threadpool_limits

        if self.epochs_ is None:
            raise InvalidParameterError("'epochs' is None: call cross_fit first, or set it.")
        Z = self._single(self.standardise(X))
        with threadpool_limits(limits=1):
            training = _Training(self, y, np.ones(len(y), dtype=np.bool_), int(y.max()) + 1)
            for _ in range(self.epochs_):
                training.epoch(Z)
        self.inner, self.inner_bias, self.outer, self.outer_bias = training.layers()
        return self

    def logits(self, X: NDArray[Any]) -> Array:
        """See `Head.logits`."""
        layers = (self.inner, self.inner_bias, self.outer, self.outer_bias)
        double = [layer.astype(np.float64) for layer in layers]
        return _forward((X - self.mean) / self.scale, double)

    @staticmethod
    def _single(Z: NDArray[Any]) -> NDArray[Any]:
        return Z.astype(np.float32, copy=False)


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
            learning_rate_init=LEARNING_RATE,
            random_state=np.random.RandomState(head.seed),  # drawn from on and on, epoch by epoch
        )

    def epoch(self, Z: NDArray[Any]) -> None:
        """Learn once from every row."""
        self.network.partial_fit(Z[self.rows], self.labels, self.weights, classes=self.classes)

    def layers(self) -> Layers:
        """Return coefficients and biases of both layers."""
        (inner, outer), (inner_bias, outer_bias) = self.network.coefs_, self.network.intercepts_
        return inner.copy(), inner_bias.copy(), *self.output_layer(outer, outer_bias)


def _forward(Z: NDArray[Any], layers: Any) -> Array:
    inner, inner_bias, outer, outer_bias = layers
    logits: Array = np.maximum(Z @ inner + inner_bias, 0.0) @ outer + outer_bias
    return logits.astype(np.float64, copy=False)
