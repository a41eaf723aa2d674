"""Held-out scores of one population."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.errors import InvalidDataError


class HeldOut:
    """Other-scores of images that the scoring model has not learned from, counted by group.

    Images of one burst or video are not independent, so a group counts as one unit: each of its m
    images weighs 1/m. The sum of the shares of groups varies less than a binomial count of the same
    mean (Hoeffding 1963, J. Am. Stat. Assoc. 58, 13-30), so a binomial bound of the sum, rounded
    up, is conservative.

    Parameters
    ----------
    scores : array-like of shape (n_images,)
        Other-scores, higher = more other, finite.
    groups : array-like of shape (n_images,) or None
        Group of each image; None: each image is a group.
    population : str
        The images that these stand for, in the words of a guarantee.
    event : str or None
        What a guarantee is about, in its words; None: "rejected" for known images, "accepted" for
        negatives.
    """

    def __init__(
        self,
        scores: ArrayLike,
        groups: ArrayLike | None = None,
        population: str = "images like your known ones",
        event: str | None = None,
    ) -> None:
        values = np.asarray(scores, dtype=np.float64)
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise InvalidDataError(
                "Held-out scores must be a non-empty vector of finite numbers, got shape "
                f"{values.shape} with {int((~np.isfinite(values)).sum())} that are not finite."
            )
        if groups is None:
            weights = np.ones(len(values))
            self.n, self.unit = len(values), "images"
        else:
            names = np.asarray(groups)
            if names.shape != values.shape:
                raise InvalidDataError(
                    f"Held-out scores must have one group each, got {names.shape} groups for "
                    f"{values.shape} scores."
                )
            _, index, counts = np.unique(names, return_inverse=True, return_counts=True)
            weights = 1.0 / counts[index]
            self.n, self.unit = len(counts), "groups" if counts.max() > 1 else "images"
        order = np.argsort(values, kind="stable")
        self.population, self.event = population, event
        self._sorted: NDArray[np.float64] = values[order]
        # _above[i] is the weight of the i-th and all later scores; the last entry is 0
        self._above = np.concatenate([np.cumsum(weights[order][::-1])[::-1], [0.0]])

    def rejected(self, threshold: float) -> int:
        """Return the number of units above `threshold`; parts of groups are rounded up."""
        return _ceil(self._above[np.searchsorted(self._sorted, threshold, side="right")])

    def accepted(self, threshold: float) -> int:
        """Return the number of units at or below `threshold`; parts of groups are rounded up."""
        first_above = np.searchsorted(self._sorted, threshold, side="right")
        return _ceil(self._above[0] - self._above[first_above])

    def lowest_threshold(self, k: int) -> float:
        """Return the lowest score with at most `k` units above it."""
        counts = np.ceil(self._above[1:] - 1e-9)  # right for the last of equal scores
        return float(self._sorted[np.argmax(counts <= k)])

    def highest_threshold(self, k: int) -> float:
        """Return the highest threshold with at most `k` units at or below it."""
        counts = np.ceil(self._above[0] - self._above[1:] - 1e-9)
        too_many = np.flatnonzero(counts > k)
        if not len(too_many):
            return float(self._sorted[-1])
        return float(np.nextafter(self._sorted[too_many[0]], -np.inf))


def _ceil(weight: float) -> int:
    return int(np.ceil(weight - 1e-9))  # sums of 1/m are exact only up to rounding
