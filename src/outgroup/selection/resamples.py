"""Thresholds as they would lie, had other known images been there to lay them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration.threshold import allowed_above

#: How often the known images are drawn again. The spread of so many thresholds is known to 9 %.
N_RESAMPLES = 64


class Resamples:
    """Known images drawn again with replacement, whole groups where there are groups.

    A threshold that few images lay is itself a matter of luck: of forty-five known images two lie
    above it, and with one odd image more or less it would be another. Each resample lays one
    threshold for each strategy, and the same known images lay it for all of them.

    Parameters
    ----------
    known : ndarray of shape (n,), bool
        Which rows are known images.
    units : ndarray of shape (n,), str, or None
        What counts as one draw; None: each image.
    seed : int
        Of the draws.

    References
    ----------
    B. Efron, Bootstrap Methods: Another Look at the Jackknife, Annals of Statistics 7(1), 1979.

    Examples
    --------
    >>> known = np.arange(100) < 99
    >>> thresholds = Resamples(known, None, seed=0).thresholds(np.arange(100.0), known, 0.05)
    >>> thresholds.shape, bool(thresholds.min() < 94 < thresholds.max())
    ((64,), True)
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
        """Return the threshold that each resample lays, as `expected_threshold` lays it.

        Parameters
        ----------
        other_score : ndarray of shape (n,)
            Held-out scores.
        known : ndarray of shape (n,), bool
            Which of the known images lay it: some of those that were drawn from.
        share : float
            Expected share of new known images above it.

        Returns
        -------
        ndarray of shape (N_RESAMPLES,), float64
        """
        rows = np.flatnonzero(known)
        order = rows[np.argsort(other_score[rows], kind="stable")]
        weights = self._weights[:, order]
        from_here_on = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
        allowed = allowed_above(from_here_on[:, 0], share)
        above = np.ceil(from_here_on - weights - 1e-9)
        first = np.argmax(above <= allowed[:, np.newaxis], axis=1)
        return np.asarray(other_score[order[first]], dtype=np.float64)
