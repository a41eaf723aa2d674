"""A pool is looked through before anything is learned from it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.pool_images import DrawnFrom, with_pictures
from outgroup.classifier.pool_report import PoolReport
from outgroup.classifier.training import Prepared, TrainingReport, fingerprint
from outgroup.contamination import Contamination, find_suspects
from outgroup.embeddings import Embedder
from outgroup.training_set import TrainingSet, units_of


class Purged(NamedTuple):
    """What is learned from, once the pool was looked through.

    `fingerprint` is the hash of content and label of all images in `data`, `found` what looks like
    a class, in the pool and among the other negatives, None without any; `rows` says which of the
    samples each image is.
    """

    data: TrainingSet
    report: TrainingReport
    fingerprint: str
    found: Contamination | None
    rows: list[int]


def purged(
    prepared: Prepared,
    seed: int,
    keep_suspects: bool,
    whole: DrawnFrom | None = None,
    embedder: Embedder | None = None,
) -> Purged:
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
    whole : DrawnFrom or None
        Where the pool has more images, a uniform sample of it: what was drawn to be learned from
        says nothing of the share of suspects in the rest.
    embedder : Embedder or None
        What embeds that sample.

    Returns
    -------
    Purged
    """
    data, report, keys, pooled, copies, sources, samples = prepared
    anything = pooled.any() or len(copies) > 0
    if not (anything or (data.learned_from and (data.y < 0).any())):
        return Purged(data, report, fingerprint(keys), None, samples)
    if data.learned_from:
        found = look_through(data, pooled, seed, whole, embedder)
        found = with_pictures(found, [sources[i] for i in np.flatnonzero(pooled).tolist()])
    else:
        why = "Known images that are not learned from say nothing of the pool."
        found = Contamination(int(pooled.sum()), (), None, why, (), 0)
    if not anything:
        return Purged(data, report, fingerprint(keys), found, samples)
    pool = PoolReport(found, copies, keep_suspects, whole and whole.n)
    kept = np.ones(len(data.y), dtype=np.bool_)
    if not keep_suspects:
        kept[np.flatnonzero(pooled)[found.rows]] = False
    rows = np.flatnonzero(kept).tolist()
    data = data if kept.all() else data.subset(np.array(rows))
    report = replace(report, n_others=int((data.y < 0).sum()), pool=pool)
    printed = fingerprint([keys[i] for i in rows])
    return Purged(data, report, printed, found, [samples[i] for i in rows])


def look_through(
    data: TrainingSet,
    pooled: NDArray[np.bool_],
    seed: int,
    whole: DrawnFrom | None = None,
    embedder: Embedder | None = None,
) -> Contamination:
    """Return what `find_suspects` finds among the rows of the pool, and its share in all of it."""
    units, paths = data.units, data.paths
    looked_at = data.subset(np.flatnonzero(~pooled))
    found = find_suspects(
        looked_at,
        data.features["last"][pooled],
        None if units is None else units[pooled],
        None if paths is None else [paths[i] for i in np.flatnonzero(pooled).tolist()],
        seed,
    )
    if whole is None:
        return found
    assert embedder is not None
    embedded = embedder.embed(whole.samples.sources)
    rows = np.flatnonzero(embedded.readable)
    groups = [whole.samples.groups[i] for i in rows.tolist()]
    of_all = find_suspects(looked_at, embedded.layers["last"][rows], units_of(groups), None, seed)
    return replace(found, share=of_all.share, no_share=of_all.no_share)
