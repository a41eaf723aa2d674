"""Losses of class scores with their slopes, for several models side by side.

Each takes logits, targets and weights of shape (n, m K) for m models of K outputs, and returns the
weighted loss of each column, summed over the rows, and its slope in the logits; natural logarithms
throughout, and finite for any finite logits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

Array = NDArray[np.float64]


def softmax(logits: Array) -> Array:
    """Return the softmax of each row: rows add up to 1."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return result


def cross_entropy(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
    """Return the cross-entropy of softmaxes, and its slope.

    The targets of each model are a distribution in each row, and its weights the same in all of a
    row, so the sum of a row of targets tells how many models there are.

    Examples
    --------
    >>> value, slope = cross_entropy(np.zeros((1, 2)), np.array([[1.0, 0.0]]), np.ones((1, 2)))
    >>> value.round(3), slope
    (array([0.693, 0.   ]), array([[-0.5,  0.5]]))
    """
    z, t, w = _by_model(logits, targets, weights)
    top = z.max(axis=2, keepdims=True)
    log_sum = top + np.log(np.exp(z - top).sum(axis=2, keepdims=True))
    loss = (w * t * (log_sum - z)).sum(axis=0).ravel()
    return loss, (w * (np.exp(z - log_sum) - t)).reshape(logits.shape)


def binary_cross_entropy(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array]:
    """Return the binary cross-entropy of sigmoids, and its slope; targets are 0 or 1.

    Examples
    --------
    >>> value, slope = binary_cross_entropy(np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1)))
    >>> value.round(3), slope
    (array([0.693]), array([[-0.5]]))
    """
    small = np.exp(-np.abs(logits))  # one exponential for both the loss and the sigmoid
    positive = logits > 0
    softplus = np.log(1.0 + small) + np.where(positive, logits, 0.0)
    sigmoid = np.where(positive, 1.0, small) / (1.0 + small)
    loss = (weights * (softplus - targets * logits)).sum(axis=0)
    return loss, weights * (sigmoid - targets)


def focal_softmax(
    logits: Array, targets: Array, weights: Array, gamma: float
) -> tuple[Array, Array]:
    """Return ``-(1 - p)^gamma log p`` for the softmax p of the true class, and its slope.

    As `cross_entropy`, with one-hot targets.

    Examples
    --------
    >>> sure = np.array([[3.0, 0.0]])
    >>> target, weight = np.array([[1.0, 0.0]]), np.ones((1, 2))
    >>> [float(focal_softmax(sure, target, weight, g)[0].sum().round(5)) for g in (0.0, 2.0)]
    [0.04859, 0.00011]
    """
    z, t, w = _by_model(logits, targets, weights)
    if z.shape[2] == 1:
        return np.zeros(logits.shape[1]), np.zeros_like(logits)  # a single class is always right
    rest = np.where(t > 0, -np.inf, z)
    top = rest.max(axis=2, keepdims=True)
    others = np.exp(rest - top)
    total = others.sum(axis=2, keepdims=True)
    against = top + np.log(total) - (t * z).sum(axis=2, keepdims=True)
    value, slope = focal(against, gamma)
    gradient = w * slope * (others / total - t)
    return (w * t * value).sum(axis=0).ravel(), gradient.reshape(logits.shape)


def focal_sigmoid(
    logits: Array, targets: Array, weights: Array, gamma: float
) -> tuple[Array, Array]:
    """Return ``-(1 - p)^gamma log p`` for the sigmoid p of the true side, and its slope.

    As `binary_cross_entropy`.

    Examples
    --------
    >>> sure, one = np.array([[3.0]]), np.ones((1, 1))
    >>> [float(focal_sigmoid(sure, one, one, gamma)[0].round(5)[0]) for gamma in (0.0, 2.0)]
    [0.04859, 0.00011]
    """
    sign = 1.0 - 2.0 * targets
    value, slope = focal(sign * logits, gamma)
    return (weights * value).sum(axis=0), weights * sign * slope


def focal(against: Array, gamma: float) -> tuple[Array, Array]:
    """Return the focal loss as a function of the log-odds against the truth, and its slope.

    With r these log-odds, p = sigmoid(-r) is the probability of the truth, the cross-entropy is
    softplus(r) and the factor in front of it sigmoid(r)^gamma, so that nothing is divided by what
    may be zero, whatever gamma is.

    References
    ----------
    T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.
    """
    wrong, entropy = expit(against), -log_expit(-against)
    factor = np.exp(gamma * log_expit(against))
    return factor * entropy, factor * (wrong + gamma * expit(-against) * entropy)


def _by_model(logits: Array, targets: Array, weights: Array) -> tuple[Array, Array, Array]:
    n_models = round(float(targets[0].sum()))
    shape = (len(logits), n_models, -1)
    return logits.reshape(shape), targets.reshape(shape), weights.reshape(shape)
