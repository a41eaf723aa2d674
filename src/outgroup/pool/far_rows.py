"""A uniform sample by source: each source gives as many rows as any other, as far as it lasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup.pool import priorities

#: Rows that may wait before the sample is thinned again.
WAITING = 8192


class FarRows:
    """Keeps the rows with the highest priorities of each source.

    What a source may give at most only falls as rows come in, so a row that is let go would never
    be taken later: memory stays at about `n` rows and one number a source, and the sample is that
    of all rows at once.

    Parameters
    ----------
    n : int
        Rows to draw.
    seed : int
        Seed of the priorities.

    Examples
    --------
    >>> far = FarRows(4, seed=0)
    >>> far.add(np.arange(100), ["cars"] * 99 + ["sofas"])
    >>> rows = far.rows()
    >>> len(rows), 99 in rows
    (4, True)
    """

    def __init__(self, n: int, seed: int) -> None:
        self.n, self._seed = n, seed
        self._codes: dict[str, int] = {}
        self._chances: list[int] = []  # of sources, by code
        self._kept = _empty()
        self._waiting = [_empty()]

    def add(self, rows: NDArray[np.int64], sources: Sequence[str] | NDArray[np.object_]) -> None:
        """Take (m,) rows of a source each into account."""
        if not self.n:
            return
        names, inverse = np.unique(np.asarray(sources, dtype=object), return_inverse=True)
        codes = np.array([self._code(str(name)) for name in names], dtype=np.int64)
        chances = priorities.of_rows(rows, self._seed)
        self._waiting.append((codes[inverse], chances, rows))
        if sum(len(part[2]) for part in self._waiting) >= max(WAITING, len(self._kept[2])):
            self._thin()

    def candidates(self) -> NDArray[np.int64]:
        """Return the rows that are still in it; any other row of before is out for good."""
        self._thin()
        return self._kept[2]

    def rows(self) -> NDArray[np.int64]:
        """Return the rows of the sample, n or all there were, in random order."""
        codes, chances, rows = self._thin()
        order = np.lexsort((rows, ~chances))
        surplus = len(rows) - self.n
        if surplus > 0:
            place = _places(codes)
            last = np.flatnonzero(place == place.max())  # of the sources that give the most
            dropped = sorted(last, key=lambda i: self._chances[codes[i]])[:surplus]
            order = order[~np.isin(order, dropped)]
        return rows[order]

    def _code(self, name: str) -> int:
        if name not in self._codes:
            self._codes[name] = len(self._codes)
            self._chances.append(priorities.of_name(name, self._seed))
        return self._codes[name]

    def _thin(self) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
        parts = [self._kept, *self._waiting]
        self._waiting = []
        codes, chances, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((rows, ~chances, codes))
        codes, chances, rows = codes[order], chances[order], rows[order]
        keep = _places(codes) < water_level(np.bincount(codes), self.n)
        codes, chances, rows = codes[keep], chances[keep], rows[keep]
        if len(np.unique(codes)) > self.n:  # one row a source at most, from here on
            best = sorted(range(len(codes)), key=lambda i: ~self._chances[codes[i]])[: self.n]
            codes, chances, rows = codes[best], chances[best], rows[best]
        self._kept = codes, chances, rows
        return self._kept


def water_level(counts: NDArray[np.int64], n: int) -> int:
    """Return the smallest number of rows a source with which the sources give n, or all they have.

    >>> water_level(np.array([10, 1, 10]), 9), water_level(np.array([2, 1]), 9)
    (4, 2)
    """
    counts = np.sort(counts[counts > 0])
    for i, count in enumerate(counts):
        below, sources = counts[:i].sum(), len(counts) - i
        if below + count * sources >= n:
            return int(-(-(n - below) // sources))
    return int(counts[-1]) if len(counts) else 0


def _places(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each entry among those of its code, which stand together.

    >>> _places(np.array([4, 4, 4, 7, 7]))
    array([0, 1, 2, 0, 1])
    """
    index = np.arange(len(codes))
    starts = np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1))
    return index - np.repeat(starts, np.diff(np.append(starts, len(codes))))


def _empty() -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    none = np.empty(0, dtype=np.int64)
    return none, none.astype(np.uint64), none
