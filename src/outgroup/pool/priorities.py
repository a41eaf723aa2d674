"""Random numbers that belong to a row or a name, so that no order of reading can change them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_STEP, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


def of_rows(rows: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a random number for each row and seed (SplitMix64; Steele, Lea, Flood 2014).

    Examples
    --------
    >>> of_rows(np.array([3, 4]), 0)[1] == of_rows(np.array([4]), 0)[0]
    np.True_
    """
    start = np.frombuffer(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "<u8")
    with np.errstate(over="ignore"):
        z = (rows.astype(np.uint64) + start[0]) * _STEP
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
        mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def of_name(name: str, seed: int) -> int:
    """Return a random number below 2**64 for a name and seed."""
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
