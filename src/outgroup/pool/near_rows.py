"""The rows nearest to the known classes, and none of them twice the same thing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.pool import priorities
from outgroup.pool.directions import Directions

#: Candidates for each row to draw, and the most of them beyond one each.
CANDIDATES, MOST = 8, 20_000

#: Numbers in a block of products.
BLOCK = 1 << 22


class NearRows:
    """Keeps the candidates: the rows with the highest cosine to their nearest known row.

    Parameters
    ----------
    n : int
        Rows to draw.
    known : ndarray of shape (k, d)
        Embeddings of the known classes.
    seed : int
        Decides between rows that are as near.
    """

    def __init__(self, n: int, known: NDArray[Any], seed: int) -> None:
        self.n, self._seed = n, seed
        self._size = n + min((CANDIDATES - 1) * n, MOST)
        self._directions = Directions(known.shape[1])
        self._known = self._directions.of(known).astype(np.float32)
        self._parts = [self._part(np.empty(0, np.int64), np.empty((0, known.shape[1])))]
        #: How near a row has to be to become a candidate.
        self._least = -np.inf

    def add(self, rows: NDArray[np.int64], features: NDArray[Any]) -> bool:
        """Take (m,) rows with features (m, d) into account; return whether it is time to thin."""
        part = self._part(rows, features)
        enough = part[0] >= self._least
        self._parts.append(tuple(column[enough] for column in part))  # type: ignore[arg-type]
        return sum(len(part[0]) for part in self._parts) > 2 * self._size

    def thin(self, taken: NDArray[np.int64]) -> None:
        """Let go of all but the candidates, and those among the taken rows that are as near."""
        nearness, chances, rows, whole = self._all()
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
        return rows[free][spread(whole[free], self.n, self._directions)]

    def _part(self, rows: NDArray[np.int64], features: NDArray[Any]) -> _Part:
        whole = self._directions.of(features)
        nearness = np.empty(len(rows), dtype=np.float32)
        step = max(1, BLOCK // max(len(self._known), self._known.shape[1]))
        for start in range(0, len(rows), step):
            products = self._directions.products(whole[start : start + step], self._known)
            nearness[start : start + step] = products.max(axis=1)
        return nearness, priorities.of_rows(rows, self._seed), rows, whole

    def _all(self) -> _Part:
        columns = zip(*self._parts, strict=True)
        return tuple(np.concatenate(column) for column in columns)  # type: ignore[return-value]


_Part = tuple[NDArray[np.float32], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int16]]


def spread(whole: NDArray[np.int16], n: int, directions: Directions) -> NDArray[np.int64]:
    """Choose n rows, the first ones if they are different enough from those chosen before.

    At first none may be nearer than 1 (in one less the cosine) to another that is chosen, then
    none nearer than a half, and so on, until there are n. Copies and frames of one scene so come
    last, and no scale of distances has to be known.

    Parameters
    ----------
    whole : ndarray of shape (m, d), int16
        Directions, those first that are to be preferred.
    n : int
        How many to choose.
    directions : Directions
        What made them.

    Returns
    -------
    ndarray of shape (min(n, m),), int64
        Indices, in the order they were chosen.

    References
    ----------
    Carbonell, Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998, for relevance
    held against likeness to what is chosen; Sener, Savarese, "Active learning for convolutional
    neural networks: a core-set approach", ICLR 2018, for covering candidates by distance.

    Examples
    --------
    >>> directions = Directions(2)
    >>> rows = directions.of(np.array([[1, 0], [1, 0.01], [1, 0.1], [0, 1]]))
    >>> spread(rows, 3, directions)
    array([0, 3, 2])
    """
    rows = whole.astype(np.float32)
    same = float(directions.scale) ** 2
    nearest = np.full(len(rows), -np.inf, dtype=np.float32)  # product with the nearest chosen one
    free = np.ones(len(rows), dtype=bool)
    chosen: list[int] = []
    apart = 1.0
    while len(chosen) < min(n, len(rows)):
        limit = same * (1.0 - apart) if apart > 1e-3 else np.inf
        apart /= 2.0
        able = np.flatnonzero(free & (nearest <= limit))
        for start in range(0, len(able), 256):
            block = able[start : start + 256]
            block = block[nearest[block] <= limit]
            among = rows[block] @ rows[block].T
            new: list[int] = []
            for i in range(len(block)):
                if len(chosen) + len(new) == n:
                    break
                if not new or among[i, new].max() <= limit:
                    new.append(i)
            if new:
                taken = block[new]
                chosen += taken.tolist()
                free[taken] = False
                np.maximum(nearest, (rows @ rows[taken].T).max(axis=1), out=nearest)
            if len(chosen) == n:
                break
    return np.array(chosen, dtype=np.int64)
