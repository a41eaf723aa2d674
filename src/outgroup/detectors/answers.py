"""Detectors that read the answers of the backbone's own classifier: its layer "logits"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array, bounded, log_softmax, log_sum_exp, unit_rows
from outgroup.detectors.base import DETECTORS, FeatureDetector
from outgroup.detectors.neighbours import BLOCK, KNearestNeighbours


@DETECTORS.register("answer-odds")
class AnswerOdds(FeatureDetector):
    """Log-odds that the backbone's own answer belongs to none of the known classes.

    The backbone gives an image a probability p_c of each of the C classes it was trained on. By
    Bayes' rule, the share ``a_kc = q_kc / (sum_j q_jc + 1 / C)`` of answer c belongs to the known
    class k, where q_kc is the mean probability of c over the images of class k (and one image with
    equal probabilities, so that none is zero), and 1 / C stands for everything else. The score is
    ``log(sum_c p_c (1 - a_c)) - log(sum_c p_c a_c)`` with ``a_c = sum_k a_kc``, less its median for
    known images left out. An image of a dog gets a high score if no known cat is taken for a breed
    of dogs; no dog is needed in training.

    References
    ----------
    This library's (2026); the softmax of a network on classes it was not trained on: D. Hendrycks
    et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022 (KL matching).
    """

    summary = "odds of answers of the backbone's own classifier that known images don't get"
    reference = "outgroup 2026, after Hendrycks et al. 2022"
    layer = "logits"
    arrays = ("shares", "typical")

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> AnswerOdds:
        """See `FittedDetector.fit`."""
        self.shares = learned_shares(X, y)
        self.typical = np.array([np.median(_left_out_odds(X, y))])
        return self

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        return odds(X, self.shares)[1] - float(self.typical[0])


@DETECTORS.register("answer-profile")
class AnswerProfile(KNearestNeighbours):
    """Cosine distance to the k-th nearest known image between centred log-probabilities.

    ``log p_j - mean(log p)``, the logits less their mean, is the geometry of shares that add up to
    one: small probabilities count as much as large ones, and neither a temperature nor a shift of
    all logits matters. It looks at the nearest images and not at class means, because a class such
    as *dog* has many answers. `k` is as for `knn`.

    References
    ----------
    J. Aitchison, The Statistical Analysis of Compositional Data, J. Royal Statistical Society B 44
    (1982), 139-177; neighbours after Y. Sun et al., Out-of-Distribution Detection with Deep Nearest
    Neighbors, ICML 2022.
    """

    summary = "angle to the k-th nearest known image between the backbone's own log-probabilities"
    reference = "Aitchison 1982; Sun et al. 2022"
    layer = "logits"

    @staticmethod
    def _prepared(X: NDArray[Any]) -> Array:
        Z = bounded(X)
        return unit_rows(Z - Z.mean(axis=1, keepdims=True))


def learned_shares(logits: NDArray[Any], y: NDArray[np.int64]) -> Array:
    """Return the share (K, C) of each of C answers that belongs to each class that has rows."""
    profiles = _profiles(np.exp(log_softmax(logits)), y)
    shares: Array = profiles / (profiles.sum(axis=0) + 1.0 / logits.shape[1])
    return shares


def odds(logits: NDArray[Any], shares: Array) -> tuple[Array, Array]:
    """Return the probability of each class, (n, K), and the log-odds of none of them, (n,).

    `logits` (n, C) are of the backbone's own classifier; a column of `shares` (K, C) adds up to at
    most 1.
    """
    log_p = log_softmax(logits)
    classes = np.minimum(np.exp(log_p) @ shares.T, 1.0)
    return classes, _log_odds(log_p, shares.sum(axis=0))


def _log_odds(log_p: Array, known: Array) -> Array:
    """Return the log-odds of none, given the share of each answer that is known."""
    with np.errstate(divide="ignore"):  # an answer may belong to one side alone
        log_known, log_other = np.log(known), np.log(np.maximum(1.0 - known, 0.0))
    return log_sum_exp(log_p + log_other) - log_sum_exp(log_p + log_known)


def _profiles(probabilities: Array, y: NDArray[np.int64]) -> Array:
    """Return the mean probabilities of the rows of each class and one row of equal ones."""
    even = 1.0 / probabilities.shape[1]
    return np.stack(
        [(probabilities[y == k].sum(axis=0) + even) / (np.sum(y == k) + 1.0) for k in np.unique(y)]
    )


def _left_out_odds(logits: NDArray[Any], y: NDArray[np.int64]) -> Array:
    """Return the log-odds of each row by a model of all other rows."""
    log_p = log_softmax(logits)
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
