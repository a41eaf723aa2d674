"""Detectors that change the activations before a linear layer reads them: ReAct, ASH, SCALE.

The papers take the output of a ReLU, so negative activations count as zero here. The score is the
energy ``-log(sum_k exp(z_k))`` of the changed activations, standardised; for the layer see
`outgroup.detectors.linear_readout`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array, bounded, log_sum_exp, require
from outgroup.detectors.base import DETECTORS
from outgroup.detectors.linear_readout import ReadoutDetector


class ShapedEnergy(ReadoutDetector):
    """Base of energies of changed activations; a subclass implements `_shaped`.

    Parameters
    ----------
    percentile : float
        In (0, 100): for `ReAct` where activations are cut, for the others the percentage of the
        activations of a row that are not among its largest.
    shrinkage : float or None, default=None
        As for `mahalanobis`, in the covariance of the layer.
    """

    parameters = ("percentile", "shrinkage")

    def __init__(self, percentile: float, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        require(0.0 < percentile < 100.0, "percentile", "between 0 and 100", percentile)
        self.percentile = float(percentile)

    @staticmethod
    def _prepared(X: NDArray[Any]) -> Array:
        return np.maximum(bounded(X), 0.0)

    def _raw(self, Z: Array, logits: Array) -> Array:
        return -log_sum_exp(logits)


@DETECTORS.register("react")
class ReAct(ShapedEnergy):
    """Energy of ``min(x, c)``, c a percentile (default 90) of all activations of the known rows.

    Unknown images tend to have a few very large activations.

    References
    ----------
    Y. Sun, C. Guo and Y. Li, ReAct: Out-of-distribution Detection With Rectified Activations,
    NeurIPS 2021.
    """

    summary = "energy of a linear layer, activations cut at a percentile"
    reference = "Sun et al. 2021"
    arrays = ("weights", "bias", "standard", "cut")

    def __init__(self, percentile: float = 90.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def _learn_shape(self, Z: Array) -> None:
        self.cut = np.array([np.percentile(Z, self.percentile)])

    def _shaped(self, Z: Array) -> Array:
        return np.minimum(Z, float(self.cut[0]))


@DETECTORS.register("ash-b")
class AshB(ShapedEnergy):
    """Energy of binarised activations: the k largest become the sum of all over k, others 0.

    References
    ----------
    A. Djurisic et al., Extremely Simple Activation Shaping for Out-of-Distribution Detection, ICLR
    2023.
    """

    summary = "energy of a linear layer, activations pruned and made alike"
    reference = "Djurisic et al. 2023"

    def __init__(self, percentile: float = 65.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def _shaped(self, Z: Array) -> Array:
        kept = largest(Z, self.percentile)
        return np.where(kept, Z.sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True), 0.0)


@DETECTORS.register("ash-s")
class AshS(ShapedEnergy):
    """Energy of pruned and scaled activations: the largest times ``exp(a / b)``, others 0.

    a is the sum of all activations of the row, b that of the largest.

    References
    ----------
    A. Djurisic et al., Extremely Simple Activation Shaping for Out-of-Distribution Detection, ICLR
    2023.
    """

    summary = "energy of a linear layer, activations pruned and scaled"
    reference = "Djurisic et al. 2023"

    def __init__(self, percentile: float = 65.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def _shaped(self, Z: Array) -> Array:
        kept = largest(Z, self.percentile)
        return np.where(kept, Z * np.exp(_sum_ratio(Z, kept)), 0.0)


@DETECTORS.register("scale")
class Scale(ShapedEnergy):
    """Energy of ``x exp(a / b)``, a the sum of all activations, b that of the largest.

    References
    ----------
    K. Xu et al., Scaling for Training-Time and Post-hoc Out-of-distribution Detection Enhancement,
    ICLR 2024.
    """

    summary = "energy of a linear layer, activations scaled"
    reference = "Xu et al. 2024"

    def __init__(self, percentile: float = 85.0, shrinkage: float | None = None) -> None:
        super().__init__(percentile, shrinkage)

    def _shaped(self, Z: Array) -> Array:
        return Z * np.exp(_sum_ratio(Z, largest(Z, self.percentile)))


def largest(Z: Array, percentile: float) -> NDArray[np.bool_]:
    """Return which activations of each row (n, d) are among its k largest.

    k is d less `percentile` per cent of d, at least 1; of equal activations the first count.
    """
    d = Z.shape[1]
    k = max(d - int(np.round(d * percentile / 100)), 1)
    last = np.partition(Z, d - k, axis=1)[:, d - k, np.newaxis]
    above, equal = last < Z, last == Z
    room = k - above.sum(axis=1, keepdims=True)
    tied = equal.sum(axis=1) != room[:, 0]
    equal[tied] &= np.cumsum(equal[tied], axis=1) <= room[tied]
    result: NDArray[np.bool_] = above | equal
    return result


def _sum_ratio(Z: Array, kept: NDArray[np.bool_]) -> Array:
    """Return the sum of activations over that of the kept ones, (n, 1); 1 if all are zero."""
    after = np.where(kept, Z, 0.0).sum(axis=1, keepdims=True)
    return np.where(after > 0, Z.sum(axis=1, keepdims=True) / np.where(after > 0, after, 1.0), 1.0)
