"""Negatives as samples: folders, images and pools, by collection, and synthetic garbage."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import Backbone
from outgroup.contamination import Contamination
from outgroup.data import Samples, from_images
from outgroup.embeddings import EmbeddedImage, Embedder
from outgroup.errors import InvalidParameterError
from outgroup.images import ImageSource
from outgroup.synthetic import GENERATORS, made_from_nothing

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.pool import Pool
    from outgroup.pool.records import Record

#: Negatives: a folder, an image, a pool, or a sequence of these.
Negatives: TypeAlias = "ImageSource | Pool | Sequence[ImageSource | Pool]"

#: Images of a pool that are learned from, at most. Of a larger pool, half of them are those nearest
#: to the classes, and half are a sample of the rest.
MOST = 5_000

#: Returns the embeddings (layer "last") of known images; called only for a large pool.
Known = Callable[[], NDArray[np.float32]]


class SampledPool(NamedTuple):
    """A uniform sample of all `n` unchecked negatives; those learned from are near the classes."""

    samples: Samples
    n: int


def collections(
    images: Any, known: Known | None = None, seed: int = 0, backbone: Backbone | None = None
) -> Iterator[tuple[str, Samples]]:
    """Yield the collections that were given, by name, each with its samples.

    `known` returns embeddings of known images by `backbone`, for pools too large to learn from all
    of it. A second collection of the same name gets a number; images that were given one by one are
    one collection.
    """
    many = images if isinstance(images, (list, tuple)) else [images]
    pools = [opened_pool(item) for item in many]
    is_one = [pool is not None or _is_folder(item) for item, pool in zip(many, pools, strict=True)]
    seen: Counter[str] = Counter()
    for item, pool, one in zip(many, pools, is_one, strict=True):
        if one:
            name = os.path.basename(os.path.abspath(item if pool is None else pool.path))
            seen[name] += 1
            samples = from_images(item) if pool is None else samples_of(pool, known, seed, backbone)
            yield (f"{name} {seen[name]}" if seen[name] > 1 else name), samples
    loose = [item for item, one in zip(many, is_one, strict=True) if not one]
    for item in loose:
        is_path = isinstance(item, (str, os.PathLike)) and not os.path.exists(item)
        if is_path and (len(many) == 1 or not os.path.splitext(item)[1]):  # meant as a folder
            raise InvalidParameterError(
                "Invalid `other` or `pool`: must be a folder, images or a pool, got "
                f"{os.fspath(item)!r}, which does not exist."
            )
    if loose or not any(is_one):
        yield "negatives", from_images(loose if any(is_one) else images)


def told_apart(images: Any) -> Iterator[Samples]:
    """Yield the samples of each collection, with different origins for each."""
    seen: Counter[str] = Counter()
    for item in images:
        pool = opened_pool(item)
        samples = from_images(item) if pool is None else samples_of(pool)
        seen.update({*samples.origins})
        names = {name: f"{name} {times}" if times > 1 else name for name, times in seen.items()}
        yield replace(samples, origins=[names[name] for name in samples.origins])


def embedded_garbage(embedder: Embedder, seed: int) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the embeddings by layer of synthetic garbage, by kind."""
    kinds = made_from_nothing()
    images = [GENERATORS.get(kind)().draw(32, seed=seed) for kind in kinds]
    embedded = embedder.embed(list(np.concatenate(images)))
    parts = {layer: np.split(values, len(images)) for layer, values in embedded.layers.items()}
    return {kind: {layer: parts[layer][i] for layer in parts} for i, kind in enumerate(kinds)}


def opened_pool(item: Any) -> Pool | None:
    """Return the pool that something is, or that is at that path; None if it is something else."""
    from outgroup.pool import Pool
    from outgroup.pool.storage import SETTINGS

    if isinstance(item, (str, os.PathLike)):
        return Pool(item) if os.path.isfile(os.path.join(item, SETTINGS)) else None
    return item if isinstance(item, Pool) else None


def likely_overlaps(sources: Iterable[str], classes: Sequence[str]) -> list[str]:
    """Return messages on open image sets among the negatives that are known to show a class."""
    from outgroup.pool.image_sets import SETS, overlaps

    sets = sorted({one.name for one in SETS} & {*sources})
    return [
        f"The negatives of {name!r} are likely to show {', '.join(found)}. Give them as a pool: "
        "then images that look like a class are set aside. Check those."
        for name in sets
        if (found := overlaps(name, classes))
    ]


def is_too_large(item: Any) -> bool:
    """Return whether something is a pool of which only a sample is learned from."""
    pool = opened_pool(item)
    return pool is not None and len(pool.rows()) > MOST


def sampled_pool(
    given: Any, parts: Sequence[Samples], seed: int = 0, backbone: Backbone | None = None
) -> SampledPool | None:
    """Return a uniform sample of all unchecked negatives; None if all are learned from."""
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
    return SampledPool(Samples.concatenate(samples), int(ends[-1]))


def as_seen(pool: Pool, backbone: Backbone | None) -> Pool:
    """Return a pool with the embeddings of a backbone, if it keeps any of all its images."""
    if backbone is None or pool.embedded_by(backbone) < len(pool):
        return pool
    return pool.seen_by(backbone)


def samples_of(
    pool: Pool, known: Known | None = None, seed: int = 0, backbone: Backbone | None = None
) -> Samples:
    """Return images of a pool, at most `MOST`, without those in quarantine.

    Those of a large pool are drawn near the `known` embeddings by `backbone`, or uniformly if None.
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
    """Return a function that reads an image of a pool as a JPEG file."""
    return partial(_load, pool, row)


def with_pictures(found: Contamination, sources: Sequence[ImageSource]) -> Contamination:
    """Return `found` with a function that loads each suspect that is no file, from `sources`."""
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


def _is_folder(item: Any) -> bool:
    return isinstance(item, (str, os.PathLike)) and os.path.isdir(item)
