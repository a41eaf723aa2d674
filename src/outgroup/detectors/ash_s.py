"""Energy of pruned and scaled activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._readout import ShapedEnergy, largest, sum_ratio
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("ash-s")
class AshS(ShapedEnergy):
    """Energy of a linear layer on the largest activations, made larger.

    ``-log(sum_k exp(z_k))`` where all but the largest activations of a row are 0, and those are
    multiplied by ``exp(a / b)``, a the sum before and b that after. The layer is fitted in closed
    form, and scores are standardised (see `outgroup.detectors._readout`).

    Parameters
    ----------
    percentile : float, default=65.0
        Percentage of the activations of a row that are set to 0.
    shrinkage : float or None, default=None
        Share of the identity in the covariance of the layer, in (0, 1]; None: Ledoit and Wolf's.

    References
    ----------
    A. Djurisic et al., Extremely Simple Activation Shaping for Out-of-Distribution Detection, ICLR
    2023.

    Examples
    --------
    >>> X = np.array([[9.0, 0.2, 1.0], [7.0, 0.0, 0.5], [0.2, 9.0, 1.0], [0.0, 7.0, 0.5]])
    >>> detector = AshS(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "ash-s"
    summary = "energy of a linear layer, activations pruned and scaled"
    reference = "Djurisic et al. 2023"

    def __init__(self, percentile: float = 65.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def shaped(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ShapedEnergy.shaped`."""
        kept = largest(Z, self.percentile)
        result: NDArray[np.float64] = np.where(kept, Z * np.exp(sum_ratio(Z, kept)), 0.0)
        return result
