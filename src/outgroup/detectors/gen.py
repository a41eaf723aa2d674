"""Generalised entropy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import log_sum_exp_above_max, share, whole_number
from outgroup.detectors.base import DETECTORS, LogitDetector


@DETECTORS.register("gen")
class GeneralisedEntropy(LogitDetector):
    """``sum_k p_k^gamma (1 - p_k)^gamma`` over the M most probable classes, p the softmax.

    With a small gamma it looks at how fast the small probabilities fall, which the entropy hardly
    sees.

    Parameters
    ----------
    gamma : float, default=0.1
        Exponent, in (0, 1).
    top : int, default=100
        M, how many classes count; with fewer classes all do.

    References
    ----------
    X. Liu, Y. Lochman and C. Zach, GEN: Pushing the Limits of Softmax-Based Out-of-Distribution
    Detection, CVPR 2023.

    Examples
    --------
    >>> GeneralisedEntropy().other_score(np.array([[40.0, 0.0], [4.0, 0.0], [1.0, 1.0]])).round(3)
    array([0.037, 1.336, 1.741])
    """

    name = "gen"
    summary = "generalised entropy of the softmax, gamma 0.1"
    reference = "Liu et al. 2023"
    parameters = ("gamma", "top")

    def __init__(self, gamma: float = 0.1, top: int = 100) -> None:
        self.gamma = share("gamma", gamma)
        self.top = whole_number("top", top)

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `LogitDetector.other_score`."""
        shifted, rest = logits - logits.max(axis=1, keepdims=True), log_sum_exp_above_max(logits)
        p = np.exp(shifted - rest[:, np.newaxis])
        q = 1.0 - p
        q[np.arange(len(q)), logits.argmax(axis=1)] = -np.expm1(-rest)  # with all its digits
        terms = (p * q) ** self.gamma
        if terms.shape[1] > self.top:
            order = np.argpartition(p, -self.top, axis=1)[:, -self.top :]
            terms = np.take_along_axis(terms, order, axis=1)
        result: NDArray[np.float64] = terms.sum(axis=1)
        return result
