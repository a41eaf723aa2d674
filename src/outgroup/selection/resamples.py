"""Thresholds from resampled known images (bootstrap)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration.threshold import allowed_above

#: Number of resamples; the spread of so many thresholds is known to 9 %.
N_RESAMPLES = 64


class Resamples:
    """Known images drawn with replacement, whole groups where there are groups.

    Each resample gives one threshold for each strategy, from the same known images for all.

    Parameters
    ----------
    units : ndarray of shape (n,), str, or None
        What counts as one draw; None: each image.

    References
    ----------
    B. Efron, Bootstrap Methods: Another Look at the Jackknife, Annals of Statistics 7(1), 1979.
    """

    def __init__(self, known: NDArray[np.bool_], units: NDArray[np.str_] | None, seed: int) -> None:
        n_known = int(known.sum())
        names = np.arange(n_known) if units is None else units[known]
        _, unit, sizes = np.unique(names, return_inverse=True, return_counts=True)
        draws = np.random.default_rng(seed).multinomial(
            len(sizes), np.full(len(sizes), 1.0 / len(sizes)), size=N_RESAMPLES
        )
        self._weights = np.zeros((N_RESAMPLES, len(known)))
        self._weights[:, known] = (draws / sizes)[:, unit]  # a group of m images weighs 1/m each

    def thresholds(
        self, other_score: NDArray[np.float64], known: NDArray[np.bool_], share: float
    ) -> NDArray[np.float64]:
        """Return the threshold of each resample, (N_RESAMPLES,), by `expected_threshold`.

        `known` (n,) tells which of the known images count, of those that were drawn from.
        """
        rows = np.flatnonzero(known)
        order = rows[np.argsort(other_score[rows], kind="stable")]
        weights = self._weights[:, order]
        from_here_on = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
        allowed = allowed_above(from_here_on[:, 0], share)
        above = np.ceil(from_here_on - weights - 1e-9)
        first = np.argmax(above <= allowed[:, np.newaxis], axis=1)
        return np.asarray(other_score[order[first]], dtype=np.float64)
