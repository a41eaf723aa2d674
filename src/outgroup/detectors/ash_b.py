"""Energy of pruned and binarised activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._readout import ShapedEnergy, largest
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("ash-b")
class AshB(ShapedEnergy):
    """Energy of a linear layer on which of the activations are large.

    ``-log(sum_k exp(z_k))`` where the k largest activations of a row are each its sum divided by k,
    and the others 0. The layer is fitted in closed form, and scores are standardised (see
    `outgroup.detectors._readout`).

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
    >>> detector = AshB(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "ash-b"
    summary = "energy of a linear layer, activations pruned and made alike"
    reference = "Djurisic et al. 2023"

    def __init__(self, percentile: float = 65.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def shaped(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ShapedEnergy.shaped`."""
        kept = largest(Z, self.percentile)
        each = Z.sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
        result: NDArray[np.float64] = np.where(kept, each, 0.0)
        return result
