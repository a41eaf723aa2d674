"""Entropy of the softmax."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import log_sum_exp_above_max
from outgroup.detectors.base import DETECTORS, LogitDetector


@DETECTORS.register("entropy")
class Entropy(LogitDetector):
    """``-sum_k p_k log(p_k)`` with p the softmax of the logits, in nats.

    References
    ----------
    C. E. Shannon, A Mathematical Theory of Communication, Bell System Technical Journal 27 (1948);
    as an out-of-distribution score: D. Hendrycks and K. Gimpel, ICLR 2017.

    Examples
    --------
    >>> Entropy().other_score(np.array([[4.0, 0.0], [1.0, 1.0]])).round(3)
    array([0.09 , 0.693])
    """

    name = "entropy"
    summary = "entropy of the softmax"
    reference = "Shannon 1948; Hendrycks & Gimpel 2017"

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `LogitDetector.other_score`."""
        # With s = z - max z and r = log(sum(exp(s))), log p = s - r, and no term is negative.
        shifted, rest = logits - logits.max(axis=1, keepdims=True), log_sum_exp_above_max(logits)
        p = np.exp(shifted - rest[:, np.newaxis])
        result: NDArray[np.float64] = rest - (p * shifted).sum(axis=1)
        return result
