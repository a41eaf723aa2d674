"""Odds of the backbone's own answers that known images don't get."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import bounded, log_sum_exp
from outgroup.detectors.base import DETECTORS, FeatureDetector

Array = NDArray[np.float64]

#: Rows left out at once: bounds the memory.
BLOCK = 1024


@DETECTORS.register("answer-odds")
class AnswerOdds(FeatureDetector):
    """Log-odds of what the backbone's own classifier says of other images than the known ones.

    The backbone has been taught C classes of its own, and gives each image a probability p_c of
    each. Each of them is shared out, by Bayes' rule, between the K known classes and everything
    else: ``a_kc = q_kc / (sum_j q_jc + 1 / C)`` where q_kc is the mean probability of c over the
    images of class k (one image's worth of equal probabilities added, so that none is zero) and
    1 / C stands for everything else, of which nothing is known. The other-score is
    ``log(sum_c p_c (1 - a_c)) - log(sum_c p_c a_c)`` with ``a_c = sum_k a_kc``: that of an image of
    a dog is high if the known cats are never taken for a breed of dogs, without one dog to learn
    from. Less the median of what the known images get if each is left out, because with fewer to
    learn from new ones get more.

    It reads the layer "logits", the backbone's own class scores.

    References
    ----------
    This library's (2026); the softmax of a network on what it was not taught: D. Hendrycks et al.,
    Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022 (KL matching).

    Examples
    --------
    >>> X = np.array([[5.0, 0.0, 0.0], [4.0, 0.0, 1.0]])
    >>> detector = AnswerOdds().fit(X, np.array([0, 0]))
    >>> detector.other_score(np.array([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0]])).round(2)
    array([-0.18,  1.62])
    """

    name = "answer-odds"
    summary = "odds of answers of the backbone's own classifier that known images don't get"
    reference = "outgroup 2026, after Hendrycks et al. 2022"
    layer = "logits"
    arrays = ("shares", "typical")

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> AnswerOdds:
        """See `FeatureDetector.fit`."""
        self.shares = learned_shares(X, y)
        self.typical = np.array([np.median(_left_out_odds(X, y))])
        return self

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `FeatureDetector.other_score`."""
        result: Array = odds(X, self.shares)[1] - self.typical[0]
        return result


def learned_shares(logits: NDArray[Any], y: NDArray[np.int64]) -> Array:
    """Return which share of each answer belongs to each class, (K, C).

    Parameters
    ----------
    logits : ndarray of shape (n, C)
        The backbone's own class scores.
    y : ndarray of shape (n,), int64
        Class indices from 0; those absent take no row.
    """
    profiles = _profiles(np.exp(_log_softmax(logits)), y)
    shares: Array = profiles / (profiles.sum(axis=0) + 1.0 / logits.shape[1])
    return shares


def odds(logits: NDArray[Any], shares: Array) -> tuple[Array, Array]:
    """Return how probable each class is, (n, K), and the log-odds of none of them, (n,).

    Parameters
    ----------
    logits : ndarray of shape (n, C)
        The backbone's own class scores.
    shares : ndarray of shape (K, C)
        Which share of each answer belongs to each class; columns add up to 1 at most.

    Examples
    --------
    >>> classes, other = odds(np.log([[0.6, 0.2, 0.2]]), np.array([[1.0, 0.5, 0.0]]))
    >>> classes.round(3), other.round(3)
    (array([[0.7]]), array([-0.847]))
    """
    log_p = _log_softmax(logits)
    classes = np.minimum(np.exp(log_p) @ shares.T, 1.0)
    return classes, _log_odds(log_p, shares.sum(axis=0))


def _log_odds(log_p: Array, known: Array) -> Array:
    """Return the log-odds of everything else, given which share of each answer is known."""
    with np.errstate(divide="ignore"):  # an answer may belong to one side alone
        log_known, log_other = np.log(known), np.log(np.maximum(1.0 - known, 0.0))
    result: Array = log_sum_exp(log_p + log_other) - log_sum_exp(log_p + log_known)
    return result


def _profiles(probabilities: Array, y: NDArray[np.int64]) -> Array:
    """Return the mean probabilities of each class, and of one image more that can't decide."""
    even = 1.0 / probabilities.shape[1]
    return np.stack(
        [(probabilities[y == k].sum(axis=0) + even) / (np.sum(y == k) + 1.0) for k in np.unique(y)]
    )


def _left_out_odds(logits: NDArray[Any], y: NDArray[np.int64]) -> Array:
    """Return what each row is given by a model of all others."""
    log_p = _log_softmax(logits)
    _, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    profiles = _profiles(np.exp(log_p), y)
    result = np.empty(len(y))
    for start in range(0, len(y), BLOCK):
        rows = slice(start, start + BLOCK)
        own, n = profiles[index[rows]], counts[index[rows], np.newaxis]
        without = np.maximum(((n + 1.0) * own - np.exp(log_p[rows])) / n, 0.0)
        known = profiles.sum(axis=0) - own + without
        result[rows] = _log_odds(log_p[rows], known / (known + 1.0 / logits.shape[1]))
    return result


def _log_softmax(logits: NDArray[Any]) -> Array:
    values = bounded(logits)
    return values - log_sum_exp(values)[:, np.newaxis]
