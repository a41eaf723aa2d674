"""Why an answer is what it is: ambiguous images, and the nearest training images."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration.bounds import conformal_quantile
from outgroup.errors import InvalidParameterError
from outgroup.label_schema import LabelSchema
from outgroup.predictions import Neighbour

#: Default number of neighbours that an answer names.
NEAREST = 5

#: Training images that are kept at most, or one of each class if there are more classes.
LIMIT = 10_000

#: Rows compared at once, which bounds the memory of the cosines.
BLOCK = 1024

#: What a pickle of references leaves out, because it can be computed again.
COMPUTED = ("units", "labels", "_sorted")

#: An image is ambiguous if its two best classes are closer to each other than those of the first
#: share of held-out known images, and it is as near to both as the second share of each is.
CLOSER_THAN, WITHIN_REACH = 0.95, 0.99


@dataclass(frozen=True, eq=False)
class References:
    """Training images that new ones are compared with, as directions of their embeddings.

    Each number of an embedding is kept in eight bits; cosines of the bundled network are off by
    0.0005 (standard deviation).

    Parameters
    ----------
    directions : ndarray of shape (m, d), int8
        Embeddings as `as_directions` gives them.
    rows : ndarray of shape (m,), int64, or None
        For embeddings without paths, their rows in the training set.
    """

    schema: LabelSchema
    directions: NDArray[np.int8]
    targets: NDArray[np.int32]
    paths: tuple[str | None, ...]
    rows: NDArray[np.int64] | None = None

    @cached_property
    def units(self) -> NDArray[np.float32]:
        """The directions as rows of length 1, of shape (m, d)."""
        return _units(self.directions)

    @cached_property
    def labels(self) -> list[str | None]:
        """The classes of each, joined by bars."""
        return self.schema.texts(self.targets.astype(np.int64))

    def nearest(self, directions: NDArray[np.int8], k: int) -> list[tuple[Neighbour, ...]]:
        """Return the `k` nearest references of each of n images, nearest first."""
        k = min(k, len(self.targets))
        if not k:
            return [()] * len(directions)
        found = []
        for start in range(0, len(directions), BLOCK):
            cosines = _units(directions[start : start + BLOCK]) @ self.units.T
            for row, few in zip(cosines, np.argpartition(-cosines, k - 1)[:, :k], strict=True):
                order = few[np.lexsort((few, -row[few]))]
                found.append(tuple(self._neighbour(i, row[i]) for i in order.tolist()))
        return found

    def class_distances(self, directions: NDArray[np.int8], output: int = 0) -> NDArray[np.float32]:
        """Return (n, K) the distance to the nearest reference of each class of an output.

        It is infinite for a class without references.
        """
        units, starts = self._by_class(output)
        found = np.full((len(directions), len(starts) - 1), np.inf, dtype=np.float32)
        for start in range(0, len(directions), BLOCK):
            block = slice(start, start + BLOCK)
            cosines = _units(directions[block]) @ units.T
            for k in np.flatnonzero(np.diff(starts)):
                found[block, k] = 1 - cosines[:, starts[k] : starts[k + 1]].max(axis=1)
        return found

    def _by_class(self, output: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the rows of an output's classes, in their order, and where each class begins."""
        if output not in self._sorted:
            y, n_classes = self.targets[:, output], len(self.schema.outputs[output].classes)
            order = np.argsort(y, kind="stable")
            starts = np.searchsorted(y[order], np.arange(n_classes + 1))
            rows, starts = order[starts[0] : starts[-1]], starts - starts[0]
            in_order = bool((np.diff(rows) == 1).all())  # then a view of what is there will do
            units = self.units[rows[0] : rows[-1] + 1] if in_order else self.units[rows]
            self._sorted[output] = units, starts
        return self._sorted[output]

    @cached_property
    def _sorted(self) -> dict[int, tuple[NDArray[np.float32], NDArray[np.int64]]]:
        return {}

    def distances_within(
        self, k: int, groups: NDArray[Any] | None = None, output: int = 0
    ) -> NDArray[np.float32]:
        """Return how far the references of class `k` are from the nearest other one of it.

        A reference of the same group does not count as another.
        """
        own = np.flatnonzero(self.targets[:, output] == k)
        units = _units(self.directions[own])
        names = own if groups is None else groups[own]
        best = np.full(len(own), -np.inf, dtype=np.float32)
        for start in range(0, len(units), BLOCK):
            block = slice(start, start + BLOCK)
            cosines = units[block] @ units.T
            cosines[names[block, np.newaxis] == names] = -np.inf
            best[block] = cosines.max(axis=1, initial=-np.inf)
        return 1 - best[np.isfinite(best)]

    def _neighbour(self, i: int, cosine: float) -> Neighbour:
        return Neighbour(
            path=self.paths[i],
            label=self.labels[i],
            distance=round(max(0.0, 1.0 - float(cosine)), 4),
            row=None if self.rows is None else int(self.rows[i]),
        )

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in COMPUTED}


@dataclass(frozen=True, eq=False)
class Reasons:
    """What tells ambiguous images from unknown ones.

    An image that is other is *ambiguous* if, in an output with several classes, two of them compete
    for it and it is near both:

    * they compete: the score of the second-best class, as a share of the best one's, is larger than
      for 95 % of the held-out known images;
    * it is near both: its distance to the nearest training image of each is at most that which 99 %
      of the images of that class have to the nearest other one of it, outside their own group.

    Otherwise it is *unknown*. The reason has no influence on whether an image is other.

    Parameters
    ----------
    closeness : ndarray of shape (n_outputs,), float64
        The share of each output above which two classes compete.
    reach : ndarray of shape (n_classes,), float64
        The distance of each class up to which an image is near it.
    """

    references: References
    closeness: NDArray[np.float64]
    reach: NDArray[np.float64]

    def explain(
        self,
        class_scores: NDArray[np.float64],
        embeddings: NDArray[Any],
        readable: NDArray[np.bool_],
        nearest: int,
    ) -> tuple[NDArray[np.bool_], NeighbourTable]:
        """Return which of n images are ambiguous, (n,), and the table of their neighbours.

        `class_scores`, (n, n_classes), are in [0, 1]. Rows that are not readable are not looked at.
        """
        look_up = partial(self.references.nearest, k=neighbour_count(nearest))
        directions = np.zeros(embeddings.shape, dtype=np.int8)
        directions[readable] = as_directions(embeddings[readable])
        ambiguous = np.zeros(len(readable), dtype=bool)
        ambiguous[readable] = self.ambiguous(class_scores[readable], directions[readable])
        return ambiguous, NeighbourTable(look_up, directions, readable)

    def ambiguous(
        self, class_scores: NDArray[np.float64], directions: NDArray[np.int8]
    ) -> NDArray[np.bool_]:
        """Return for each of n images whether two classes of an output compete for it, (n,)."""
        found = np.zeros(len(directions), dtype=np.bool_)
        for o, where in enumerate(self.references.schema.slices):
            scores, reach = class_scores[:, where], self.reach[where]
            rows = np.flatnonzero(closeness(scores) > self.closeness[o])
            if len(rows):
                two = np.argpartition(scores[rows], -2, axis=1)[:, -2:]
                distances = self.references.class_distances(directions[rows], o)
                near = np.take_along_axis(distances, two, axis=1) <= reach[two]
                found[rows] |= near.all(axis=1)
        return found

    def reached(self, embeddings: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether n images (n, d) are near the classes of index `labels` (n,)."""
        directions, schema = as_directions(embeddings), self.references.schema
        outputs = range(len(schema.outputs))
        distances = np.hstack([self.references.class_distances(directions, o) for o in outputs])
        return distances[np.arange(len(labels)), labels] <= self.reach[labels]


def learn_reasons(
    schema: LabelSchema,
    embeddings: NDArray[Any],
    targets: NDArray[np.int64],
    strata: NDArray[np.int64],
    class_scores: NDArray[np.float64],
    groups: NDArray[Any] | None = None,
    paths: Sequence[str | None] | None = None,
    calibrates: NDArray[np.bool_] | None = None,
) -> Reasons:
    """Keep training images, and learn from held-out known ones what is close and what is near.

    Parameters
    ----------
    strata : ndarray of shape (n,), int64
        What the references are chosen evenly by; `OTHER` for negatives.
    class_scores : ndarray of shape (n, n_classes), float64
        By models that had not learned from the row; NaN for outputs that it is not labelled in.
    groups : ndarray of shape (n,) or None
        Images of one group are not each other's neighbours here.
    calibrates : ndarray of shape (n,), bool, or None
        Which rows are like those to be predicted; None: all.
    """
    references, kept = choose_references(schema, embeddings, targets, strata, paths)
    of_kept = None if groups is None else groups[kept]
    like_new = np.ones(len(targets), dtype=bool) if calibrates is None else calibrates
    reach: list[float] = []
    limits = []
    for o, where in enumerate(schema.slices):
        reach += [
            conformal_quantile(references.distances_within(k, of_kept, o), WITHIN_REACH)
            for k in range(len(schema.outputs[o].classes))
        ]
        known = (targets[:, o] >= 0) & like_new
        limits.append(conformal_quantile(closeness(class_scores[known, where]), CLOSER_THAN))
    return Reasons(references, np.array(limits), np.array(reach))


def choose_references(
    schema: LabelSchema,
    embeddings: NDArray[Any],
    targets: NDArray[np.int64],
    strata: NDArray[np.int64],
    paths: Sequence[str | None] | None = None,
    limit: int = LIMIT,
) -> tuple[References, NDArray[np.int64]]:
    """Keep training images, evenly of all classes if there are more than `limit`, and their rows.

    Of those with the same direction and class the first is kept. Beyond `limit` (negatives
    included) they are chosen by a hash of the direction, so that the order of the images does not
    matter; at least one of each class is kept.
    """
    directions = as_directions(embeddings)
    first: dict[tuple[int, bytes], int] = {}
    for i, (k, row) in enumerate(zip(strata.tolist(), directions, strict=True)):
        digest = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        first.setdefault((k, digest), i)
    kept = np.array([first[key] for key in sorted(first)], dtype=np.int64)
    kinds, starts, counts = np.unique(strata[kept], return_index=True, return_counts=True)
    shares = dict(zip(kinds.tolist(), _even_shares(counts, limit).tolist(), strict=True))
    kept = np.concatenate(
        [kept[start : start + shares[k]] for k, start in zip(kinds.tolist(), starts, strict=True)]
    )
    references = References(
        schema=schema,
        directions=directions[kept],
        targets=targets[kept].astype(np.int32),
        paths=(None,) * len(kept) if paths is None else tuple(paths[i] for i in kept),
        rows=kept if paths is None else None,
    )
    return references, kept


def closeness(class_scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the score of the second-best class as a share of the best one's; 0 with one class."""
    if class_scores.shape[1] < 2:
        return np.zeros(len(class_scores))
    second, best = np.partition(class_scores, -2, axis=1)[:, -2:].T
    share: NDArray[np.float64] = np.divide(second, best, out=np.zeros(len(best)), where=best > 0)
    return share


def as_directions(X: NDArray[Any]) -> NDArray[np.int8]:
    """Return rows scaled so that the largest number in each is 127 or -127, and rounded."""
    found = np.zeros(X.shape, dtype=np.int8)
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        largest = np.abs(block).max(axis=1, initial=0.0, keepdims=True)
        scaled = block / np.where(largest > 0, largest, 1)
        found[start : start + BLOCK] = np.rint(127 * scaled)
    return found


def neighbour_count(value: object) -> int:
    """Return how many neighbours are to be named."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise InvalidParameterError(
            f"Invalid `nearest`: must be a whole number from 0 up, got {value!r}."
        )
    return int(value)


class NeighbourTable(Sequence[Sequence[Neighbour]]):
    """The nearest training images of n images, looked up on first use; unreadable images have none.

    Looking up all of them is one matrix product, so asking for one image looks up all. A row that
    outlives the table keeps the direction of its own image only.
    """

    def __init__(
        self,
        look_up: Callable[[NDArray[np.int8]], list[tuple[Neighbour, ...]]],
        directions: NDArray[np.int8],
        readable: NDArray[np.bool_],
    ) -> None:
        self.look_up = look_up
        self.directions = directions
        self.readable = readable
        self._found: list[tuple[Neighbour, ...]] | None = None

    def found(self) -> list[tuple[Neighbour, ...]]:
        """Return the neighbours of all images, nearest first."""
        if self._found is None:
            rows = iter(self.look_up(self.directions[self.readable]))
            self._found = [next(rows) if there else () for there in self.readable]
        return self._found

    def __len__(self) -> int:
        return len(self.readable)

    @overload
    def __getitem__(self, index: int) -> Sequence[Neighbour]: ...
    @overload
    def __getitem__(self, index: slice) -> NeighbourTable: ...
    def __getitem__(self, index: int | slice) -> Sequence[Neighbour] | NeighbourTable:
        if isinstance(index, slice):
            return NeighbourTable(self.look_up, self.directions[index], self.readable[index])
        if not self.readable[index]:
            return ()
        return NeighbourRow(self, range(len(self))[index])


class NeighbourRow(Sequence[Neighbour]):
    """The neighbours of one image; behaves like a tuple."""

    def __init__(self, table: NeighbourTable, index: int) -> None:
        self._table = weakref.ref(table)
        self._index = index
        self._look_up = table.look_up
        self._direction = table.directions[index : index + 1].copy()
        self._found: tuple[Neighbour, ...] | None = None

    def _all(self) -> tuple[Neighbour, ...]:
        if self._found is None:
            table = self._table()
            one = table is None
            self._found = self._look_up(self._direction)[0] if one else table.found()[self._index]  # type: ignore[union-attr]
        return self._found

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Neighbour: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Neighbour, ...]: ...
    def __getitem__(self, index: int | slice) -> Neighbour | tuple[Neighbour, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[Neighbour]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (tuple, NeighbourRow)) and self._all() == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._all())

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self._all(),)


def _units(directions: NDArray[np.int8]) -> NDArray[np.float32]:
    rows = directions.astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, np.newaxis]
    rows /= np.where(length > 0, length, 1)
    return rows


def _even_shares(counts: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Divide `limit` places: what a small class does not fill, the larger ones get.

    >>> _even_shares(np.array([100, 3, 50]), 63)
    array([30,  3, 30])
    """
    shares = np.zeros_like(counts)
    left = limit
    for done, k in enumerate(np.argsort(counts, kind="stable")):
        shares[k] = max(1, min(counts[k], left // (len(counts) - done)))
        left -= shares[k]
    return shares
