"""Streams of negatives: pools, sources on disk, images from Python, and embeddings."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import require
from outgroup.classifier.negatives import images_of, opened_pool
from outgroup.data import path_of
from outgroup.embeddings import Embeddings
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource, is_one_image
from outgroup.mining.memory import Memory, extended
from outgroup.mining.miner import Batch
from outgroup.pool import Incoming, Pool
from outgroup.pool.sources import FolderSource, open_source
from outgroup.strategies import Features

#: Images that are tested by one model at a time.
CHUNK = 256

#: A place to read images from.
StreamSource: TypeAlias = "Pool | str | os.PathLike[str]"

#: An image, or one that says where it is from.
StreamItem: TypeAlias = "ImageSource | Incoming"

#: A place to read images from, or the images themselves.
ImageStream: TypeAlias = "StreamSource | Iterable[StreamItem]"

#: Embeddings of the layer "last", of shape (n, d), or by layer.
EmbeddedRows: TypeAlias = "NDArray[np.floating[Any]] | Features"

Item = TypeVar("Item")


def sources(specs: Iterable[StreamSource], seed: int = 0) -> Iterable[Incoming]:
    """Return the images of several sources as one stream.

    A pool is shuffled, and so are folders, because neighbours in a folder are of one kind. Other
    sources come as they are stored, one after the other: to shuffle an archive, all of it would
    have to be in memory.
    """
    rng = np.random.default_rng(seed)
    opened: list[Iterable[Incoming]] = []
    for spec in specs:
        pool = opened_pool(spec)
        opened.append(open_source(spec) if pool is None else ShuffledPool(pool, rng))
    if len(opened) == 1 and isinstance(opened[0], ShuffledPool):
        return opened[0]
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
        for first in range(0, len(self), CHUNK):
            records = self._pool.records(self._rows[first : first + CHUNK])
            for record, image in zip(records, images_of(self._pool, records), strict=True):
                yield Incoming(image, record.source, record.origin, record.group)


class StreamError(Exception):
    """The stream itself failed, with this error."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def guarded(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Yield items; whatever their iterator raises comes as `StreamError`."""
    try:
        yield from items
    except Exception as error:
        raise StreamError(error) from error


def images_in(stream: ImageStream, seed: int) -> Iterable[StreamItem]:
    """Return the images of a stream; refuse what is neither a source nor an iterable of images."""
    if isinstance(stream, (str, os.PathLike, Pool)):
        return sources([stream], seed)
    fine = isinstance(stream, Iterable) and not (
        is_one_image(stream) or isinstance(stream, Mapping)
    )
    allowed = "a folder, an archive or another source of images, or an iterable of images"
    require(fine, "stream", allowed, stream)
    return stream


def name_of(item: StreamItem) -> str | None:
    """Return the path or origin of an image, None if it has none."""
    return item.origin if isinstance(item, Incoming) else path_of(item)


def embedded(
    items: Iterable[StreamItem], embed: Callable[..., Iterator[Embeddings]]
) -> Iterator[Batch]:
    """Yield the images of a stream as batches of embeddings."""
    names: list[str | None] = []

    def noted() -> Iterator[ImageSource]:
        for item in items:
            names.append(name_of(item))
            yield item.image if isinstance(item, Incoming) else item

    for found in embed(noted(), chunk=CHUNK):
        yield Batch(found.layers, names[: len(found)])
        del names[: len(found)]


def checked(stream: Iterable[EmbeddedRows], layers: Mapping[str, int]) -> Iterator[Batch]:
    """Yield batches of embeddings that have these layers and widths."""
    for item in stream:
        rows = item if isinstance(item, Mapping) else {"last": item}
        found = {name: np.asarray(rows[name]) for name in layers if name in rows}
        shapes = {name: values.shape for name, values in found.items()}
        n = len(next(iter(found.values()), ()))
        if shapes != {name: (n, d) for name, d in layers.items()}:
            widths = ", ".join(f"{d} numbers of layer {name!r}" for name, d in layers.items())
            raise InvalidParameterError(
                f"Invalid `stream`: must give embeddings with {widths} in each row, got arrays of "
                f"shape {shapes or None}."
            )
        yield Batch(found, [None] * n)


def unread(
    items: Iterator[Item],
    names_of: Callable[[Item], Sequence[str | None]],
    memory: Memory,
    path: str | os.PathLike[str] | None,
) -> Iterator[Item]:
    """Skip what was read before the state was written, and check that it is the same."""
    read, trail = 0, ""
    try:
        while read < memory.read:
            names = names_of(next(items))
            read, trail = read + len(names), extended(trail, names)
    except StopIteration:
        pass
    except Exception as error:
        cause = error.error if isinstance(error, StreamError) else error
        raise InvalidDataError(
            f"The stream failed after {read:,} of the {memory.read:,} images that were mined "
            f"before: {cause!r}. The state is still in {path}."
        ) from cause
    if (read, trail) != (memory.read, memory.trail):
        raise InvalidDataError(
            f"The stream does not begin with the {memory.read:,} images that were mined before. "
            f"Give the same stream, or delete {path} to start again."
        )
    return items
