"""A pool is looked through before anything is learned from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.pool_report import PoolReport
from outgroup.classifier.training import Prepared, TrainingReport, fingerprint
from outgroup.contamination import Contamination, find_suspects
from outgroup.training_set import TrainingSet

#: Why a part of a pool says nothing of the share of suspects in it.
DRAWN = "they were drawn near your classes; `outgroup pool purge` looks at the whole pool"


def purged(
    prepared: Prepared, seed: int, keep_suspects: bool, drawn: bool = False
) -> tuple[TrainingSet, TrainingReport, str, Contamination | None]:
    """Set aside what looks like the classes in the pool, and say so.

    Negatives that were given as such are vouched for: they stay, whatever they look like.

    Parameters
    ----------
    prepared : Prepared
        Images with labels.
    seed : int
        Seed of the parts that images are dealt into.
    keep_suspects : bool
        Whether all of the pool is learned from, and only counted.
    drawn : bool, default=False
        Whether its images are drawn from more, near the classes: then they say nothing of the rest.

    Returns
    -------
    data : TrainingSet
    report : TrainingReport
    fingerprint : str
        Hash of content and label of all images in `data`.
    found : Contamination or None
        What looks like a class, in the pool and among the other negatives; None without any.
    """
    data, report, keys, pooled, copies = prepared
    anything = pooled.any() or len(copies) > 0
    if not (anything or (data.learned_from and (data.y < 0).any())):
        return data, report, fingerprint(keys), None
    if data.learned_from:
        found = look_through(data, pooled, seed)
        if drawn:
            found = replace(found, share=None, no_share=DRAWN)
    else:
        why = "Known images that are not learned from say nothing of the pool."
        found = Contamination(int(pooled.sum()), (), None, why, (), 0)
    if not anything:
        return data, report, fingerprint(keys), found
    pool = PoolReport(found, copies, keep_suspects)
    kept = np.ones(len(data.y), dtype=np.bool_)
    if not keep_suspects:
        kept[np.flatnonzero(pooled)[found.rows]] = False
    rows = np.flatnonzero(kept)
    data = data if kept.all() else data.subset(rows)
    report = replace(report, n_others=int((data.y < 0).sum()), pool=pool)
    return data, report, fingerprint([keys[i] for i in rows.tolist()]), found


def look_through(data: TrainingSet, pooled: NDArray[np.bool_], seed: int) -> Contamination:
    """Return what `find_suspects` finds among the rows of the pool."""
    units, paths = data.units, data.paths
    return find_suspects(
        data.subset(np.flatnonzero(~pooled)),
        data.features["last"][pooled],
        None if units is None else units[pooled],
        None if paths is None else [paths[i] for i in np.flatnonzero(pooled).tolist()],
        seed,
    )
