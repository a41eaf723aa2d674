"""Energy of rectified activations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._readout import ShapedEnergy
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("react")
class ReAct(ShapedEnergy):
    """Energy of a linear layer, with activations cut at a percentile of the known ones.

    ``-log(sum_k exp(z_k))`` of ``min(x, c)``: others tend to have a few very large activations. The
    layer is fitted in closed form, and scores are standardised (see `outgroup.detectors._readout`).

    Parameters
    ----------
    percentile : float, default=90.0
        c is this percentile of all activations of the known rows.
    shrinkage : float or None, default=None
        Share of the identity in the covariance of the layer, in (0, 1]; None: Ledoit and Wolf's.

    References
    ----------
    Y. Sun, C. Guo and Y. Li, ReAct: Out-of-distribution Detection With Rectified Activations,
    NeurIPS 2021.

    Examples
    --------
    >>> X = np.array([[9.0, 0.2, 1.0], [7.0, 0.0, 0.5], [0.2, 9.0, 1.0], [0.0, 7.0, 0.5]])
    >>> detector = ReAct(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "react"
    summary = "energy of a linear layer, activations cut at a percentile"
    reference = "Sun et al. 2021"
    arrays = ("weights", "bias", "standard", "cut")

    def __init__(self, percentile: float = 90.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def learn_shape(self, Z: NDArray[np.float64]) -> None:
        """Find where activations are cut."""
        self.cut = np.array([np.percentile(Z, self.percentile)])

    def shaped(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ShapedEnergy.shaped`."""
        result: NDArray[np.float64] = np.minimum(Z, self.cut[0])
        return result
