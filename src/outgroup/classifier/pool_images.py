"""Images of a `Pool` as samples, with the embeddings that it keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.datasets import Samples
from outgroup.embeddings import EmbeddedImage

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.pool import Pool
    from outgroup.pool.records import Record

#: Images of a pool that are learned from, at most: as many again change little, and take as long.
#: Of a larger pool half of them are those nearest to the classes, and half are from everywhere.
MOST = 5_000

#: Returns embeddings of known images, by the layer "last"; called where a pool is too large.
Known = Callable[[], NDArray[np.float32]]


def opened_pool(item: Any) -> Pool | None:
    """Return the pool that something is or leads to, None if it is anything else."""
    from outgroup.pool import Pool
    from outgroup.pool.files import SETTINGS

    if isinstance(item, (str, os.PathLike)):
        return Pool(item) if os.path.isfile(os.path.join(item, SETTINGS)) else None
    return item if isinstance(item, Pool) else None


def likely_overlaps(sources: Iterable[str], classes: Sequence[str]) -> list[str]:
    """Say which open image sets among sources of negatives are known to show some classes."""
    from outgroup.pool.named import SETS, overlaps

    sets = sorted({one.name for one in SETS} & {*sources})
    return [
        f"The negatives of {name!r} are likely to show {', '.join(found)}. Give them as a pool, of "
        "which what looks like a class is set aside, and look at what was."
        for name in sets
        if (found := overlaps(name, classes))
    ]


def is_too_large(item: Any) -> bool:
    """Say whether something is a pool of which only some images are drawn."""
    pool = opened_pool(item)
    return pool is not None and len(pool.rows()) > MOST


def samples_of(pool: Pool, known: Known | None = None, seed: int = 0) -> Samples:
    """Return images of a pool, at most `MOST`, those in quarantine left out.

    Parameters
    ----------
    pool : Pool
    known : callable or None
        Returns embeddings of known images; None: of a large pool all are from everywhere.
    seed : int
        Seed of what is drawn where there are too many.
    """
    rows = pool.rows()
    if len(rows) > MOST:
        near = 0.0 if known is None else 0.5
        drawn = pool.sample(
            MOST, known and known(), near=near, far=1.0 - near, synthetic=0.0, seed=seed
        )
        rows = drawn.rows
    records = pool.records(rows)
    return Samples(
        images_of(pool, records),
        [None] * len(records),
        [record.group for record in records],
        [record.source for record in records],
    )


def images_of(pool: Pool, records: Sequence[Record]) -> list[EmbeddedImage]:
    """Return images of a pool, each with the embedding that the pool keeps."""
    features = pool.features([record.row for record in records])
    return [
        EmbeddedImage(
            origin=record.origin,
            digest=record.digest,
            namespace=pool.settings.namespace,
            layers={layer: values[i] for layer, values in features.items()},
            load=partial(_load, pool, record.row),
        )
        for i, record in enumerate(records)
    ]


def _load(pool: Pool, row: int) -> bytes:
    return pool.encoded([row])[0]
