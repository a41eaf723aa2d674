"""The training images that an image is nearest to, looked up when somebody asks for them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError

#: Takes (n, d) int8 directions, and names the nearest training images of each.
LookUp = Callable[[NDArray[np.int8]], list[tuple["Neighbour", ...]]]

#: Neighbours that are named where nobody asks for another number.
NEAREST = 5


@dataclass(frozen=True)
class Neighbour:
    """A training image that is near to the image in question.

    Parameters
    ----------
    path : str or None
        Its path as it was given for training; None if it had none.
    label : str or None
        Its class; None for a negative.
    distance : float
        One less the cosine of the two embeddings (layer "last"): 0 is the same direction, 1 nothing
        in common. It is good to some thousandths.
    row : int or None
        For a model of arrays, its row: those of ``X`` and behind them those of ``other``.
    """

    path: str | None
    label: str | None
    distance: float
    row: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"path": self.path, "label": self.label, "distance": self.distance}


def neighbour_count(value: object) -> int:
    """Return how many neighbours are to be named.

    Raises
    ------
    InvalidParameterError
        If that is no whole number from 0 up.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise InvalidParameterError(
            f"The 'nearest' parameter must be a whole number from 0 up. Got {value!r} instead."
        )
    return int(value)


class NeighbourTable(Sequence[Sequence[Neighbour]]):
    """For each of n images its nearest training images; they are looked up on demand, once.

    Looking up all of them is one matrix product, so whoever asks for one image of the table while
    it is there gets those of all. A row that outlives the table, as do answers that are picked from
    a stream, keeps the direction of its own image and no other.

    Parameters
    ----------
    look_up : callable
        See `LookUp`.
    directions : ndarray of shape (n, d), int8
        Embeddings as `outgroup.reasons.as_directions` gives them.
    readable : ndarray of shape (n,), bool
        The other images have no neighbours.
    """

    def __init__(
        self, look_up: LookUp, directions: NDArray[np.int8], readable: NDArray[np.bool_]
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
        return _Row(self, range(len(self))[index])


class _Row(Sequence[Neighbour]):
    """The neighbours of one image; to whoever reads it, a tuple."""

    def __init__(self, table: NeighbourTable, index: int) -> None:
        self._table = weakref.ref(table)
        self._index = index
        self._look_up = table.look_up
        self._direction = table.directions[index : index + 1].copy()
        self._found: tuple[Neighbour, ...] | None = None

    def _all(self) -> tuple[Neighbour, ...]:
        if self._found is None:
            table = self._table()
            there = self._look_up(self._direction)[0] if table is None else table.found()
            self._found = there if isinstance(there, tuple) else there[self._index]
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
        return isinstance(other, (tuple, _Row)) and self._all() == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._all())

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (self._all(),)
