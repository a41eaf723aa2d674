"""Nearest neighbours by cosine, in blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError

#: Rows compared at once: bounds the memory of the similarities to this many times the bank's rows.
BLOCK = 1024


def valid_rank(name: str, value: object) -> int | float:
    """Return the value of a parameter that is a number or share of neighbours, or raise."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1:
        return int(value)
    if isinstance(value, (float, np.floating)) and 0.0 < value < 1.0:
        return float(value)
    raise InvalidParameterError(
        f"The {name!r} parameter must be a whole number from 1 up, or a share between 0 and 1. "
        f"Got {value!r} instead."
    )


def as_share(k: int | float, n: int) -> float:
    """Return the share of n rows that are among the k nearest.

    How far the k-th of n rows is says how many of all there are within that distance: (k / (n + 1))
    of them, whatever n. A model with fewer rows has to look at an earlier one.

    Examples
    --------
    >>> as_share(5, 99), as_share(0.25, 99), as_share(5, 1)
    (0.05, 0.25, 0.5)
    """
    return min(k, n) / (n + 1) if k >= 1 else float(k)


def largest_products(
    Z: NDArray[np.float64], bank: NDArray[np.float64], k: int, own: bool = False
) -> NDArray[np.float64]:
    """Return (n, k) the k largest inner products of each row with those of the bank, unsorted.

    The smallest of them stands first. With fewer rows in the bank there are as many as it has.
    Where the rows are the bank's `own`, none is compared with itself.
    """
    k = min(k, max(len(bank) - own, 1))
    found = np.empty((len(Z), k))
    for start in range(0, len(Z), BLOCK):
        products = Z[start : start + BLOCK] @ bank.T
        if own and len(bank) > 1:
            np.fill_diagonal(products[:, start:], -np.inf)
        found[start : start + BLOCK] = np.partition(products, -k, axis=1)[:, -k:]
    return found


def kth_distance(
    Z: NDArray[np.float64], bank: NDArray[np.float64], k: int | float, own: bool = False
) -> NDArray[np.float64]:
    """Return 1 less the k-th largest cosine of each unit row with those of the bank.

    Of a share k < 1 of the bank it is the neighbour of rank ``k * (rows + 1)``; between two ranks
    the distance is interpolated. Where the rows are the bank's `own`, each is compared with the
    others.
    """
    n = max(len(bank) - own, 1)
    rank = min(max(k if k >= 1 else round(k * (n + 1), 6), 1.0), float(n))
    below = int(rank)
    if rank == below:
        found = largest_products(Z, bank, below, own)[:, 0]
    else:
        nearest = largest_products(Z, bank, below + 1, own)
        second = np.partition(nearest, 1, axis=1)[:, :2]
        found = second[:, 1] + (rank - below) * (second[:, 0] - second[:, 1])
    result: NDArray[np.float64] = 1.0 - found
    return result
