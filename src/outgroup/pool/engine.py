"""Prepare and embed images for a pool, on the cores of this machine or by another engine.

Whatever the engine, a pool is the same to the byte: one writer takes the results in their order.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pkgutil import resolve_name
from typing import TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.backbones import Backbone
from outgroup.embeddings import EmbeddedImage, Embedder, Embeddings, namespace, usable_cores
from outgroup.errors import InvalidParameterError, UnreadableImageError
from outgroup.images import (
    ImageSource,
    content_digest,
    decode_with_size,
    decoder_reasons,
    read_source,
)
from outgroup.pool.near_duplicates import fingerprint
from outgroup.pool.records import Incoming, NewImage
from outgroup.pool.storage import StoredForm

Chunk = TypeVar("Chunk")
Item = TypeVar("Item")
Result = TypeVar("Result")
#: Tells whether the pool has an image with a digest.
IsKnown: TypeAlias = Callable[[str], bool]
#: An image and its `file_stamp`.
Stamped: TypeAlias = "tuple[Incoming, str | None]"

#: Images and bytes that are sent to a worker in one chunk.
CHUNK_IMAGES, CHUNK_BYTES = 16, 16 << 20

_AHEAD = 8  # images in work for each thread

#: The class of each engine.
ENGINES = {"local": "outgroup.pool.engine:LocalEngine", "ray": "outgroup.pool.ray_engine:RayEngine"}


@dataclass(frozen=True)
class PreparedImage:
    """An image of a source as a pool keeps it, with its embedding by layer, or why it has none."""

    source: str
    origin: str
    stamp: str | None  #: the `file_stamp`
    digest: str | None = None
    image: NewImage | None = None  #: None if the pool has the content, or for an error
    vectors: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    error: str | None = None


def preparer(
    backbone: Backbone, form: StoredForm, is_known: IsKnown
) -> Callable[[Stamped], PreparedImage]:
    """Return a thread-safe function that prepares an image, unless its digest is known."""
    embedder = Embedder(backbone, threads=1, progress=False)

    def prepare(stamped: Stamped) -> PreparedImage:
        incoming, stamp = stamped
        source, origin = storable(incoming.source), storable(incoming.origin)
        digest = None
        try:
            data = read_source(incoming.image)
            digest = content_digest(data)
            if is_known(digest):
                return PreparedImage(source, origin, stamp, digest)
            original, size = decode_with_size(data, min_side=form.shorter)
            with decoder_reasons("image"):
                small = form.shrink(original)
                jpeg = form.encode(small)
                bits = fingerprint(original)  # before the crop, which depends on the image's size
        except UnreadableImageError as error:
            return PreparedImage(source, origin, stamp, digest, error=str(error))
        table = embedder.embed([jpeg])
        if table.errors[0] is not None:
            return PreparedImage(source, origin, stamp, digest, error=table.errors[0])
        image = NewImage(
            source=source,
            origin=origin,
            group=None if incoming.group is None else storable(incoming.group),
            width=size[0],
            height=size[1],
            stored_width=small.width,
            stored_height=small.height,
            n_bytes=image_size(data, channels=3),
            digest=digest,
            fingerprint=bits,
            jpeg=jpeg,
            checksum=content_digest(jpeg),
            stamp=stamp,
        )
        vectors = {name: rows[0] for name, rows in table.layers.items()}
        return PreparedImage(source, origin, stamp, digest, image, vectors)

    return prepare


def storable(text: str) -> str:
    r"""Return text that a database can hold, with undecodable bytes of a file name as escapes."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def file_stamp(image: ImageSource) -> str | None:
    """Return size and time of a file, which change when the file does; None if it is not a file."""
    if not isinstance(image, (str, os.PathLike)):
        return None
    try:
        status = os.stat(image)
    except (OSError, ValueError):  # reading the file reports what is wrong with it
        return None
    return f"{status.st_size}:{status.st_mtime_ns}"


class Engine(ABC):
    """Computes for pools; the end of a ``with`` block shuts down what it has started."""

    @abstractmethod
    def prepare(
        self, images: Iterator[Stamped], backbone: Backbone, form: StoredForm, is_known: IsKnown
    ) -> Generator[PreparedImage, None, None]:
        """Prepare and embed images, in their order; those with a known digest may be left out.

        Images are taken only so far ahead that all workers are busy. `is_known` is called from
        threads. An image without an embedding has no `PreparedImage.image` either.
        """

    @abstractmethod
    def map(
        self, make: Callable[[], Callable[[Chunk], Result]], chunks: Iterable[Chunk]
    ) -> Iterator[Result]:
        """Apply a function to chunks, and yield the results in their order.

        Each worker calls `make` once, which returns the function. `PoolError` if the engine fails
        for good; exceptions of the function are raised as they are.
        """

    def embedder(self, backbone: Backbone, threads: int | None = None) -> Streams:
        """Return what embeds streams of images."""
        return EngineEmbedder(self, backbone)

    def close(self) -> None:  # noqa: B027
        """Shut down what the engine has started."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def get_engine(engine: str | Engine) -> Engine:
    """Return the engine of a name, or an `Engine` as it is."""
    if isinstance(engine, Engine):
        return engine
    if not isinstance(engine, str) or engine not in ENGINES:
        raise InvalidParameterError(
            f"Invalid `engine`: must be {', '.join(map(repr, ENGINES))} or an Engine, "
            f"got {engine!r}."
        )
    return cast("Engine", resolve_name(ENGINES[engine])())


class LocalEngine(Engine):
    """All cores of this machine."""

    def prepare(
        self, images: Iterator[Stamped], backbone: Backbone, form: StoredForm, is_known: IsKnown
    ) -> Generator[PreparedImage, None, None]:
        """Prepare and embed images; see `Engine.prepare`."""
        compute = preparer(backbone, form, is_known)
        threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="outgroup-pool")
        window: deque[Future[PreparedImage]] = deque()
        try:
            for stamped in images:
                window.append(threads.submit(compute, stamped))
                if len(window) >= _AHEAD * usable_cores():
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)

    def map(
        self, make: Callable[[], Callable[[Chunk], Result]], chunks: Iterable[Chunk]
    ) -> Iterator[Result]:
        """Apply a function to chunks one after the other; see `Engine.map`."""
        function = make()
        for chunk in chunks:
            yield function(chunk)

    def embedder(self, backbone: Backbone, threads: int | None = None) -> Streams:
        """Return what embeds on the threads of this machine."""
        return Embedder(backbone, threads=threads, progress=False)


class EngineEmbedder:
    """Embeds streams of images like `Embedder.stream`, with `Engine.map`; files are read here."""

    def __init__(self, engine: Engine, backbone: Backbone) -> None:
        self._engine = engine
        self._backbone = backbone
        self._namespace = namespace(backbone)

    def stream(self, sources: Iterable[ImageSource], chunk: int = 256) -> Iterator[Embeddings]:
        """Yield the embeddings of `chunk` images at a time, in order; see `Embedder.stream`."""
        tables: list[Embeddings] = []
        n = 0
        make = partial(_packet_embedder, self._backbone)
        images = ((one, image_size(one)) for one in map(self._sendable, sources))
        for table in self._engine.map(make, packed(images, chunk)):
            tables.append(table)
            n += len(table)
            if n == chunk:
                yield _joined(tables)
                tables, n = [], 0
        if tables:
            yield _joined(tables)

    def _sendable(self, source: ImageSource) -> ImageSource:
        """Return what a worker can embed without the file and the pool; a text why it can't be."""
        try:
            if isinstance(source, EmbeddedImage):
                if source.namespace == self._namespace:
                    return replace(source, load=bytes)
                return replace(source, layers={}, load=partial(bytes, source.load()))
            image = read_source(source)
            if isinstance(image, Image.Image):
                content_digest(image)  # decodes it: an image that is only opened can't be sent
        except UnreadableImageError as error:
            return str(error)
        return image


def _packet_embedder(backbone: Backbone) -> Callable[[list[ImageSource]], Embeddings]:
    embedder = Embedder(backbone, threads=1, progress=False)

    def embed(packet: list[ImageSource]) -> Embeddings:
        table = embedder.embed([b"" if isinstance(one, str) else one for one in packet])
        for i, one in enumerate(packet):
            if isinstance(one, str):
                table.errors[i], table.digests[i] = one, None
        return table

    return embed


def _joined(tables: list[Embeddings]) -> Embeddings:
    return Embeddings(
        {name: np.concatenate([t.layers[name] for t in tables]) for name in tables[0].layers},
        [error for table in tables for error in table.errors],
        [digest for table in tables for digest in table.digests],
    )


def packed(items: Iterable[tuple[Item, int]], every: int = sys.maxsize) -> Iterator[list[Item]]:
    """Yield items, given with their bytes, in packets that end at multiples of `every`."""
    packet: list[Item] = []
    n_bytes = 0
    for n, (item, size) in enumerate(items, 1):
        packet.append(item)
        n_bytes += size
        if len(packet) >= CHUNK_IMAGES or n_bytes >= CHUNK_BYTES or n % every == 0:
            yield packet
            packet, n_bytes = [], 0
    if packet:
        yield packet


def image_size(image: ImageSource, channels: int = 4) -> int:
    """Return about how many bytes an image takes in memory; 0 for a path."""
    if isinstance(image, Image.Image):
        return channels * image.width * image.height
    if isinstance(image, np.ndarray):
        return image.nbytes
    return len(image) if isinstance(image, bytes) else 0


#: What embeds a stream of images.
Streams: TypeAlias = "Embedder | EngineEmbedder"
