"""Detectors that measure the cosine distance to the nearest known rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array, require, unit_rows, whole_number
from outgroup.detectors.base import DETECTORS, FeatureDetector

#: Rows that are compared with the known rows at once, which bounds the memory.
BLOCK = 1024


@DETECTORS.register("knn")
class KNearestNeighbours(FeatureDetector):
    """One minus the cosine similarity to the k-th nearest known embedding.

    Parameters
    ----------
    k : int or float, default=5
        The rank of the neighbour, or the share of the known rows that are nearer, below 1; at most
        the farthest row. A rank becomes a share when the model is cross-fitted: out-of-fold models
        have fewer rows, of which the same share is nearer.

    References
    ----------
    Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022.
    """

    summary = "cosine distance to the k-th nearest known image"
    reference = "Sun et al. 2022"
    parameters: ClassVar[tuple[str, ...]] = ("k",)
    tuned: ClassVar[tuple[str, ...]] = ("k",)
    arrays: ClassVar[tuple[str, ...]] = ("known",)
    leaves_out = True

    def __init__(self, k: int | float = 5) -> None:
        self.k = self.k_ = _rank("k", k)

    @staticmethod
    def _prepared(X: NDArray[Any]) -> Array:
        """Return the rows of length 1 that are compared."""
        return unit_rows(X)

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Express k as a share of the known rows."""
        self.k_ = _as_share(self.k, int((y >= 0).sum()))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> KNearestNeighbours:
        """See `FittedDetector.fit`; the classes are not used."""
        self.known = self._prepared(X)
        return self

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> Array:
        """See `FittedDetector.fit_left_out`."""
        self.fit(X, y)
        return self._distance(self.known, own=True)

    def other_score(self, X: NDArray[Any]) -> Array:
        """See `Detector.other_score`."""
        return self._distance(self._prepared(X))

    def _distance(self, Z: Array, own: bool = False) -> Array:
        """Return the scores of prepared rows, which may be the known rows themselves."""
        return _kth_distance(Z, self.known, self.k_, own)


@DETECTORS.register("knn-ratio")
class NeighbourRatio(KNearestNeighbours):
    """``a / (a + b)``, a the distance to the k-th nearest known row, b that to a negative.

    The score is 0 on a known row, 1 on a negative, and about 1/2 far from both. Without negatives
    it is a, the score of `knn`.

    Parameters
    ----------
    k : int or float, default=5
        The neighbour among the known rows, as for `knn`.
    k_others : int, float or None, default=None
        The neighbour among the negatives. None: k.

    References
    ----------
    Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022, for the
    distance to the known rows; the ratio to negatives is this library's.
    """

    summary = "cosine distance to the k-th nearest known image against that to a negative"
    reference = "after Sun et al. 2022"
    learns_from_others = True
    parameters = ("k", "k_others")
    tuned = ("k", "k_others")
    arrays = ("known", "others")

    def __init__(self, k: int | float = 5, k_others: int | float | None = None) -> None:
        super().__init__(k)
        self.k_others = None if k_others is None else _rank("k_others", k_others)
        self.k_others_ = self.k_others

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Express both ranks as shares."""
        super().tune(X, y)
        if (y < 0).any():
            self.k_others_ = _as_share(self.k_others or self.k, int((y < 0).sum()))

    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> NeighbourRatio:
        """See `FittedDetector.fit`; the classes are not used."""
        Z = self._prepared(X)
        self.known, self.others = Z[y >= 0], Z[y < 0]
        return self

    def _distance(self, Z: Array, own: bool = False) -> Array:
        known = super()._distance(Z, own)
        if not len(self.others):
            return known
        known = np.maximum(known, 0.0)  # rounding
        both = known + np.maximum(_kth_distance(Z, self.others, self.k_others_ or self.k_), 0.0)
        return np.where(both > 0, known / np.where(both > 0, both, 1.0), 0.5)


def largest_products(Z: Array, bank: Array, k: int, own: bool = False) -> Array:
    """Return the k largest inner products (n, k) of rows with those of the bank, smallest first.

    k is at most the size of the bank. If the rows are the bank's `own`, none is compared with
    itself.
    """
    k = min(k, max(len(bank) - own, 1))
    found = np.empty((len(Z), k))
    for start in range(0, len(Z), BLOCK):
        products = Z[start : start + BLOCK] @ bank.T
        if own and len(bank) > 1:
            np.fill_diagonal(products[:, start:], -np.inf)
        found[start : start + BLOCK] = np.partition(products, -k, axis=1)[:, -k:]
    return found


def _kth_distance(Z: Array, bank: Array, k: int | float, own: bool = False) -> Array:
    """Return 1 less the k-th largest cosine of each unit row with those of the bank.

    A share k < 1 means the rank ``k * (rows + 1)``; between two ranks, distances are interpolated.
    """
    n = max(len(bank) - own, 1)
    rank = min(max(k if k >= 1 else round(k * (n + 1), 6), 1.0), float(n))
    below = int(rank)
    if rank == below:
        return 1.0 - largest_products(Z, bank, below, own)[:, 0]
    two = np.partition(largest_products(Z, bank, below + 1, own), 1, axis=1)
    result: Array = 1.0 - (two[:, 1] + (rank - below) * (two[:, 0] - two[:, 1]))
    return result


def _rank(name: str, value: Any) -> int | float:
    """Return the value of an argument that must be a rank or share of neighbours."""
    if isinstance(value, (float, np.floating)):
        require(
            bool(0.0 < value < 1.0), name, "a whole number from 1 up, or a share below 1", value
        )
        return float(value)
    return whole_number(name, value)


def _as_share(k: int | float, n: int) -> float:
    """Return the share of rows that are within the distance of the k-th nearest of n rows."""
    return min(k, n) / (n + 1) if k >= 1 else float(k)
