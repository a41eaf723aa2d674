"""Negatives dealt like cards: none a second time before all have had their turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError, InvalidParameterError


class Deck:
    """Draws from an array or a list, shuffled, and shuffled again when it is through.

    Parameters
    ----------
    negatives : ndarray of shape (m, ...), or sequence of ndarray
        One entry a negative; a PyTorch tensor on the processor is taken as an array.

    Examples
    --------
    >>> deck, rng = Deck(np.arange(4)), np.random.default_rng(0)
    >>> sorted([*deck.draw(3, rng), *deck.draw(1, rng)])
    [np.int64(0), np.int64(1), np.int64(2), np.int64(3)]
    """

    def __init__(self, negatives: Any) -> None:
        self._negatives = _as_rows(negatives)
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[Any] | Sequence[Any]:
        """Return n negatives; within one draw none comes twice while there are as many."""
        picked = self._order[:n]
        self._order = self._order[n:]
        while len(picked) < n:
            order = rng.permutation(len(self._negatives))
            # those that this draw has already come last, so that it does not get them again
            again = np.isin(order, picked)
            order = np.concatenate([order[~again], order[again]])
            missing = n - len(picked)
            picked, self._order = np.append(picked, order[:missing]), order[missing:]
        if isinstance(self._negatives, np.ndarray):
            return np.asarray(self._negatives[picked])
        return [self._negatives[i] for i in picked]


def _as_rows(negatives: Any) -> NDArray[Any] | Sequence[Any]:
    rows = negatives
    if not isinstance(negatives, np.ndarray):
        if isinstance(negatives, (str, bytes, dict)) or not hasattr(negatives, "__getitem__"):
            raise InvalidParameterError(
                "The 'negatives' parameter must be an array, a list of images, or have a method "
                f"draw(n, rng). Got {negatives!r:.80} instead."
            )
        if not isinstance(negatives, (list, tuple)):
            rows = np.asarray(negatives)
        elif len({np.shape(row) for row in negatives}) == 1:
            rows = np.stack([np.asarray(row) for row in negatives])
    if isinstance(rows, np.ndarray) and rows.ndim == 0:
        raise InvalidParameterError(
            f"The 'negatives' parameter must hold rows. Got {negatives!r:.80} instead."
        )
    if not len(rows):
        raise InvalidDataError("There are no negatives to mix in.")
    checked: NDArray[Any] | Sequence[Any] = rows
    return checked
