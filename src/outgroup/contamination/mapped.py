"""Models applied to a pool block by block, by this process or by several machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from outgroup.contamination._readout import Readout
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.heads import one_thread

Result = TypeVar("Result")


class Map(Protocol):
    """Applies a function to chunks."""

    def __call__(
        self, make: Callable[[], Callable[[Any], Result]], chunks: Iterable[Any], /
    ) -> Iterator[Result]:
        """Yield results in the order of the chunks; each worker calls `make` once."""
        ...


def map_here(
    make: Callable[[], Callable[[Any], Result]], chunks: Iterable[Any], /
) -> Iterator[Result]:
    """Apply a function to chunks in this process.

    Examples
    --------
    >>> list(map_here(lambda: sum, [(1, 2), (3, 4)]))
    [3, 7]
    """
    return map(make(), chunks)


@dataclass(frozen=True)
class ShapeScores:
    """Distances from the shape of the classes, for blocks of one array of rows."""

    shape: Mahalanobis

    def __call__(self) -> Callable[[Any], NDArray[np.float64]]:
        """Return the function; a sum depends on the number of threads, so there is one."""

        def score(block: tuple[NDArray[Any]]) -> NDArray[np.float64]:
            with one_thread():
                return self.shape.other_score(floats(block[0]))

        return score


@dataclass(frozen=True)
class LinearScores:
    """Scores of a linear model, for blocks of rows and their folds."""

    readout: Readout

    def __call__(self) -> Callable[[Any], NDArray[np.float64]]:
        """Return the function."""

        def score(block: tuple[NDArray[Any], NDArray[np.int64]]) -> NDArray[np.float64]:
            with one_thread():
                return self.readout.scores(floats(block[0]), block[1])

        return score


@dataclass(frozen=True)
class Nearest:
    """The nearest known images and their distances, for blocks of rows, and maybe of their units.

    Parameters
    ----------
    bank : ndarray of shape (n, d), floating
        Directions of the known images.
    own : ndarray of shape (n,)
        Their units.
    k : int
        How many are wanted.
    """

    bank: NDArray[Any]
    own: NDArray[Any]
    k: int

    def __call__(self) -> Callable[[Any], tuple[NDArray[np.int64], NDArray[Any]]]:
        """Return the function."""
        return self._look_up

    def _look_up(self, block: tuple[NDArray[Any], ...]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        with one_thread():
            cosines = directions(floats(block[0])) @ self.bank.T
        if len(block) > 1:  # a row of the same unit is no neighbour
            cosines[block[1][:, np.newaxis] == self.own] = -np.inf
        nearest = np.argpartition(-cosines, self.k - 1, axis=1)[:, : self.k]
        values = np.take_along_axis(cosines, nearest, axis=1)
        order = np.lexsort((nearest, -values), axis=1)
        far = 1.0 - np.take_along_axis(values, order, axis=1)
        return np.take_along_axis(nearest, order, axis=1), far


def directions(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows of length one; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: NDArray[Any] = rows / np.where(lengths > 0, lengths, 1.0)
    return scaled


def floats(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows in single precision at least: a pool may keep its embeddings in half."""
    return rows if rows.dtype.itemsize >= 4 else rows.astype(np.float32)
