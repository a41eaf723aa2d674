"""Fewer rows, so that a comparison takes no longer the more images there are."""

from __future__ import annotations

import numpy as np

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
    return data.subset(np.sort(np.concatenate(kept)))
