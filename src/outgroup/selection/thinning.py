"""Fewer rows, so that a comparison takes no longer the more images there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.strategies import take
from outgroup.training_set import TrainingSet

#: Images that a comparison looks at, at most.
MAX_ROWS = 6_000

#: Images of a class, or of a collection of negatives, that are kept if it has them.
LEAST = 30


def thinned(data: TrainingSet, max_rows: int = MAX_ROWS, seed: int = 0) -> TrainingSet:
    """Return about `max_rows` of the rows, drawn by class and by collection of negatives.

    Every class and collection keeps the same share of its rows, but at least `LEAST`.

    Parameters
    ----------
    data : TrainingSet
        Embeddings and labels.
    max_rows : int
        How many rows to keep; all if there are no more.
    seed : int
        Seed of the drawing.
    """
    n = len(data.y)
    if n <= max_rows:
        return data
    collections = [""] * n if data.collections is None else data.collections
    strata = [
        data.classes[k] if k >= 0 else f"\0{collection}"
        for k, collection in zip(data.y, collections, strict=True)
    ]
    rng = np.random.default_rng(seed)
    names, index = np.unique(np.array(strata), return_inverse=True)
    kept = []
    for i in range(len(names)):
        rows = np.flatnonzero(index == i)
        size = min(len(rows), max(LEAST, round(len(rows) * max_rows / n)))
        kept.append(rng.choice(rows, size, replace=False))
    rows = np.sort(np.concatenate(kept))

    columns = ("groups", "origins", "paths", "collections")
    some: dict[str, Any] = {name: _some(getattr(data, name), rows) for name in columns}
    return replace(data, features=take(data.features, rows), y=data.y[rows], **some)


def _some(column: Sequence[Any] | None, rows: NDArray[np.int64]) -> list[Any] | None:
    return None if column is None else [column[i] for i in rows]
