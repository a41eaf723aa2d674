"""Maximum softmax probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import log_sum_exp_above_max
from outgroup.detectors.base import DETECTORS, LogitDetector


@DETECTORS.register("msp")
class MaximumSoftmaxProbability(LogitDetector):
    """``-log(max_k p_k)`` with p the softmax of the logits: what thresholding the softmax does.

    The logarithm keeps apart what 1 - p would round to the same number; the order is the same.

    References
    ----------
    D. Hendrycks and K. Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution
    Examples in Neural Networks, ICLR 2017.

    Examples
    --------
    >>> MaximumSoftmaxProbability().other_score(np.array([[4.0, 0.0], [1.0, 1.0]])).round(3)
    array([0.018, 0.693])
    """

    name = "msp"
    summary = "minus the logarithm of the largest softmax probability"
    reference = "Hendrycks & Gimpel 2017"

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `LogitDetector.other_score`."""
        return log_sum_exp_above_max(logits)
