"""Detectors that read the logits of a head: formulas, and two that are fitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import (
    Array,
    bounded,
    log_softmax,
    log_sum_exp,
    log_sum_exp_above_max,
    require,
    whole_number,
)
from outgroup.detectors.base import DETECTORS, FittedLogitDetector, LogitDetector

#: Largest shape parameter of a Weibull distribution: equal distances have no likeliest shape.
STEEPEST = 100.0


@DETECTORS.register("msp")
class MaximumSoftmaxProbability(LogitDetector):
    """``-log(max_k p_k)``, p the softmax: the order is that of ``1 - max_k p_k``.

    The logarithm keeps scores apart that ``1 - max_k p_k`` would round to the same number.

    References
    ----------
    D. Hendrycks and K. Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution
    Examples in Neural Networks, ICLR 2017.
    """

    summary = "minus the logarithm of the largest softmax probability"
    reference = "Hendrycks & Gimpel 2017"

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        return log_sum_exp_above_max(logits)


@DETECTORS.register("max-logit")
class MaxLogit(LogitDetector):
    """``-max_k z_k``: unlike a softmax, it is high when all classes are unlikely.

    References
    ----------
    D. Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022.
    """

    summary = "minus the largest logit"
    reference = "Hendrycks et al. 2022"

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        largest: Array = logits.max(axis=1)
        return -largest


@DETECTORS.register("energy")
class Energy(LogitDetector):
    """``-log(sum_k exp(z_k))``, the free energy at temperature 1.

    References
    ----------
    W. Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020.
    """

    summary = "free energy: minus the log-sum-exp of the logits"
    reference = "Liu et al. 2020"

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        return -log_sum_exp(logits)


@DETECTORS.register("margin")
class Margin(LogitDetector):
    """``-(z_1 - z_2)`` for the two largest logits; 0 if there is only one class.

    References
    ----------
    T. Scheffer, C. Decomain and S. Wrobel, Active Hidden Markov Models for Information Extraction,
    IDA 2001, for probabilities; the margin of logits is the logarithm of their ratio.
    """

    summary = "minus the distance between the two largest logits"
    reference = "Scheffer et al. 2001"

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        if logits.shape[1] < 2:
            return np.zeros(len(logits))
        two = np.partition(logits, -2, axis=1)
        return two[:, -2] - two[:, -1]


@DETECTORS.register("entropy")
class Entropy(LogitDetector):
    """``-sum_k p_k log(p_k)`` in nats, p the softmax.

    References
    ----------
    C. E. Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 27 (1948);
    as an out-of-distribution score: D. Hendrycks and K. Gimpel, ICLR 2017.
    """

    summary = "entropy of the softmax"
    reference = "Shannon 1948; Hendrycks & Gimpel 2017"

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        # With s = z - max z and r = log(sum(exp(s))), log p = s - r, and no term is negative.
        shifted, rest = logits - logits.max(axis=1, keepdims=True), log_sum_exp_above_max(logits)
        p = np.exp(shifted - rest[:, np.newaxis])
        mean: Array = (p * shifted).sum(axis=1)
        return rest - mean


@DETECTORS.register("gen")
class GeneralisedEntropy(LogitDetector):
    """``sum_k p_k^gamma (1 - p_k)^gamma`` over the most probable classes, p the softmax.

    A small gamma makes it sensitive to the small probabilities, which hardly change an entropy.

    Parameters
    ----------
    gamma : float, default=0.1
        Exponent, in (0, 1).
    top : int, default=100
        How many classes are summed, at most.

    References
    ----------
    X. Liu, Y. Lochman and C. Zach, GEN: Pushing the Limits of Softmax-Based Out-of-Distribution
    Detection, CVPR 2023.
    """

    summary = "generalised entropy of the softmax, gamma 0.1"
    reference = "Liu et al. 2023"
    parameters = ("gamma", "top")

    def __init__(self, gamma: float = 0.1, top: int = 100) -> None:
        require(0.0 < gamma < 1.0, "gamma", "between 0 and 1", gamma)
        self.gamma = gamma
        self.top = whole_number("top", top)

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        shifted, rest = logits - logits.max(axis=1, keepdims=True), log_sum_exp_above_max(logits)
        p = np.exp(shifted - rest[:, np.newaxis])
        q = 1.0 - p
        q[np.arange(len(q)), logits.argmax(axis=1)] = -np.expm1(-rest)  # in full precision
        terms = (p * q) ** self.gamma
        if terms.shape[1] > self.top:
            largest = np.argpartition(p, -self.top, axis=1)[:, -self.top :]
            terms = np.take_along_axis(terms, largest, axis=1)
        result: Array = terms.sum(axis=1)
        return result


@DETECTORS.register("kl-matching")
class KLMatching(FittedLogitDetector):
    """``min_k sum_j p_j log(p_j / d_kj)``, p the softmax, d_k its mean over rows of class k.

    The class is the one that the head predicts, right or wrong, so labels are not used. A class
    that is never predicted has no mean.

    References
    ----------
    D. Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022.
    """

    summary = "divergence of the softmax from the mean one of the nearest class"
    reference = "Hendrycks et al. 2022"
    arrays = ("log_templates",)

    def fit(self, logits: Array, y: NDArray[np.int64]) -> KLMatching:
        """See `FittedDetector.fit`; the labels are not used."""
        log_p, predicted = log_softmax(logits), logits.argmax(axis=1)
        # Means in logarithms: a probability may be too small for float64.
        self.log_templates = np.stack(
            [
                log_sum_exp(log_p[predicted == k].T) - np.log((predicted == k).sum())
                for k in np.unique(predicted)
            ]
        )
        return self

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        log_p = log_softmax(logits)
        p = np.exp(log_p)
        divergences: Array = (p * log_p).sum(axis=1)[:, np.newaxis] - p @ self.log_templates.T
        result: Array = np.maximum(divergences.min(axis=1), 0.0)
        return result


@DETECTORS.register("openmax")
class OpenMax(FittedLogitDetector):
    """Log-odds of the unknown class of OpenMax against all known classes.

    m_k is the mean logit vector of the correctly classified rows of class k (of all its rows, if
    none is), and F_k a Weibull distribution from 0 fitted to the largest distances of these rows
    from m_k. The class of rank i = 0, 1, ... keeps the share ``1 - (alpha - i) / alpha
    F_k(|v - m_k|)`` of its activation v_k, and the unknown class gets what all classes lose.
    Activations are the logits less the smallest of the row: in the paper they are positive. The
    log-odds of the paper's probability have the same order and do not saturate.

    Parameters
    ----------
    tail : int or None, default=None
        How many of the largest distances of a class are fitted, at most. None: 2 %, at least 3.
    alpha : int, default=10
        How many classes of highest rank are revised, at most.

    References
    ----------
    A. Bendale and T. E. Boult, Towards Open Set Deep Networks, CVPR 2016.
    """

    summary = "log-odds of unknown, by a Weibull of the distance to a class's mean logits"
    reference = "Bendale & Boult 2016"
    parameters = ("tail", "alpha")
    arrays = ("means", "shapes", "scales")

    def __init__(self, tail: int | None = None, alpha: int = 10) -> None:
        self.tail = None if tail is None else whole_number("tail", tail)
        self.alpha = whole_number("alpha", alpha)

    def fit(self, logits: Array, y: NDArray[np.int64]) -> OpenMax:
        """See `FittedDetector.fit`."""
        V = bounded(logits)
        n_classes, right = V.shape[1], V.argmax(axis=1) == y
        self.means = np.zeros((n_classes, n_classes))
        self.shapes = np.ones(n_classes)
        self.scales = np.full(n_classes, np.finfo(float).max)  # a class without rows loses nothing
        for k in range(n_classes):
            rows = V[right & (y == k)] if (right & (y == k)).any() else V[y == k]
            if len(rows):
                self.means[k] = rows.mean(axis=0)
                distances = np.linalg.norm(rows - self.means[k], axis=1)
                tail = max(3, round(0.02 * len(rows))) if self.tail is None else self.tail
                self.shapes[k], self.scales[k] = _fit_weibull(np.sort(distances)[-tail:])
        return self

    def other_score(self, logits: Array) -> Array:
        """See `Detector.other_score`."""
        V = bounded(logits)
        distances = np.stack([np.linalg.norm(V - m, axis=1) for m in self.means], axis=1)
        with np.errstate(divide="ignore"):  # the logarithm of a distance of 0
            exponent = self.shapes * (np.log(distances) - np.log(self.scales))
        outside = -np.expm1(-np.exp(np.minimum(exponent, 10.0)))

        alpha = min(self.alpha, V.shape[1])
        rank = np.argsort(np.argsort(-V, axis=1, kind="stable"), axis=1, kind="stable")
        lost = np.maximum(alpha - rank, 0) / alpha * outside
        activations = V - V.min(axis=1, keepdims=True)
        unknown: Array = (activations * lost).sum(axis=1)
        return unknown - log_sum_exp(activations * (1.0 - lost))


def _fit_weibull(distances: Array) -> tuple[float, float]:
    """Return shape and scale of the likeliest Weibull distribution from 0."""
    from scipy.stats import weibull_min  # slow to import, not needed for prediction

    mean = float(distances.mean())
    if mean == 0.0:  # identical images
        return 1.0, 1.0
    scaled = np.maximum(distances / mean, 1e-6)  # 0 has no logarithm
    if scaled.std() < 1.0 / STEEPEST:
        return STEEPEST, mean
    shape, _, scale = weibull_min.fit(scaled, floc=0.0)
    return float(min(shape, STEEPEST)), float(scale) * mean
