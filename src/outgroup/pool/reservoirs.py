"""Samples of a pool that is read once: rows of every source, and rows near the classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError

#: Rows that may wait before a sample by source is thinned again.
_MAX_WAITING = 8192
#: Candidates for each near row to draw, and the most of them beyond one each.
_CANDIDATES, _MAX_CANDIDATES = 8, 20_000
#: Rows, and numbers of a product of matrices, that are computed together.
_BLOCK, _PRODUCTS = 512, 1 << 22


def row_priorities(rows: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a random number for each row, whatever their order (SplitMix64, OOPSLA 2014)."""
    start = np.frombuffer(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "<u8")
    with np.errstate(over="ignore"):
        z = (rows.astype(np.uint64) + start[0]) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


class FarReservoir:
    """Keeps a uniform sample of each source, of the same size as far as the sources last.

    Memory stays at about `n` rows: a row that is dropped would never be drawn later.
    """

    def __init__(self, n: int, seed: int) -> None:
        self._n, self._seed = n, seed
        self._codes: dict[str, int] = {}
        self._chances: list[int] = []  # priorities of sources, by code
        none = np.empty(0, dtype=np.int64)
        self._kept: _FarPart = (none, none.astype(np.uint64), none)
        self._waiting: list[_FarPart] = []

    def add(self, rows: NDArray[np.int64], sources: Sequence[str] | NDArray[np.object_]) -> None:
        """Add (m,) rows, each with its source."""
        if not self._n:
            return
        names, inverse = np.unique(np.asarray(sources, dtype=object), return_inverse=True)
        codes = np.array([self._code(str(name)) for name in names], dtype=np.int64)
        self._waiting.append((codes[inverse], row_priorities(rows, self._seed), rows))
        if sum(len(part[2]) for part in self._waiting) >= max(_MAX_WAITING, len(self._kept[2])):
            self._thin()

    def candidates(self) -> NDArray[np.int64]:
        """Return the rows that are still in the sample; any other row so far is out for good."""
        self._thin()
        return self._kept[2]

    def rows(self) -> NDArray[np.int64]:
        """Return the rows of the sample, n or all there were, in random order."""
        codes, chances, rows = self._thin()
        order = np.lexsort((rows, ~chances))
        surplus = len(rows) - self._n
        if surplus > 0:
            rank = _ranks(codes)
            last = np.flatnonzero(rank == rank.max())  # of the sources that give the most
            dropped = sorted(last, key=lambda i: self._chances[codes[i]])[:surplus]
            order = order[~np.isin(order, dropped)]
        return rows[order]

    def _code(self, name: str) -> int:
        if name not in self._codes:
            self._codes[name] = len(self._codes)
            digest = hashlib.blake2b(f"{self._seed}\0{name}".encode(), digest_size=8).digest()
            self._chances.append(int.from_bytes(digest, "little"))
        return self._codes[name]

    def _thin(self) -> _FarPart:
        parts = [self._kept, *self._waiting]
        self._waiting = []
        codes, chances, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((rows, ~chances, codes))
        codes, chances, rows = codes[order], chances[order], rows[order]
        keep = _ranks(codes) < quota(np.bincount(codes), self._n)
        codes, chances, rows = codes[keep], chances[keep], rows[keep]
        if len(np.unique(codes)) > self._n:  # one row a source at most, from here on
            best = sorted(range(len(codes)), key=lambda i: ~self._chances[codes[i]])[: self._n]
            codes, chances, rows = codes[best], chances[best], rows[best]
        self._kept = codes, chances, rows
        return self._kept


#: Codes of sources, priorities, rows.
_FarPart = tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]


def quota(counts: NDArray[np.int64], n: int) -> int:
    """Return the smallest number of rows a source with which sources of these sizes give n."""
    counts = np.sort(counts[counts > 0])
    for i, count in enumerate(counts):
        below, sources = counts[:i].sum(), len(counts) - i
        if below + count * sources >= n:
            return int(-(-(n - below) // sources))
    return int(counts[-1]) if len(counts) else 0


def _ranks(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rank of each entry within its code; equal codes are adjacent."""
    index = np.arange(len(codes))
    starts = np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1))
    return index - np.repeat(starts, np.diff(np.append(starts, len(codes))))


def whole_directions(features: NDArray[Any], d: int) -> NDArray[np.int16]:
    """Return rows of length d as vectors of whole numbers that point in the same directions.

    Vectors of a length of about 4,000 have products below 2**24, which float32 computes exactly,
    whatever the shape of the matrix. Zeros stay zeros.
    """
    if features.ndim != 2 or features.shape[1] != d:
        raise InvalidDataError(
            f"Embeddings must be rows of the same length: shape {features.shape} came together "
            f"with rows of {d} numbers. Were they made by two backbones?"
        )
    whole = np.empty(features.shape, dtype=np.int16)
    for start in range(0, len(features), _BLOCK):
        rows = features[start : start + _BLOCK].astype(np.float64, order="C")
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
        if not np.isfinite(largest).all():
            raise InvalidDataError("Embeddings must be finite numbers; some are not.")
        rows /= np.where(largest > 0, largest, 1.0)
        length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
        rows *= _length(d) / np.where(length > 0, length, 1.0)
        whole[start : start + _BLOCK] = np.rint(rows)
    return whole


def _length(d: int) -> int:
    return int(4095 - np.sqrt(d) / 2)  # rounding adds at most sqrt(d) / 2


class NearReservoir:
    """Keeps rows with the highest cosine to their nearest known row, then spreads its choice."""

    def __init__(self, n: int, known: NDArray[Any], seed: int) -> None:
        self._n, self._seed = n, seed
        self._size = n + min((_CANDIDATES - 1) * n, _MAX_CANDIDATES)
        self._known = whole_directions(known, known.shape[1]).astype(np.float32)
        self._parts = [self._part(np.empty(0, np.int64), np.empty((0, known.shape[1])))]
        self._least = -np.inf  # how near a row must be to become a candidate

    def add(self, rows: NDArray[np.int64], features: NDArray[Any]) -> bool:
        """Add (m,) rows with features (m, d); return whether `thin` should be called."""
        part = self._part(rows, features)
        enough = part[0] >= self._least
        self._parts.append(tuple(column[enough] for column in part))  # type: ignore[arg-type]
        return sum(len(part[0]) for part in self._parts) > 2 * self._size

    def thin(self, taken: NDArray[np.int64]) -> None:
        """Drop all but the candidates, and those of the taken rows that are as near."""
        columns = zip(*self._parts, strict=True)
        nearness, chances, rows, whole = (np.concatenate(column) for column in columns)
        order = np.lexsort((rows, ~chances, -nearness))
        free = ~np.isin(rows[order], taken)
        order = order[free.cumsum() - free < self._size]
        self._parts = [(nearness[order], chances[order], rows[order], whole[order])]
        if free.sum() >= self._size:
            self._least = nearness[order[-1]]

    def rows(self, taken: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return up to n rows that are not taken, in the order they were chosen."""
        self.thin(taken)
        ((_, _, rows, whole),) = self._parts
        free = ~np.isin(rows, taken)
        return rows[free][spread(whole[free], self._n)]

    def _part(self, rows: NDArray[np.int64], features: NDArray[Any]) -> _NearPart:
        whole = whole_directions(features, self._known.shape[1])
        nearness = np.empty(len(rows), dtype=np.float32)
        step = max(1, _PRODUCTS // max(self._known.shape))
        for start in range(0, len(rows), step):
            products = whole[start : start + step].astype(np.float32) @ self._known.T
            nearness[start : start + step] = products.max(axis=1)
        return nearness, row_priorities(rows, self._seed), rows, whole


#: Products with the nearest known row, priorities, rows, whole numbers.
_NearPart = tuple[NDArray[np.float32], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int16]]


def spread(whole: NDArray[np.int16], n: int) -> NDArray[np.int64]:
    """Choose n rows (indices, in order), passing over those too similar to chosen ones.

    At first no row may be within 1 (one minus the cosine) of a chosen one, then none within a half,
    and so on, until there are n (after Sener and Savarese, ICLR 2018). `whole` are rows of
    `whole_directions`, the preferred ones first.
    """
    rows = whole.astype(np.float32)
    nearest = np.full(len(rows), -np.inf, dtype=np.float32)  # product with the nearest chosen one
    free = np.ones(len(rows), dtype=bool)
    chosen: list[int] = []
    apart = 1.0
    while len(chosen) < min(n, len(rows)):
        limit = _length(whole.shape[1]) ** 2 * (1.0 - apart) if apart > 1e-3 else np.inf
        apart /= 2.0
        able = np.flatnonzero(free & (nearest <= limit))
        for start in range(0, len(able), 256):
            block = able[start : start + 256]
            block = block[nearest[block] <= limit]
            among = rows[block] @ rows[block].T
            new: list[int] = []
            for i in range(len(block)):
                if len(chosen) + len(new) < n and (not new or among[i, new].max() <= limit):
                    new.append(i)
            if new:
                taken = block[new]
                chosen += taken.tolist()
                free[taken] = False
                np.maximum(nearest, (rows @ rows[taken].T).max(axis=1), out=nearest)
            if len(chosen) == n:
                break
    return np.array(chosen, dtype=np.int64)
