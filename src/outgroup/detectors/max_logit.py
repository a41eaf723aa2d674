"""Maximum logit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.base import DETECTORS, LogitDetector


@DETECTORS.register("max-logit")
class MaxLogit(LogitDetector):
    """``-max_k z_k``: unlike a softmax it falls when all classes are unlikely.

    References
    ----------
    D. Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022.

    Examples
    --------
    >>> MaxLogit().other_score(np.array([[4.0, 0.0], [1.0, 1.0]]))
    array([-4., -1.])
    """

    name = "max-logit"
    summary = "minus the largest logit"
    reference = "Hendrycks et al. 2022"

    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `LogitDetector.other_score`."""
        result: NDArray[np.float64] = -logits.max(axis=1)
        return result
