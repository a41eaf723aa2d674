"""Targets, row weights and losses of heads.

A loss takes logits, targets and weights of shape (n, m K): m models of K outputs side by side. It
returns the weighted loss of each column, summed over the rows, and its gradient in the logits.
Both are finite for all finite logits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from outgroup._numeric import Array
from outgroup.errors import InvalidDataError

Labels = NDArray[np.int64]

BALANCED = "balanced"
OVERSAMPLE = "oversample"

#: Target of an unlabelled row, minus the share of unlabelled rows that belong to the class.
UNLABELLED = -1.0

#: Width over which the loss of `positive_unlabelled` levels off below zero.
CORNER = 0.01


def one_hot(y: Labels, n_classes: int, class_weight: str | None) -> tuple[Array, Array]:
    """Return one-hot targets and weights, both (n, K); weights add up to 1 in each column.

    Negatives and rows with several labels are an `InvalidDataError`.
    """
    if y.ndim != 1:
        raise InvalidDataError("A softmax cannot learn several labels per image.")
    if (y < 0).any():
        raise InvalidDataError("A softmax over the known classes cannot learn from negatives.")
    weights = row_weights(y, class_weight)
    return np.eye(n_classes)[y], np.repeat(weights[:, np.newaxis], n_classes, axis=1)


def one_against_rest(y: Labels, n_classes: int, class_weight: str | None) -> tuple[Array, Array]:
    """Return 0/1 targets and weights, both (n, K); weights add up to 1 in each column.

    `y` holds class indices, or is a matrix (n, K) of 1, 0, and -1 for unknown cells, which weigh
    nothing. Balanced, the positives of a column weigh as much as all other rows together.
    """
    marks = y if y.ndim == 2 else (y[:, np.newaxis] == np.arange(n_classes)).astype(np.int64)
    yes, no = marks == 1, marks == 0
    if class_weight is None:
        weights = (yes | no) / np.maximum((yes | no).sum(axis=0), 1.0)
    else:
        weights = sum(0.5 * side / np.maximum(side.sum(axis=0), 1.0) for side in (yes, no))
    return yes.astype(np.float64), weights


def row_weights(y: Labels, class_weight: str | None) -> Array:
    """Return the weight of each row; they add up to 1.

    Balanced, each class that occurs weighs the same; all negatives count as one class.
    """
    if class_weight is None:
        return np.full(len(y), 1.0 / max(len(y), 1))
    present, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    weights: Array = 1.0 / (counts[index] * max(len(present), 1))
    return weights


def oversampled(y: Labels) -> NDArray[np.int64]:
    """Return row numbers with each class equally often: rows of rare classes are repeated."""
    present, counts = np.unique(y, return_counts=True)
    most = counts.max(initial=0)
    rows = [np.resize(np.flatnonzero(y == k), most) for k in present]
    return np.sort(np.concatenate(rows)) if rows else np.empty(0, dtype=np.int64)


def cross_entropy(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
    """Return the cross-entropy of softmaxes and its gradient.

    In each model a row of targets adds up to 1, and all weights of the row are equal.
    """
    z, t, w = _by_model(logits, targets, weights)
    top = z.max(axis=2, keepdims=True)
    log_sum = top + np.log(np.exp(z - top).sum(axis=2, keepdims=True))
    loss = (w * t * (log_sum - z)).sum(axis=0).ravel()
    return loss, (w * (np.exp(z - log_sum) - t)).reshape(logits.shape)


def binary_cross_entropy(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
    """Return the binary cross-entropy of sigmoids and its gradient."""
    softplus, sigmoid = _softplus_and_sigmoid(logits)
    loss = (weights * (softplus - targets * logits)).sum(axis=0)
    return loss, weights * (sigmoid - targets)


def focal_softmax(
    logits: Array, targets: Array, weights: Array, gamma: float
) -> tuple[Array, Array]:
    """Return ``-(1 - p)^gamma log p`` of the softmax p of the true class, and its gradient."""
    z, t, w = _by_model(logits, targets, weights)
    if z.shape[2] == 1:
        return np.zeros(logits.shape[1]), np.zeros_like(logits)  # a single class is always right
    rest = np.where(t > 0, -np.inf, z)
    top = rest.max(axis=2, keepdims=True)
    others = np.exp(rest - top)
    total = others.sum(axis=2, keepdims=True)
    against = top + np.log(total) - (t * z).sum(axis=2, keepdims=True)
    value, slope = _focal(against, gamma)
    gradient = w * slope * (others / total - t)
    return (w * t * value).sum(axis=0).ravel(), gradient.reshape(logits.shape)


def focal_sigmoid(
    logits: Array, targets: Array, weights: Array, gamma: float
) -> tuple[Array, Array]:
    """Return ``-(1 - p)^gamma log p`` of the sigmoid p of the true side, and its gradient."""
    sign = 1.0 - 2.0 * targets
    value, slope = _focal(sign * logits, gamma)
    return (weights * value).sum(axis=0), weights * sign * slope


def positive_unlabelled(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
    """Return the non-negative risk of positives and unlabelled rows, and its gradient.

    Targets are 1, 0, or ``UNLABELLED - prior`` for unlabelled rows of which a share `prior` belongs
    to the class. The loss on the others among them is the loss on all unlabelled rows as negatives,
    minus that on a share of positives; below zero it levels off. All rows are needed at once.
    """
    prior = np.maximum(UNLABELLED - targets.min(axis=0), 0.0)
    softplus, sigmoid = _softplus_and_sigmoid(logits)
    positive = weights * (targets == 1)
    unlabelled = weights * (targets <= UNLABELLED)
    negative = weights - positive - unlabelled
    total = positive.sum(axis=0)
    taken = prior / (1.0 - prior) * unlabelled.sum(axis=0) / np.where(total > 0, total, 1.0)
    not_of_class = unlabelled / (1.0 - prior) - taken * positive
    of_others = (not_of_class * softplus).sum(axis=0)
    below = np.clip(of_others, -CORNER, 0.0)
    loss = (positive * (softplus - logits) + negative * softplus).sum(axis=0)
    loss += np.maximum(of_others, below) + below**2 / (2.0 * CORNER)
    not_of_class *= 1.0 + below / CORNER
    gradient = positive * (sigmoid - 1.0) + (negative + not_of_class) * sigmoid
    return loss, gradient


def _focal(against: Array, gamma: float) -> tuple[Array, Array]:
    """Return the focal loss and its slope, both of the log-odds against the truth.

    With log-odds r, the truth has the probability sigmoid(-r), its cross-entropy is softplus(r) and
    the focal factor is sigmoid(r)^gamma: no division by what may be zero.
    """
    wrong, entropy = expit(against), -log_expit(-against)
    factor = np.exp(gamma * log_expit(against))
    return factor * entropy, factor * (wrong + gamma * expit(-against) * entropy)


def _softplus_and_sigmoid(logits: Array) -> tuple[Array, Array]:
    """Return both at the cost of one exponential."""
    small = np.exp(-np.abs(logits))
    positive = logits > 0
    softplus = np.log(1.0 + small) + np.where(positive, logits, 0.0)
    return softplus, np.where(positive, 1.0, small) / (1.0 + small)


def _by_model(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return views (n, m, K); a row of targets adds up to the number of models."""
    n_models = round(float(targets[0].sum()))
    shape = (len(logits), n_models, -1)
    return logits.reshape(shape), targets.reshape(shape), weights.reshape(shape)
