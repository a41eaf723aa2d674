"""Find near duplicates: perceptual hashes, and an index of them within three bits of each other."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.images.preprocessing import REDUCING_GAP

BITS = 64
#: Near duplicates have hashes that differ in at most this many bits ...
MAX_DISTANCE = 3
#: ... and embeddings with at least this cosine.
MIN_COSINE = 0.75
#: Standard deviation of grey levels below which the bits of a hash are noise.
MIN_CONTRAST = 4.0
#: How far a frequency must be above the median: the bits of those near zero would be noise.
_MARGIN = 4.0
_SIDE, _FREQUENCIES = 32, 8
#: Hashes that differ in three bits share at least one of four bands of 16 bits.
_BANDS = MAX_DISTANCE + 1
_BAND_BITS = BITS // _BANDS
_VALUES = 2**_BAND_BITS


def fingerprint(image: Image.Image) -> int | None:
    """Return the perceptual hash of an RGB image, 64 bits; None for one without contrast.

    The 8 x 8 lowest frequencies of the discrete cosine transform of the image, 32 x 32 and grey,
    are compared with their median (Zauner 2010, Perceptual image hash functions).
    """
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
    grey = np.asarray(small.convert("L"), np.float64)
    if grey.std() < MIN_CONTRAST:
        return None
    low = np.rint(_DCT @ grey @ _DCT.T).ravel()  # rounded: the same on every machine
    bits = low > np.median(low[1:]) + _MARGIN  # the first is the brightness
    return int(np.packbits(bits).view(">u8")[0])


def distances(one: int, others: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the number of bits in which a hash differs from each of others, of shape (n,)."""
    differing = np.bitwise_xor(others, np.uint64(one)).view(np.uint8).reshape(len(others), 8)
    return np.asarray(np.unpackbits(differing, axis=1).sum(axis=1, dtype=np.int64))


def cosines(rows: npt.NDArray[np.float32], one: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """Return the cosine of each row, shape (n, d), with one vector, (d,); 0 where one is zero."""
    others, vector = rows.astype(np.float64), one.astype(np.float64)
    lengths = np.sqrt((others**2).sum(axis=1)) * np.sqrt((vector**2).sum())
    # Summed row by row: a matrix product rounds differently with another number of rows.
    products = (others * vector).sum(axis=1)
    return np.asarray(products / np.where(lengths > 0, lengths, np.inf))


class HashIndex:
    """Finds the hashes that differ from one in at most three bits, in time that hardly grows.

    Only hashes that share a band of 16 bits are compared (Norouzi et al., CVPR 2012).
    """

    def __init__(self, hashes: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]) -> None:
        self._hashes = np.array(hashes, np.uint64)
        self._rows = np.array(rows, np.int64)
        self._n = len(hashes)
        self._order: list[npt.NDArray[np.int32]] = []
        self._starts: list[npt.NDArray[np.int64]] = []
        for band in range(_BANDS):
            values = (self._hashes >> np.uint64(_BAND_BITS * band)).astype(np.uint16)
            self._order.append(np.argsort(values, kind="stable").astype(np.int32))
            counts = np.bincount(values, minlength=_VALUES)
            self._starts.append(np.concatenate([[0], np.cumsum(counts)]))
        # Later hashes, by band and value: sorting everything again would take ever longer.
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
        """Return the rows of hashes within three bits, the closest first, then the oldest."""
        sharing: set[int] = set()
        for band, value in enumerate(_bands(fingerprint)):
            start, stop = self._starts[band][value : value + 2].tolist()
            sharing.update(self._order[band][start:stop].tolist())
            sharing.update(self._new.get(band << _BAND_BITS | value, ()))
        places = np.fromiter(sharing, np.int64, len(sharing))
        far = distances(fingerprint, self._hashes[places])
        places, far = places[far <= MAX_DISTANCE], far[far <= MAX_DISTANCE]
        return self._rows[places[np.lexsort((places, far))]]


def _bands(fingerprint: int) -> list[int]:
    return [fingerprint >> (_BAND_BITS * band) & (_VALUES - 1) for band in range(_BANDS)]


#: The lowest frequencies of the discrete cosine transform (type II), one a row.
_K, _X = np.mgrid[:_FREQUENCIES, :_SIDE]
_DCT = np.cos(np.pi * _K * (2 * _X + 1) / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
_DCT[0] /= np.sqrt(2)
