"""Streams as they are given: an iterable of images, a folder, or embeddings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import numpy as np
from PIL import Image

from outgroup.classifier.pool_images import images_of as kept_images
from outgroup.classifier.pool_images import opened_pool
from outgroup.classifier.training import path_of
from outgroup.errors import InvalidParameterError
from outgroup.images import ImageSource
from outgroup.mining.keeping import Keeper
from outgroup.mining.miner import Batch
from outgroup.pool import Incoming, Pool
from outgroup.pool.engines.base import Streams
from outgroup.pool.sources import open_source
from outgroup.pool.sources.folder import FolderSource

#: Images that are scored at a time by one model.
CHUNK = 256


class StreamError(Exception):
    """What the user's iterator raised is the cause of this."""


class _Taken:
    """The images of a stream as they are asked for, with the name of each."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self.names: list[str | None] = []

    def __iter__(self) -> Iterator[ImageSource]:
        for item in self._items:
            self.names.append(_name_of(item))
            yield item.image if isinstance(item, Incoming) else item


def guarded(items: Iterable[Any]) -> Iterator[Any]:
    """Yield items; whatever their iterator raises comes as `StreamError`."""
    try:
        yield from items
    except Exception as error:
        raise StreamError from error


def images_of(stream: Any, seed: int) -> Iterable[Any]:
    """Return the images of a stream.

    Parameters
    ----------
    stream : Pool, str, os.PathLike, or iterable of ImageSource or Incoming
        What `sources` takes, or the images themselves.
    seed : int
        As for `sources`.

    Raises
    ------
    InvalidParameterError
        If it is none of these.
    """
    if isinstance(stream, (str, os.PathLike)) or opened_pool(stream) is not None:
        return sources([stream], seed)
    single = isinstance(stream, (bytes, Image.Image, np.ndarray, Mapping))
    if single or not isinstance(stream, Iterable):
        raise InvalidParameterError(
            "The 'stream' parameter must be a folder, an archive or another source of images, or "
            f"an iterable of images. Got {stream!r} instead."
        )
    return stream


def sources(specs: Iterable[Any], seed: int = 0) -> Iterable[Incoming]:
    """Return the images of sources as one stream.

    Parameters
    ----------
    specs : iterable of str, os.PathLike or Pool
        Pools, and what `outgroup.pool.sources` can read.
    seed : int
        Of the order of the images where the sources are one pool, or folders: neighbours in a
        folder are of one kind. Otherwise the images come as they are stored, one source after the
        other, because all of an archive would have to be in memory for another order.
    """
    given = list(specs)
    pools = [opened_pool(spec) for spec in given]
    rng = np.random.default_rng(seed)
    if len(pools) == 1 and pools[0] is not None:
        return ShuffledPool(pools[0], rng)
    opened: list[Iterable[Incoming]] = [
        open_source(spec) if pool is None else ShuffledPool(pool, rng)
        for spec, pool in zip(given, pools, strict=True)
    ]
    if not all(isinstance(one, FolderSource) and one.length() is not None for one in opened):
        return chain.from_iterable(opened)
    images = list(chain.from_iterable(opened))
    return [images[i] for i in rng.permutation(len(images))]


class ShuffledPool:
    """The kept images of a pool in random order, with the embeddings that it keeps."""

    def __init__(self, pool: Pool, rng: np.random.Generator) -> None:
        self._pool = pool
        self._rows = rng.permutation(pool.rows())

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Incoming]:
        """Yield the images, some of which are in memory at a time."""
        for first in range(0, len(self), CHUNK):
            records = self._pool.records(self._rows[first : first + CHUNK])
            for record, image in zip(records, kept_images(self._pool, records), strict=True):
                yield Incoming(image, record.source, record.origin, record.group)


def passed_over(items: Iterable[Any], keeper: Keeper | None) -> Iterator[Any]:
    """Return an iterator behind those images that were mined before.

    Raises
    ------
    InvalidDataError
        If the stream does not begin with these.
    """
    rest = iter(items)
    if keeper is not None and keeper.expected[0]:
        with keeper.passing_over():
            for item in islice(rest, keeper.expected[0]):
                keeper.trail.add([_name_of(item)])
    return rest


def _name_of(item: Any) -> str | None:
    return item.origin if isinstance(item, Incoming) else path_of(item)


def embedded(
    stream: Iterable[Any], embedder: Streams, limit: int | None, keeper: Keeper | None = None
) -> Callable[[], Any]:
    """Return a callable for the next `Batch` of a stream of images, None at its end.

    Parameters
    ----------
    stream : iterable of ImageSource or Incoming
    embedder : Streams
    limit : int or None
        Images that are taken at most, those that were mined before included.
    keeper : Keeper or None
        Has the state of an earlier run; what that has read is passed over.
    """
    taken = _Taken(passed_over(guarded(stream), keeper))
    if limit is not None and keeper is not None:
        limit = max(0, limit - keeper.trail.read)
    chunks = embedder.stream(islice(iter(taken), limit), chunk=CHUNK)

    def following() -> Batch | None:
        found = next(chunks, None)
        if found is None:
            return None
        names, readable = taken.names[: len(found)], found.readable
        del taken.names[: len(found)]
        if keeper is not None:
            keeper.trail.add(names)
        return Batch(
            {layer: values[readable] for layer, values in found.layers.items()},
            [name for name, there in zip(names, readable, strict=True) if there],
            int((~readable).sum()),
        )

    return following


def given(
    stream: Iterable[Any],
    layers: Mapping[str, int],
    limit: int | None,
    keeper: Keeper | None = None,
) -> Callable[[], Any]:
    """Return a callable for the next `Batch` of a stream of embeddings, None at its end.

    Parameters
    ----------
    stream : iterable of ndarray of shape (n, d), or of mappings of str to these
        An array is the layer "last".
    layers : mapping of str to int
        The layers that there must be, and the numbers in a row of each.
    limit : int or None
        Rows that are taken at most.
    keeper : Keeper or None
        As for `embedded`; what it has read ended with a batch.
    """
    batches, left = guarded(stream), [limit]

    def following() -> Batch | None:
        found = following_one()
        if found is not None and keeper is not None:
            keeper.trail.add(list(found.names))
        return found

    def following_one() -> Batch | None:
        item = next(batches, None) if left[0] != 0 else None
        if item is None:
            return None
        rows = dict(item) if isinstance(item, Mapping) else {"last": item}
        found = {name: np.asarray(rows[name])[: left[0]] for name in layers if name in rows}
        shapes = {name: values.shape for name, values in found.items()}
        n = len(next(iter(found.values()), ()))
        if shapes != {name: (n, d) for name, d in layers.items()}:
            raise InvalidParameterError(
                "The 'stream' parameter must give embeddings with "
                f"{', '.join(f'{d} numbers of layer {name!r}' for name, d in layers.items())} "
                f"in each row. Got arrays of shape {shapes or None} instead."
            )
        if left[0] is not None:
            left[0] -= n
        return Batch(found, [None] * n)

    if keeper is not None and keeper.expected[0]:
        with keeper.passing_over():
            while keeper.trail.read < keeper.expected[0] and following() is not None:
                pass
    return following
