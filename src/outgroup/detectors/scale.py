"""Energy of scaled activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._readout import ShapedEnergy, largest, sum_ratio
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("scale")
class Scale(ShapedEnergy):
    """Energy of a linear layer on activations made larger, none pruned.

    ``-log(sum_k exp(z_k))`` of ``x exp(a / b)``, a the sum of all activations and b that of the
    largest. The layer is fitted in closed form, and scores are standardised (see
    `outgroup.detectors._readout`).

    Parameters
    ----------
    percentile : float, default=85.0
        Percentage of the activations of a row that are not among the largest.
    shrinkage : float or None, default=None
        Share of the identity in the covariance of the layer, in (0, 1]; None: Ledoit and Wolf's.

    References
    ----------
    K. Xu et al., Scaling for Training-Time and Post-hoc Out-of-distribution Detection Enhancement,
    ICLR 2024.

    Examples
    --------
    >>> X = np.array([[9.0, 0.2, 1.0], [7.0, 0.0, 0.5], [0.2, 9.0, 1.0], [0.0, 7.0, 0.5]])
    >>> detector = Scale(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "scale"
    summary = "energy of a linear layer, activations scaled"
    reference = "Xu et al. 2024"

    def __init__(self, percentile: float = 85.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def shaped(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ShapedEnergy.shaped`."""
        result: NDArray[np.float64] = Z * np.exp(sum_ratio(Z, largest(Z, self.percentile)))
        return result
