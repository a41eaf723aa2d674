"""Table columns as the network reads them, and what is odd about one of their values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.multi_input.scaling import QUARTILES

#: Standardised numbers are cut here, so that no angle of 1e9 drowns the images.
LIMIT = 5.0


@dataclass(frozen=True)
class NumberCode:
    """How a number is written for the network: standardised, and whether it was missing.

    Parameters
    ----------
    name : str
        The column.
    centre, spread : float
        Median of the training rows, and their quartile distance over 1.349.
    indicator : bool
        Whether a column says that the number was missing.
    """

    name: str
    centre: float
    spread: float
    indicator: bool

    @property
    def width(self) -> int:
        """Columns that the network gets."""
        return 1 + self.indicator

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return (n, width) for numbers (n,), NaN being missing."""
        missing = np.isnan(values)
        scaled = np.clip((values - self.centre) / self.spread, -LIMIT, LIMIT)
        columns = [np.where(missing, 0.0, scaled)] + [missing] * self.indicator
        result: NDArray[np.float32] = np.column_stack(columns).astype(np.float32)
        return result

    def missing_row(self) -> NDArray[np.float32]:
        """Return what stands for a missing number."""
        found: NDArray[np.float32] = self.encode(np.array([np.nan]))[0]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "kind": "numeric",
            "name": self.name,
            "centre": self.centre,
            "spread": self.spread,
            "indicator": self.indicator,
        }


@dataclass(frozen=True)
class NameCode:
    """How a name is written for the network: one slot for each of training, one for unseen.

    Parameters
    ----------
    name : str
        The column.
    known : tuple of str
        The names that training had, sorted.
    """

    name: str
    known: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns that the network gets."""
        return len(self.known) + 1

    def encode(self, values: Sequence[str | None]) -> NDArray[np.float32]:
        """Return (n, width) for names, None being missing."""
        index = {name: i for i, name in enumerate(self.known)}
        found = np.zeros((len(values), self.width), dtype=np.float32)
        for row, name in enumerate(values):
            if name is not None:
                found[row, index.get(name, len(self.known))] = 1.0
        return found

    def missing_row(self) -> NDArray[np.float32]:
        """Return what stands for a missing name."""
        return np.zeros(self.width, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"kind": "categorical", "name": self.name, "known": list(self.known)}


Code = NumberCode | NameCode


def fit_number(name: str, values: NDArray[np.float64], indicator: bool) -> NumberCode:
    """Learn centre and spread of a column (n,), NaN being missing."""
    there = values[~np.isnan(values)]
    if not len(there):
        return NumberCode(name, 0.0, 1.0, indicator)
    low, middle, high = np.percentile(there, [25, 50, 75])
    spread = (high - low) / QUARTILES or float(there.std()) or 1.0
    return NumberCode(name, float(middle), float(spread), indicator)


def fit_name(name: str, values: Sequence[str | None]) -> NameCode:
    """Learn the names that there are."""
    return NameCode(name, tuple(sorted({value for value in values if value is not None})))


def gaps(values: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far numbers are from the third nearest different one of training.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        NaN stays NaN.
    known : ndarray of shape (m,), float64
        Of training, sorted, each once; the farthest of them counts if there are fewer than three.

    Examples
    --------
    >>> gaps(np.array([2.0, 9.0, np.nan]), np.array([1.0, 2.0, 3.0, 4.0]))
    array([ 1.,  7., nan])
    """
    if not len(known):
        return np.where(np.isnan(values), np.nan, 0.0)
    return distances_to_nearest(values, known, min(3, len(known)))[:, -1]


def distances_to_nearest(
    values: NDArray[np.float64], known: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    """Return how far numbers (n,) are from the k nearest of sorted ones (m,), nearest first.

    Examples
    --------
    >>> distances_to_nearest(np.array([2.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0]), 2)
    array([[0., 1.],
           [5., 6.]])
    """
    beside = np.searchsorted(known, values)[:, np.newaxis] + np.arange(-k, k)
    there = (beside >= 0) & (beside < len(known))
    near = known[np.clip(beside, 0, len(known) - 1)]
    distances = np.where(there, np.abs(near - values[:, np.newaxis]), np.inf)
    found: NDArray[np.float64] = np.sort(distances, axis=1)[:, :k]
    return np.where(np.isnan(values)[:, np.newaxis], np.nan, found)


def surprises(values: Sequence[str | None], counts: Mapping[str, int]) -> NDArray[np.float64]:
    """Return the information of names, in nats: rare ones of training have more, unseen ones most.

    A name that ``c`` of ``m`` training rows of ``K`` names have gets
    ``-log((c + 1) / (m + K + 1))``; NaN for one that is missing.

    Examples
    --------
    >>> surprises(["a", "b", "new"], {"a": 2, "b": 1}).round(2)
    array([0.69, 1.1 , 1.79])
    """
    total = sum(counts.values()) + len(counts) + 1
    return np.array(
        [
            math.nan if name is None else -math.log((counts.get(name, 0) + 1) / total)
            for name in values
        ],
        dtype=np.float64,
    )
