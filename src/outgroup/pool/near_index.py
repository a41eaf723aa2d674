"""Which of a million perceptual hashes are within three bits of this one, without a search."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt

from outgroup.pool.fingerprints import BITS, distances

#: Two hashes this close share one of four bands, since three bits can't be in four places.
MAX_DISTANCE = 3
_BANDS = 4
_BAND_BITS = BITS // _BANDS
_VALUES = 2**_BAND_BITS


class NearIndex:
    """Finds hashes that differ in at most three bits, in time that hardly grows.

    A hash is cut into four bands of 16 bits. Hashes that differ in three bits at most are equal in
    one band at least, so only those that share a band are compared. Memory is 24 bytes a hash.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n,)
        Hashes that are there from the start.
    rows : ndarray of int64, shape (n,)
        What each is the hash of.

    References
    ----------
    M. Norouzi, A. Punjani, D. J. Fleet, Fast search in Hamming space with multi-index hashing, CVPR
    2012, https://arxiv.org/abs/1307.2982

    Examples
    --------
    >>> index = NearIndex(np.array([0, 2**64 - 1], np.uint64), np.array([10, 11]))
    >>> index.add(0b111, 12)
    >>> index.find(0).tolist(), index.find(0b1111).tolist()
    ([10, 12], [12])
    """

    def __init__(self, hashes: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]) -> None:
        self._hashes = np.array(hashes, np.uint64)
        self._rows = np.array(rows, np.int64)
        self._n_old = len(hashes)
        self._n = len(hashes)
        self._order: list[npt.NDArray[np.int32]] = []
        self._starts: list[npt.NDArray[np.int64]] = []
        for band in range(_BANDS):
            values = _band_of(self._hashes, band)
            self._order.append(np.argsort(values, kind="stable").astype(np.int32))
            counts = np.bincount(values, minlength=_VALUES)
            self._starts.append(np.concatenate([[0], np.cumsum(counts)]))
        # What came later, by band and value: sorting all again and again would take ever longer.
        self._new: dict[int, array[int]] = {}

    def add(self, fingerprint: int, row: int) -> None:
        """Add the hash of a row."""
        if self._n == len(self._hashes):
            room = max(1024, self._n // 4)
            self._hashes = np.concatenate([self._hashes, np.empty(room, np.uint64)])
            self._rows = np.concatenate([self._rows, np.empty(room, np.int64)])
        self._hashes[self._n], self._rows[self._n] = fingerprint, row
        for band, value in enumerate(_bands(fingerprint)):
            self._new.setdefault(band << _BAND_BITS | value, array("i")).append(self._n)
        self._n += 1

    def find(self, fingerprint: int) -> npt.NDArray[np.int64]:
        """Return the rows whose hashes are within three bits, the closest first, then the oldest.

        Returns
        -------
        ndarray of int64, shape (m,)
        """
        sharing: set[int] = set()
        for band, value in enumerate(_bands(fingerprint)):
            start, stop = self._starts[band][value : value + 2].tolist()
            if start < stop:
                sharing.update(self._order[band][start:stop].tolist())
            if (new := self._new.get(band << _BAND_BITS | value)) is not None:
                sharing.update(new)
        places = np.fromiter(sharing, np.int64, len(sharing))
        far = distances(fingerprint, self._hashes[places])
        near = far <= MAX_DISTANCE
        if not near.any():
            return np.empty(0, np.int64)
        order = np.lexsort((places[near], far[near]))
        return self._rows[places[near][order]]


def _bands(fingerprint: int) -> list[int]:
    return [fingerprint >> (_BAND_BITS * band) & (_VALUES - 1) for band in range(_BANDS)]


def _band_of(hashes: npt.NDArray[np.uint64], band: int) -> npt.NDArray[np.uint16]:
    """Return one band of each hash: 16 bits, which NumPy sorts by counting them."""
    return (hashes >> np.uint64(_BAND_BITS * band)).astype(np.uint16)
