"""Margin between the two best classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.base import DETECTORS, LogitDetector


@DETECTORS.register("margin")
class Margin(LogitDetector):
    """``-(z_1 - z_2)`` for the two largest logits; 0 if there is only one class.

    References
    ----------
    T. Scheffer, C. Decomain and S. Wrobel, Active Hidden Markov Models for Information Extraction,
    IDA 2001, on probabilities; on logits it is the logarithm of their ratio.

    Examples
    --------
    >>> Margin().other_score(np.array([[4.0, 0.0], [1.0, 1.0]]))
    array([-4.,  0.])
    """

    name = "margin"
    summary = "minus the distance between the two largest logits"
    reference = "Scheffer et al. 2001"

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `LogitDetector.other_score`."""
        if logits.shape[1] < 2:
            return np.zeros(len(logits))
        two = np.partition(logits, -2, axis=1)[:, -2:]
        result: NDArray[np.float64] = two[:, 0] - two[:, 1]
        return result
