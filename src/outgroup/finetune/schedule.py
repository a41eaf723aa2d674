"""Which images make an epoch, in which order, and how large its steps are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup.heads._targets import oversampled

Rows = NDArray[np.int64]


def epoch_batches(
    y: Rows,
    known: Rows,
    negatives: Sequence[Rows],
    size: int,
    ratio: float,
    oversample: bool,
    rng: np.random.Generator,
) -> Iterator[Rows]:
    """Yield the rows of each batch: every known image once, and new negatives each time.

    Parameters
    ----------
    y : ndarray of shape (n,), int64
        Class index of each row, below 0 for negatives.
    known : ndarray of int64
        The known rows.
    negatives : sequence of ndarray of int64
        The rows of each collection of negatives; all collections have as many turns, and none of
        its images comes again before all have come.
    size : int
        Known images of a batch; the last may be shorter.
    ratio : float
        Negatives for each known image.
    oversample : bool
        Whether rows of rare classes are repeated until all classes have as many.
    rng : numpy Generator

    Examples
    --------
    >>> y = np.array([0, 0, 0, 1, -1, -1, -1, -1])
    >>> rng = np.random.default_rng(0)
    >>> for rows in epoch_batches(y, np.arange(4), [np.arange(4, 8)], 3, 1.0, True, rng):
    ...     print(np.bincount(y[rows] + 1))
    [3 1 2]
    [3 2 1]
    """
    rows = known[oversampled(y[known])] if oversample else known
    rows = rows[rng.permutation(len(rows))]
    drawn = _draw(negatives, round(ratio * len(rows)), rng)
    for begin in range(0, len(rows), size):
        end = min(begin + size, len(rows))
        of_batch = drawn[round(ratio * begin) : round(ratio * end)]
        yield np.concatenate([rows[begin:end], of_batch])


def _draw(collections: Sequence[Rows], n: int, rng: np.random.Generator) -> Rows:
    """Draw from each collection in turn."""
    turns = [math.ceil(n / max(len(collections), 1)) for _ in collections]
    parts = []
    for rows, count in zip(collections, turns, strict=True):
        decks = [rng.permutation(rows) for _ in range(math.ceil(count / len(rows)))]
        parts.append(np.concatenate(decks)[:count])
    drawn: Rows = np.stack(parts, axis=1).reshape(-1)[:n] if parts else np.empty(0, np.int64)
    return drawn


def n_steps(y: Rows, known: Rows, size: int, oversample: bool) -> int:
    """Return the batches of an epoch."""
    n = len(oversampled(y[known])) if oversample else len(known)
    return math.ceil(n / size)


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
