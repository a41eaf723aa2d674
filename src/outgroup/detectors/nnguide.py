"""Energy guided by nearest neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import log_sum_exp, unit_rows, whole_number
from outgroup.detectors._neighbours import largest_products
from outgroup.detectors._readout import ReadoutDetector
from outgroup.detectors.base import DETECTORS


@DETECTORS.register("nnguide")
class NearestNeighbourGuide(ReadoutDetector):
    """Minus the energy of a linear layer times the similarity to energetic known rows.

    ``-E(x) mean_i (E(x_i) cos(x, x_i))`` over the k known rows for which the product is largest, E
    the log-sum-exp of the logits: a known row's by a layer that has not seen it, as one that has is
    too sure of it. The layer is fitted in closed form, and scores are standardised (see
    `outgroup.detectors._readout`). With a single class E is 1.

    Parameters
    ----------
    k : int, default=10
        How many neighbours; with fewer known rows, all of them.
    shrinkage : float or None, default=None
        Share of the identity in the covariance of the layer, in (0, 1]; None: Ledoit and Wolf's.

    References
    ----------
    J. Park, Y. G. Jung and A. B. J. Teoh, Nearest Neighbor Guidance for Out-of-Distribution
    Detection, ICCV 2023.

    Examples
    --------
    >>> X = np.array([[9.0, 0.2, 1.0], [7.0, 0.0, 0.5], [0.2, 9.0, 1.0], [0.0, 7.0, 0.5]])
    >>> detector = NearestNeighbourGuide(shrinkage=0.5).fit(X, np.array([0, 0, 1, 1]))
    >>> known, other = detector.other_score(np.array([[8.0, 0.1, 1.0], [2.0, 2.0, 4.0]]))
    >>> bool(known < other)
    True
    """

    name = "nnguide"
    summary = "energy of a linear layer times similarity to known images"
    reference = "Park et al. 2023"
    parameters = ("k", "shrinkage")
    arrays = ("weights", "bias", "standard", "bank")

    def __init__(self, k: int = 10, shrinkage: float | None = None) -> None:
        super().__init__(shrinkage)
        self.k = whole_number("k", k)

    def learn(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> None:
        """Keep the known rows, each as long as it has energy for a layer without it."""
        self.bank = unit_rows(Z) * _energy(logits)[:, np.newaxis]

    def raw(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ReadoutDetector.raw`."""
        guidance = largest_products(unit_rows(Z), self.bank, self.k).mean(axis=1)
        result: NDArray[np.float64] = -guidance * _energy(logits)
        return result

    def left_out(self, Z: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """See `ReadoutDetector.left_out`: no row is its own neighbour."""
        guidance = largest_products(unit_rows(Z), self.bank, self.k, own=True).mean(axis=1)
        result: NDArray[np.float64] = -guidance * _energy(logits)
        return result


def _energy(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return log_sum_exp(logits) if logits.shape[1] > 1 else np.ones(len(logits))
