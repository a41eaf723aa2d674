"""Which images make an epoch, in which order, with which negatives, and how large steps are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._targets import oversampled
from outgroup.pool import Mixer
from outgroup.pool.deck import Deck

Rows = NDArray[np.int64]


class InTurns:
    """Deals the rows of collections of negatives, one collection after the other.

    All collections have as many turns, however many rows they have, and none of a collection's rows
    comes again before all of it have come.

    Parameters
    ----------
    collections : sequence of ndarray of int64
        The rows of each.

    Examples
    --------
    >>> deck = InTurns([np.array([1]), np.array([5, 6, 7])])
    >>> deck.draw(6, np.random.default_rng(0))[:, 0]
    array([1, 7, 1, 5, 1, 6])
    """

    def __init__(self, collections: Sequence[Rows]) -> None:
        self._decks = [Deck(rows[:, np.newaxis]) for rows in collections]
        self._drawn = 0

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        """Return rows of shape (n, 1); see `outgroup.pool.mixing.Draws`."""
        turns = (self._drawn + np.arange(n)) % len(self._decks)
        self._drawn += n
        rows = np.empty((n, 1), dtype=np.int64)
        for number, deck in enumerate(self._decks):
            its = turns == number
            rows[its] = deck.draw(int(its.sum()), rng)
        return rows


class Batches:
    """The batches of a training: every known image once an epoch, and new negatives each time.

    Negatives are mixed in by `outgroup.pool.Mixer`, which goes on from epoch to epoch. What it
    deals depends on the seed and the batches before, so a training that is taken up passes over
    those that it has had.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        What each row is balanced by, below 0 for negatives.
    targets : ndarray of shape (n, K), float32
        What each row is; rows of zeros are negatives.
    known : ndarray of int64
        The known rows.
    negatives : sequence of ndarray of int64
        The rows of each collection of negatives; there may be none.
    size : int
        Known images of a batch; the last may be shorter.
    ratio : float
        Negatives for each known image.
    oversample : bool
        Whether rows of rare classes are repeated until all classes have as many.
    seed : int

    Examples
    --------
    >>> y = np.array([0, 0, 0, 1, -1, -1, -1, -1])
    >>> targets = (y[:, np.newaxis] == [0, 1]).astype(float)
    >>> batches = Batches(y, targets, np.arange(4), [np.arange(4, 8)], 3, 1.0, True, seed=0)
    >>> for rows, rows_targets in batches.epoch(np.random.default_rng(0)):
    ...     print(np.bincount(y[rows] + 1), rows_targets.sum(0))
    [3 1 2] [1. 2.]
    [3 2 1] [2. 1.]
    """

    def __init__(
        self,
        y: Rows,
        targets: NDArray[np.float32],
        known: Rows,
        negatives: Sequence[Rows],
        size: int,
        ratio: float,
        oversample: bool,
        seed: int,
    ) -> None:
        self._targets, self._size = targets, size
        self._rows = known[oversampled(y[known])] if oversample else known
        self._mixer = None
        if negatives:
            self._mixer = Mixer(InTurns(negatives), ratio, target="zeros", seed=seed)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return math.ceil(len(self._rows) / self._size)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Rows, NDArray[np.float32]]]:
        """Yield the rows of each batch of the next epoch, and what they are.

        Parameters
        ----------
        rng : numpy Generator
            What the known rows are shuffled by.
        """
        rows = self._rows[rng.permutation(len(self._rows))]
        for begin in range(0, len(rows), self._size):
            known = rows[begin : begin + self._size]
            batch = known[:, np.newaxis], self._targets[known]
            mixed, targets = batch if self._mixer is None else self._mixer(batch)
            yield mixed[:, 0], targets


def rate_factor(step: int, warm_up: int, total: int) -> float:
    """Return what learning rates are multiplied by: 1 while the head warms up, then a cosine to 0.

    References
    ----------
    I. Loshchilov and F. Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, ICLR 2017.

    Examples
    --------
    >>> [round(rate_factor(step, 2, 6), 3) for step in range(7)]
    [1.0, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0]
    """
    if step < warm_up:
        return 1.0
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(total - warm_up, 1)))
