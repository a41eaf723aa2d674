"""Scores of examples that the scoring model has not learned from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.errors import InvalidDataError


class HeldOut:
    """Held-out other-scores of one population, counted by group where there are groups.

    Images of one burst or video are not independent, so they count as one unit between them: each
    of a group's m images weighs 1/m, and `n` is the number of groups. The sum over groups of the
    share that is rejected varies less than a binomial count of the same mean (the binomial is the
    largest in convex order; Hoeffding 1963, J. Am. Stat. Assoc. 58, 13-30), so rounding it up to a
    whole number and bounding that is conservative.

    Parameters
    ----------
    scores : array-like of shape (n_images,)
        Other-scores, higher = more other, finite.
    groups : array-like of shape (n_images,) or None
        Group of each image; None: each image stands alone.
    population : str
        Which images these stand for, as it is put in a promise.

    Raises
    ------
    InvalidDataError
        If there are no scores, some are not finite, or groups are not one a score.
    """

    def __init__(
        self,
        scores: ArrayLike,
        groups: ArrayLike | None = None,
        population: str = "images like your known ones",
    ) -> None:
        values = np.asarray(scores, dtype=np.float64)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise InvalidDataError(
                "Held-out scores must be a non-empty vector of finite numbers. "
                f"Got shape {values.shape}, {int((~np.isfinite(values)).sum())} of them not finite."
            )
        if groups is None:
            weights = np.ones(len(values))
            self.n, self.unit = len(values), "images"
        else:
            names = np.asarray(groups)
            if names.shape != values.shape:
                raise InvalidDataError(
                    f"There must be one group for each score. Got {names.shape} groups for "
                    f"{values.shape} scores."
                )
            _, index, counts = np.unique(names, return_inverse=True, return_counts=True)
            weights = 1.0 / counts[index]
            self.n, self.unit = len(counts), "groups" if counts.max() > 1 else "images"
        order = np.argsort(values, kind="stable")
        self.population = population
        self._sorted: NDArray[np.float64] = values[order]
        # _above[i]: weight of the scores at i and later in sorted order; one more for "none"
        self._above = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])

    def rejected(self, threshold: float) -> int:
        """Return how many units have scores above `threshold`, parts of groups rounded up."""
        return _ceil(self._above[np.searchsorted(self._sorted, threshold, side="right")])

    def accepted(self, threshold: float) -> int:
        """Return how many units have scores at or below `threshold`, parts rounded up."""
        first_above = np.searchsorted(self._sorted, threshold, side="right")
        return _ceil(self._above[0] - self._above[first_above])

    def lowest_threshold(self, k: int) -> float:
        """Return the lowest score that, as a threshold, has at most `k` units above it."""
        counts = np.ceil(self._above[1:] - 1e-9)  # units strictly above each score, but for ties
        return float(self._sorted[np.argmax(counts <= k)])

    def highest_threshold(self, k: int) -> float:
        """Return the highest threshold at or below which there are at most `k` units."""
        counts = np.ceil(self._above[0] - self._above[1:] - 1e-9)
        too_many = np.flatnonzero(counts > k)
        if not len(too_many):
            return float(self._sorted[-1])
        return float(np.nextafter(self._sorted[too_many[0]], -np.inf))


def _ceil(weight: float) -> int:
    # sums of 1/m are exact only up to rounding; 1e-9 of a group is no group
    return int(np.ceil(weight - 1e-9))
