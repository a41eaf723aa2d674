"""Whether an image was there before, in memory that does not grow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from outgroup.strategies import Features

#: Different images after which the oldest begin to be forgotten.
CAPACITY = 10_000_000

_BITS_PER_KEY, _HASHES = 10, 7  # 1 in 120 new keys is taken for an old one when it is full


def keys_of(features: Features) -> NDArray[np.uint64]:
    """Return a number for each image that depends on its embedding alone.

    An image gives the same embedding bit for bit wherever it stands in a stream, so copies have one
    key whatever they are called; so have files of other bytes with the same pixels.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer; the layer "last" is read.

    Returns
    -------
    ndarray of shape (n,), uint64
    """
    rows = np.ascontiguousarray(features["last"], dtype=np.float32) + np.float32(0)  # -0 is 0
    digests = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


class Seen:
    """Keys that were there before: a Bloom filter of two generations.

    A new key may be taken for an old one, 1 in 120 at most; whether that happens has nothing to do
    with what the image shows, so what is counted without it is no worse a sample. An old key is
    never taken for a new one, as long as fewer than `capacity` different ones were seen since.

    Parameters
    ----------
    capacity : int
        Keys of one generation, 10 bits each. When one is full the one before it is forgotten.

    References
    ----------
    B. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13 (1970), 422-426.

    Examples
    --------
    >>> seen = Seen(1000)
    >>> seen.add(np.array([5, 7, 5], np.uint64)).tolist()
    [True, True, False]
    >>> seen.add(np.array([7, 8], np.uint64)).tolist()
    [False, True]
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._n_bits = np.uint64(max(64, capacity * _BITS_PER_KEY))
        #: Different keys so far.
        self.total = 0
        self._count = 0
        self._young = self._empty()
        self._old = self._empty()

    def add(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Remember keys, and return which of them are here for the first time."""
        new = np.zeros(len(keys), dtype=bool)
        _, first = np.unique(keys, return_index=True)
        bits = self._bits(keys[first])
        in_young = self._has(self._young, bits)
        new[first] = ~(in_young | self._has(self._old, bits))
        self.total += int(new.sum())
        for place in bits[~in_young].T:
            np.bitwise_or.at(self._young, place >> 3, np.left_shift(1, place & 7).astype(np.uint8))
        self._count += int((~in_young).sum())
        if self._count >= self.capacity:
            self._old, self._young, self._count = self._young, self._empty(), 0
        return new

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return all that is remembered, as arrays by name."""
        numbers = np.array([self.capacity, self.total, self._count])
        return {"numbers": numbers, "young": self._young, "old": self._old}

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state` returned."""
        capacity, self.total, self._count = map(int, arrays["numbers"])
        if capacity != self.capacity:
            raise ValueError(f"a memory of {capacity:,} images, and this one is of another size")
        self._young = np.asarray(arrays["young"], np.uint8)
        self._old = np.asarray(arrays["old"], np.uint8)

    def _empty(self) -> NDArray[np.uint8]:
        return np.zeros(int(self._n_bits) // 8 + 1, dtype=np.uint8)

    def _bits(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        step = (keys >> np.uint64(32)) | np.uint64(1)
        places = keys[:, np.newaxis] + step[:, np.newaxis] * np.arange(_HASHES, dtype=np.uint64)
        return (places % self._n_bits).astype(np.int64)

    @staticmethod
    def _has(filled: NDArray[np.uint8], bits: NDArray[np.int64]) -> NDArray[np.bool_]:
        there = ((filled[bits >> 3] >> (bits & 7)) & 1).astype(bool)
        return np.asarray(there.all(axis=1))
