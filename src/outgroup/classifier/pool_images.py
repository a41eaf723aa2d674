"""Images of a `Pool` as samples, with the embeddings that it keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.contamination import Contamination
from outgroup.data import Samples
from outgroup.embeddings import EmbeddedImage
from outgroup.images import ImageSource

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.backbones import Backbone
    from outgroup.pool import Pool
    from outgroup.pool.records import Record

#: Images of a pool that are learned from, at most: as many again change little, and take as long.
#: Of a larger pool half of them are those nearest to the classes, and half are from everywhere.
MOST = 5_000

#: Returns embeddings of known images, by the layer "last"; called where a pool is too large.
Known = Callable[[], NDArray[np.float32]]


class DrawnFrom(NamedTuple):
    """A uniform sample of what nobody has looked at, and how many images that is.

    What is learned from is drawn near the classes, or by source, and says nothing of all the rest.
    """

    samples: Samples
    n: int


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


def drawn_from(
    given: Any, parts: Sequence[Samples], seed: int = 0, backbone: Backbone | None = None
) -> DrawnFrom | None:
    """Return images from all over what nobody has looked at, where there is too much of it.

    Parameters
    ----------
    given : folder, images, Pool, or a list of these
    parts : sequence of Samples
        What is learned from of them.
    seed : int
        Seed of what is drawn.
    backbone : Backbone or None
        As for `samples_of`.

    Returns
    -------
    DrawnFrom or None
        None if all of it is learned from.
    """
    many = given if isinstance(given, (list, tuple)) else [given]
    if not any(map(is_too_large, many)):
        return None
    pools = [as_seen(pool, backbone) for pool in map(opened_pool, many) if pool is not None]
    rows = [pool.rows() for pool in pools]
    loose = Samples.concatenate(
        [part for part in parts if not any(isinstance(x, EmbeddedImage) for x in part.sources)]
    )
    names = [str(os.fspath(x)) if isinstance(x, (str, os.PathLike)) else "" for x in loose.sources]
    order = sorted(range(len(loose)), key=lambda i: (loose.origins[i], names[i]))
    ends = np.cumsum([0, *map(len, rows), len(loose)])
    picked = np.random.default_rng(seed).choice(ends[-1], MOST, replace=False)
    samples = [loose.subset([order[i - ends[-2]] for i in np.sort(picked[picked >= ends[-2]])])]
    for pool, kept, begin, end in zip(pools, rows, ends[:-2], ends[1:-1], strict=True):
        of_pool = np.sort(picked[(picked >= begin) & (picked < end)]) - begin
        samples.append(_as_samples(pool, kept[of_pool]))
    return DrawnFrom(Samples.concatenate(samples), int(ends[-1]))


def as_seen(pool: Pool, backbone: Backbone | None) -> Pool:
    """Return a pool with the embeddings of a backbone, if it keeps any of all its images."""
    if backbone is None or pool.embedded_by(backbone) < len(pool):
        return pool
    return pool.seen_by(backbone)


def samples_of(
    pool: Pool, known: Known | None = None, seed: int = 0, backbone: Backbone | None = None
) -> Samples:
    """Return images of a pool, at most `MOST`, those in quarantine left out.

    Parameters
    ----------
    pool : Pool
    known : callable or None
        Returns embeddings of known images; None: of a large pool all are from everywhere.
    seed : int
        Seed of what is drawn where there are too many.
    backbone : Backbone or None
        What `known` is by; None: the backbone of the pool.

    Raises
    ------
    PoolError
        If images near the known ones are to be drawn, and the pool has no embeddings of the
        backbone.
    """
    pool = as_seen(pool, backbone)
    rows = pool.rows()
    if len(rows) > MOST:
        if known is not None and backbone is not None:
            pool = pool.seen_by(backbone)
        near = 0.0 if known is None else 0.5
        drawn = pool.sample(
            MOST, known and known(), near=near, far=1.0 - near, synthetic=0.0, seed=seed
        )
        rows = drawn.rows
    return _as_samples(pool, rows)


def _as_samples(pool: Pool, rows: NDArray[np.int64]) -> Samples:
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
            load=loader(pool, record.row),
        )
        for i, record in enumerate(records)
    ]


def loader(pool: Pool, row: int) -> Callable[[], bytes]:
    """Return what reads an image of a pool when it is called, as a JPEG file."""
    return partial(_load, pool, row)


def with_pictures(found: Contamination, sources: Sequence[ImageSource]) -> Contamination:
    """Return what was found in a pool, with a way to see each suspect that is no file on disk.

    Parameters
    ----------
    found : Contamination
    sources : sequence of ImageSource
        The images that were looked at, in their order.
    """
    shown = []
    for suspect in found.suspects:
        source = sources[suspect.row]
        if isinstance(source, EmbeddedImage):
            suspect = replace(suspect, load=source.load)
        elif suspect.path is None:
            suspect = replace(suspect, load=partial(_itself, source))
        shown.append(suspect)
    return replace(found, suspects=tuple(shown))


def _load(pool: Pool, row: int) -> bytes:
    return pool.encoded([row])[0]


def _itself(source: ImageSource) -> ImageSource:
    return source
