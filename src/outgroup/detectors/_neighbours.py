"""Nearest neighbours by cosine, in blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Rows compared at once: bounds the memory of the similarities to this many times the bank's rows.
BLOCK = 1024


def largest_products(
    Z: NDArray[np.float64], bank: NDArray[np.float64], k: int
) -> NDArray[np.float64]:
    """Return (n, k) the k largest inner products of each row with those of the bank, unsorted.

    The smallest of them stands first. With fewer rows in the bank there are as many as it has.
    """
    k = min(k, len(bank))
    found = np.empty((len(Z), k))
    for start in range(0, len(Z), BLOCK):
        products = Z[start : start + BLOCK] @ bank.T
        found[start : start + BLOCK] = np.partition(products, -k, axis=1)[:, -k:]
    return found


def kth_distance(Z: NDArray[np.float64], bank: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return 1 less the k-th largest cosine of each unit row with those of the bank."""
    result: NDArray[np.float64] = 1.0 - largest_products(Z, bank, k)[:, 0]
    return result
