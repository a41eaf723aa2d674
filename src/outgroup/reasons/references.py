"""Training images kept beside a model, for new ones to be compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.neighbours import Neighbour

#: Training images that are kept at most (or one of each class, if there are more classes): what
#: they take in the file, and a look-up in time, grows with them.
LIMIT = 10_000

#: Rows compared at once: bounds the memory of the cosines to this many times the references.
BLOCK = 1024

COMPUTED = ("units", "known_units")


@dataclass(frozen=True, eq=False)
class References:
    """Directions of training images' embeddings, by which the nearest ones are found.

    Of each embedding eight bits a number are kept, which a cosine is hardly the worse for: those of
    the bundled network are off by 0.0005 (standard deviation) and 0.004 at most, while the cosines
    of different images differ by tenths.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes.
    directions : ndarray of shape (m, d), int8
        Embeddings as `as_directions` gives them.
    y : ndarray of shape (m,), int32
        Class index of each, -1 for a negative; sorted.
    paths : tuple of (str or None), length m
        Where each came from.
    rows : ndarray of shape (m,), int64, or None
        For embeddings without paths, their rows in the training set.

    Examples
    --------
    >>> directions = as_directions(np.array([[3.0, 0.0], [0.0, 2.0]]))
    >>> kept = References(("cat", "dog"), directions, np.array([0, 1]), ("a.jpg", "b.jpg"))
    >>> kept.nearest(as_directions(np.array([[0.1, 5.0]])), 1)
    [(Neighbour(path='b.jpg', label='dog', distance=0.0003, row=None),)]
    """

    classes: tuple[str, ...]
    directions: NDArray[np.int8]
    y: NDArray[np.int32]
    paths: tuple[str | None, ...]
    rows: NDArray[np.int64] | None = None

    @cached_property
    def units(self) -> NDArray[np.float32]:
        """The directions as rows of length 1, of shape (m, d)."""
        return _units(self.directions)

    @cached_property
    def known_units(self) -> NDArray[np.float32]:
        """Those of the classes alone, as there may be many more negatives."""
        return _units(self.directions[np.searchsorted(self.y, 0) :])

    def nearest(self, directions: NDArray[np.int8], k: int) -> list[tuple[Neighbour, ...]]:
        """Return the `k` nearest references of each of n images, nearest first.

        Parameters
        ----------
        directions : ndarray of shape (n, d), int8
            See `as_directions`.
        k : int
            How many; all of them, where there are fewer.
        """
        k = min(k, len(self.y))
        if not k:
            return [()] * len(directions)
        found = []
        for start in range(0, len(directions), BLOCK):
            cosines = _units(directions[start : start + BLOCK]) @ self.units.T
            for row, few in zip(cosines, np.argpartition(-cosines, k - 1)[:, :k], strict=True):
                order = few[np.lexsort((few, -row[few]))]
                found.append(tuple(self._neighbour(i, row[i]) for i in order.tolist()))
        return found

    def class_distances(self, directions: NDArray[np.int8]) -> NDArray[np.float32]:
        """Return (n, K) the distance of each of n images to the nearest reference of each class.

        It is infinite for a class of which there is none.
        """
        found = np.full((len(directions), len(self.classes)), np.inf, dtype=np.float32)
        ends = np.searchsorted(self.y, np.arange(len(self.classes) + 1))
        ends -= ends[0]
        for start in range(0, len(directions), BLOCK):
            block = slice(start, start + BLOCK)
            cosines = _units(directions[block]) @ self.known_units.T
            for k, (first, end) in enumerate(pairwise(ends)):
                if end > first:
                    found[block, k] = 1 - cosines[:, first:end].max(axis=1)
        return found

    def distances_within(self, k: int, groups: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Return how far the references of class `k` are from the nearest of the others of it.

        Parameters
        ----------
        k : int
            Class index.
        groups : ndarray of shape (m,) or None
            Group of each reference; one of the same group is no other.
        """
        first, end = np.searchsorted(self.y, [k, k + 1])
        units = _units(self.directions[first:end])
        own = np.arange(end - first) if groups is None else groups[first:end]
        best = np.full(end - first, -np.inf, dtype=np.float32)
        for start in range(0, len(units), BLOCK):
            block = slice(start, start + BLOCK)
            cosines = units[block] @ units.T
            cosines[own[block, np.newaxis] == own] = -np.inf
            best[block] = cosines.max(axis=1, initial=-np.inf)
        return 1 - best[np.isfinite(best)]

    def _neighbour(self, i: int, cosine: float) -> Neighbour:
        return Neighbour(
            path=self.paths[i],
            label=None if self.y[i] < 0 else self.classes[self.y[i]],
            distance=round(max(0.0, 1.0 - float(cosine)), 4),
            row=None if self.rows is None else int(self.rows[i]),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in COMPUTED}


def choose_references(
    classes: tuple[str, ...],
    embeddings: NDArray[Any],
    y: NDArray[np.int64],
    paths: Sequence[str | None] | None = None,
    limit: int = LIMIT,
) -> tuple[References, NDArray[np.int64]]:
    """Keep training images, evenly of all classes if there are more than `limit`.

    Of those with the same direction and class the first is kept. Beyond `limit` the choice goes by
    a hash of the direction: as good as drawn, and the same in whatever order the images come.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes.
    embeddings : ndarray of shape (n, d)
        Of the layer that is compared.
    y : ndarray of shape (n,), int64
        Class indices, -1 for negatives.
    paths : sequence of (str or None) or None
        Where the images came from; None: their rows are kept instead.
    limit : int
        How many are kept at most, negatives included; at least one of each class is.

    Returns
    -------
    references : References
    kept : ndarray of shape (m,), int64
        Which rows they are.

    Examples
    --------
    >>> X, y = np.array([[1, 0], [2, 0], [0, 1], [1, 1]]), np.array([0, 0, 1, -1])
    >>> choose_references(("cat", "dog"), X, y)[1]
    array([3, 0, 2])
    """
    directions = as_directions(embeddings)
    first: dict[tuple[int, bytes], int] = {}
    for i, (k, row) in enumerate(zip(y.tolist(), directions, strict=True)):
        digest = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        first.setdefault((k, digest), i)
    kept = np.array([first[key] for key in sorted(first)], dtype=np.int64)
    kinds, starts, counts = np.unique(y[kept], return_index=True, return_counts=True)
    shares = dict(zip(kinds.tolist(), _even_shares(counts, limit).tolist(), strict=True))
    kept = np.concatenate(
        [kept[start : start + shares[k]] for k, start in zip(kinds.tolist(), starts, strict=True)]
    )
    references = References(
        classes=classes,
        directions=directions[kept],
        y=y[kept].astype(np.int32),
        paths=(None,) * len(kept) if paths is None else tuple(paths[i] for i in kept),
        rows=kept if paths is None else None,
    )
    return references, kept


def as_directions(X: NDArray[Any]) -> NDArray[np.int8]:
    """Return rows scaled so that the largest number in each is 127 or -127, and rounded.

    >>> as_directions(np.array([[0.5, -2.0], [0.0, 0.0]])).tolist()
    [[32, -127], [0, 0]]
    """
    found = np.zeros(X.shape, dtype=np.int8)
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        largest = np.abs(block).max(axis=1, initial=0.0, keepdims=True)
        scaled = block / np.where(largest > 0, largest, 1)
        found[start : start + BLOCK] = np.rint(127 * scaled)
    return found


def _units(directions: NDArray[np.int8]) -> NDArray[np.float32]:
    rows = directions.astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, np.newaxis]
    rows /= np.where(length > 0, length, 1)
    return rows


def _even_shares(counts: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Share out `limit` places: what a small class does not fill, the larger ones get.

    >>> _even_shares(np.array([100, 3, 50]), 63)
    array([30,  3, 30])
    """
    shares = np.zeros_like(counts)
    left = limit
    for done, k in enumerate(np.argsort(counts, kind="stable")):
        shares[k] = max(1, min(counts[k], left // (len(counts) - done)))
        left -= shares[k]
    return shares
