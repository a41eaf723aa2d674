"""Images of a stream that may well be of a known class: nothing is to be learned from them.

They are judged one by one here, when they are met. Before each refit `Miner` looks once more at all
that it would learn from, as at a pool.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup.model import OpenSetModel
from outgroup.strategies import Features
from outgroup.training_set import TrainingSet

#: Nearest training images that must all be known ones.
NEIGHBOURS = 5

#: Quantile of the known images' own figures that a suspect must keep to.
TYPICAL = 0.95

#: Rows compared with all others at once.
BLOCK = 1024


class Suspects(Protocol):
    """Says which images look like the known classes themselves."""

    def __call__(
        self, features: Features, model: OpenSetModel, data: TrainingSet, rejected: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """Return the suspects among images that the model accepts.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (n, d)
            Embeddings by layer, of images that the model has not learned from.
        model : OpenSetModel
            The present model.
        data : TrainingSet
            What it has learned from.
        rejected : ndarray of shape (m, d)
            Embeddings (layer "last") of a uniform sample of those images of the stream that were
            called other.

        Returns
        -------
        ndarray of shape (n,), bool
        """


class TypicalOfAClass:
    """Suspects what looks like a known image in every respect.

    Its other-score is below that of 19 in 20 held-out known images; of its 5 nearest images, among
    those that were learned from and those of the stream that were called other, all are known ones
    of a single class; and it is as near to the first of them as 19 in 20 of these are to theirs. An
    image that is merely accepted is no suspect: it is what mining is for.
    """

    def __init__(self) -> None:
        self._of: TrainingSet | None = None
        self._units = np.empty((0, 0), np.float32)
        self._reach = np.empty(0)

    def __call__(
        self, features: Features, model: OpenSetModel, data: TrainingSet, rejected: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """See `Suspects`."""
        suspect = model.strategy.score(features).other_score <= np.quantile(
            model.known_scores, TYPICAL
        )
        if not suspect.any():
            return suspect
        if self._of is not data:
            self._of, self._units = data, _units(data.features["last"])
            self._reach = _reach(self._units, data.y, len(data.classes))
        rows = np.flatnonzero(suspect)
        met = np.vstack([self._units, _units(rejected)]) if len(rejected) else self._units
        y = np.concatenate([data.y, np.full(len(rejected), OTHER)])
        cosines = _units(features["last"][rows]) @ met.T
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
        classes = y[nearest]
        one_class = (classes[:, 0] >= 0) & (classes == classes[:, :1]).all(axis=1)
        reach = self._reach[np.maximum(classes[:, 0], 0)]
        suspect[rows] = one_class & (cosines[np.arange(len(rows)), nearest[:, 0]] >= reach)
        return suspect


def _reach(units: NDArray[np.float32], y: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Return for each class the cosine to the nearest other that `TYPICAL` of its images have."""
    found = np.empty(n_classes)
    for k in range(n_classes):
        rows = units[y == k]
        best = []
        for i in range(0, len(rows), BLOCK):
            cosines = rows[i : i + BLOCK] @ rows.T
            cosines[np.arange(len(cosines)), np.arange(i, i + len(cosines))] = -np.inf
            best.append(cosines.max(axis=1))
        found[k] = np.quantile(np.concatenate(best), 1 - TYPICAL)
    return found


def _units(rows: NDArray[np.generic]) -> NDArray[np.float32]:
    values = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1), dtype=np.float32)
