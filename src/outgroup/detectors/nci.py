"""Closeness to the weights of the predicted class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._readout import ReadoutDetector
from outgroup.detectors.base import DETECTORS
from outgroup.errors import InvalidParameterError


@DETECTORS.register("nci")
class NeuralCollapse(ReadoutDetector):
    """Minus the projection on the weights of the best class, and minus the length.

    ``-(w_a . (x - m) / |x - m| + alpha |x|_1)`` with a the best class of a linear layer and m the
    mean of the known rows: those gather along the weights, and lie farther out than others do. The
    layer is fitted in closed form, and scores are standardised (see `outgroup.detectors._readout`).

    Parameters
    ----------
    alpha : float, default=0.001
        Weight of the length. The paper chooses it on a validation set of unknowns; there is none
        here.
    shrinkage : float or None, default=None
        Share of the identity in the covariance of the layer, in (0, 1]; None: Ledoit and Wolf's.

    References
    ----------
    L. Liu and Y. Qin, Detecting Out-of-Distribution Through the Lens of Neural Collapse, CVPR 2025
    (arXiv:2311.01479, 2023).

    Examples
    --------
    >>> X = np.array([[9.0, 0.2, 1.0], [7.0, 0.0, 0.5], [0.2, 9.0, 1.0], [0.0, 7.0, 0.5]])
    >>> detector = NeuralCollapse(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "nci"
    summary = "minus the projection on the weights of the best class, and the length"
    reference = "Liu & Qin 2025"
    parameters = ("alpha", "shrinkage")
    arrays = ("weights", "bias", "standard", "mean")

    def __init__(self, alpha: float = 0.001, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        if not 0.0 <= alpha < np.inf:
            raise InvalidParameterError(
                f"The 'alpha' parameter must be a number from 0 up. Got {alpha!r} instead."
            )
        self.alpha = float(alpha)

    def learn(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> None:
        """Find the mean of the known rows."""
        self.mean = Z.mean(axis=0)

    def raw(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ReadoutDetector.raw`."""
        best, at = logits.argmax(axis=1), np.arange(len(Z))
        # w . (x - m) is by how much the logit of x exceeds that of m
        along = logits[at, best] - self.logits(self.mean[np.newaxis])[0, best]
        length = np.sqrt(((Z - self.mean) ** 2).sum(axis=1))
        projection = along / np.where(length > 0, length, 1.0)
        result: NDArray[np.float64] = -projection - self.alpha * np.abs(Z).sum(axis=1)
        return result
