"""Distance to the decision boundaries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._readout import ReadoutDetector
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("fdbd")
class FastDecisionBoundary(ReadoutDetector):
    """Minus the mean distance to the decision boundaries, relative to that from the mean.

    ``-mean_(c != a) (z_a - z_c) / (|w_a - w_c| |x - m|)`` with a the best class of a linear layer
    and m the mean of the known rows. The layer is fitted in closed form, and scores are
    standardised (see `outgroup.detectors._readout`). With a single class there is no boundary, and
    all scores are alike.

    Parameters
    ----------
    shrinkage : float or None, default=None
        Share of the identity in the covariance of the layer, in (0, 1]; None: Ledoit and Wolf's.

    References
    ----------
    L. Liu and Y. Qin, Fast Decision Boundary based Out-of-Distribution Detector, ICML 2024.

    Examples
    --------
    >>> X = np.array([[9.0, 0.2, 1.0], [7.0, 0.0, 0.5], [0.2, 9.0, 1.0], [0.0, 7.0, 0.5]])
    >>> detector = FastDecisionBoundary(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "fdbd"
    summary = "minus the mean distance to the decision boundaries of a linear layer"
    reference = "Liu & Qin 2024"
    arrays = ("weights", "bias", "standard", "mean", "gaps")

    def learn(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> None:
        """Measure how far apart the weights of the classes are."""
        self.mean = Z.mean(axis=0)
        differences = self.weights.T[:, np.newaxis] - self.weights.T
        gaps = np.sqrt((differences**2).sum(axis=2))
        self.gaps = np.where(gaps > 0, gaps, 1.0)

    def raw(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ReadoutDetector.raw`."""
        ahead = logits.max(axis=1, keepdims=True) - logits
        boundary = (ahead / self.gaps[logits.argmax(axis=1)]).sum(axis=1)
        length = np.sqrt(((Z - self.mean) ** 2).sum(axis=1))
        length = np.where(length > 0, length, 1.0) * max(logits.shape[1] - 1, 1)
        result: NDArray[np.float64] = -boundary / length
        return result
