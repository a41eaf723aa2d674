"""The images of a stream with the smallest numbers, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup.strategies import Features, take


class Smallest:
    """The rows with the smallest ranks among all that were added, at most `capacity`.

    With the other-score as rank these are the hardest negatives; with a hash of the key they are a
    uniform sample of the different images (bottom-k sampling). Ties are settled by key, so what is
    kept depends on which rows were added and not on their order, on batches, or on which worker had
    which: `merge` gives what one would have kept of all of them.

    Parameters
    ----------
    capacity : int
        Rows that are kept.

    Attributes
    ----------
    ranks : ndarray of shape (m,), float64
    keys : ndarray of shape (m,), uint64
    names : list of (str or None), length m
    features : dict of str to ndarray of shape (m, d)
        Empty before the first row.

    References
    ----------
    E. Cohen and H. Kaplan, Summarizing data using bottom-k sketches, PODC 2007.

    Examples
    --------
    >>> kept = Smallest(2)
    >>> rows = {"last": np.array([[1.0], [2.0], [3.0]])}
    >>> kept.add(np.array([0.5, 0.1, 0.3]), np.array([7, 8, 9], np.uint64), rows, "abc")
    >>> kept.names, kept.features["last"].ravel().tolist()
    (['b', 'c'], [2.0, 3.0])
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.clear()

    def clear(self) -> None:
        """Let go of everything."""
        self.ranks = np.empty(0)
        self.keys = np.empty(0, dtype=np.uint64)
        self.names: list[str | None] = []
        self.features: dict[str, NDArray[np.generic]] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def add(
        self,
        ranks: NDArray[np.float64],
        keys: NDArray[np.uint64],
        features: Features,
        names: Sequence[str | None],
    ) -> None:
        """Add rows; of two with the same key the one of the smaller rank is kept."""
        if len(self) == self.capacity:  # most rows of a long stream end here
            worst = self.ranks[-1] if self.capacity else -np.inf
            better = np.flatnonzero(ranks <= worst)
            if not len(better):
                return
            ranks, keys = ranks[better], keys[better]
            features, names = take(features, better), [names[i] for i in better.tolist()]
        m = len(self)
        all_ranks = np.concatenate([self.ranks, ranks])
        all_keys = np.concatenate([self.keys, keys])
        all_names = [*self.names, *names]
        order = np.lexsort((all_keys, all_ranks))
        _, first = np.unique(all_keys[order], return_index=True)
        rows = order[np.sort(first)][: self.capacity]
        if len(rows) == m and (rows < m).all():
            return
        self.ranks, self.keys = all_ranks[rows], all_keys[rows]
        self.names = [all_names[i] for i in rows]
        if not self.features:
            self.features = {layer: values[:0] for layer, values in features.items()}
        self.features = {
            layer: _picked(values, features[layer], rows) for layer, values in self.features.items()
        }

    def state(self) -> tuple[list[str | None], dict[str, NDArray[np.generic]]]:
        """Return the names, and all else as arrays by name."""
        layers = {f"features/{layer}": values for layer, values in self.features.items()}
        return self.names, {"ranks": self.ranks, "keys": self.keys, **layers}

    def restore(
        self, names: Sequence[str | None], arrays: Mapping[str, NDArray[np.generic]]
    ) -> None:
        """Take over what `state` returned."""
        layers = {key: values for key, values in arrays.items() if key.startswith("features/")}
        self.names = list(names)
        self.ranks = np.asarray(arrays["ranks"], np.float64)
        self.keys = np.asarray(arrays["keys"], np.uint64)
        self.features = {key.partition("/")[2]: values for key, values in layers.items()}

    def drop(self, keys: NDArray[np.uint64]) -> None:
        """Let go of rows by their keys; others that come later may take their places."""
        rows = np.flatnonzero(~np.isin(self.keys, keys))
        if len(rows) < len(self):
            self.ranks, self.keys = self.ranks[rows], self.keys[rows]
            self.names = [self.names[i] for i in rows.tolist()]
            self.features = take(self.features, rows)

    def merge(self, other: Smallest) -> None:
        """Add all that another one keeps."""
        if len(other):
            self.add(other.ranks, other.keys, other.features, other.names)


def uniform_ranks(keys: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each key, uniform and fixed by key and seed.

    >>> uniform_ranks(np.array([1, 2], np.uint64), 0).round(3)
    array([0.567, 0.591])
    """
    with np.errstate(over="ignore"):
        z = keys + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # SplitMix64's last steps
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)) / 2.0**53


def _picked(
    kept: NDArray[np.generic], added: NDArray[np.generic], rows: NDArray[np.int64]
) -> NDArray[np.generic]:
    picked = np.empty((len(rows), kept.shape[1]), dtype=kept.dtype)
    from_kept = rows < len(kept)
    picked[from_kept] = kept[rows[from_kept]]
    picked[~from_kept] = added[rows[~from_kept] - len(kept)]
    return picked
