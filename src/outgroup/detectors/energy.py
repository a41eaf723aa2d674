"""Free energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import log_sum_exp
from outgroup.detectors.base import DETECTORS, LogitDetector


@DETECTORS.register("energy")
class Energy(LogitDetector):
    """``-log(sum_k exp(z_k))``, the free energy of the logits at temperature 1.

    References
    ----------
    W. Liu et al., Energy-based Out-of-distribution Detection, NeurIPS 2020.

    Examples
    --------
    >>> Energy().other_score(np.array([[4.0, 0.0], [1.0, 1.0]])).round(3)
    array([-4.018, -1.693])
    """

    name = "energy"
    summary = "free energy: minus the log-sum-exp of the logits"
    reference = "Liu et al. 2020"

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `LogitDetector.other_score`."""
        return -log_sum_exp(logits)
