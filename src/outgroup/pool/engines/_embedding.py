"""A stream of images, embedded on an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from PIL import Image

from outgroup.backbones import Backbone
from outgroup.embeddings import EmbeddedImage, Embedder, Embeddings, namespace
from outgroup.errors import UnreadableImageError
from outgroup.images import ImageSource, content_digest, read_source
from outgroup.pool.engines._chunks import MOST_BYTES, MOST_IMAGES, image_size
from outgroup.pool.engines.base import Engine

#: An image to embed, or why it can't be read.
_Read: TypeAlias = "tuple[ImageSource | None, str | None]"


class EngineEmbedder:
    """Embeds streams of images on an engine, as `Embedder` does on this machine.

    Files are read here and sent. What has an embedding of the backbone keeps it.

    Parameters
    ----------
    engine : Engine
    backbone : Backbone

    Examples
    --------
    >>> from outgroup.backbones import get_backbone
    >>> from outgroup.pool.engines import get_engine
    >>> embedder = EngineEmbedder(get_engine("local"), get_backbone("efficientnet-lite0"))
    >>> tables = embedder.stream([np.zeros((40, 60, 3), np.uint8)] * 5, chunk=3)
    >>> [len(table) for table in tables]
    [3, 2]
    """

    def __init__(self, engine: Engine, backbone: Backbone) -> None:
        self._engine = engine
        self._backbone = backbone
        self._namespace = namespace(backbone)

    def stream(self, sources: Iterable[ImageSource], chunk: int = 256) -> Iterator[Embeddings]:
        """Yield the rows by the chunk, in order; see `Embedder.stream`."""
        waiting: list[Embeddings] = []
        n = 0
        for table in self._engine.map(_Embed(self._backbone), _packets(sources, self._namespace)):
            waiting.append(table)
            n += len(table)
            while n >= chunk:
                whole = _joined(waiting)
                yield _part(whole, slice(0, chunk))
                waiting, n = [_part(whole, slice(chunk, n))], n - chunk
        if n:
            yield _joined(waiting)


@dataclass(frozen=True)
class _Embed:
    backbone: Backbone

    def __call__(self) -> Callable[[list[_Read]], Embeddings]:
        embedder = Embedder(self.backbone, threads=1, progress=False)

        def embed(packet: list[_Read]) -> Embeddings:
            # A reason stands for an image that can't be decoded either, so that there is a row.
            table = embedder.embed([b"" if image is None else image for image, _ in packet])
            for i, (_, error) in enumerate(packet):
                if error is not None:
                    table.errors[i], table.digests[i] = error, None
            return table

        return embed


def _packets(sources: Iterable[ImageSource], number: str) -> Iterator[list[_Read]]:
    packet: list[_Read] = []
    n_bytes = 0
    for source in sources:
        try:
            image, error = _sent(source, number), None
            if isinstance(image, Image.Image):
                content_digest(image)  # it may not be decoded yet, and then can't be sent
            n_bytes += image_size(image)
        except UnreadableImageError as reason:
            image, error = None, str(reason)
        packet.append((image, error))
        if len(packet) >= MOST_IMAGES or n_bytes >= MOST_BYTES:
            yield packet
            packet, n_bytes = [], 0
    if packet:
        yield packet


def _sent(source: ImageSource, number: str) -> ImageSource:
    """Return what a worker can embed that has neither the file nor the pool."""
    if not isinstance(source, EmbeddedImage):
        return read_source(source)
    if source.namespace == number:
        return replace(source, load=bytes)
    return replace(source, layers={}, load=_Bytes(source.load()))


@dataclass(frozen=True)
class _Bytes:
    data: bytes

    def __call__(self) -> bytes:
        return self.data


def _joined(tables: list[Embeddings]) -> Embeddings:
    return Embeddings(
        {name: np.concatenate([t.layers[name] for t in tables]) for name in tables[0].layers},
        [error for table in tables for error in table.errors],
        [digest for table in tables for digest in table.digests],
    )


def _part(table: Embeddings, rows: slice) -> Embeddings:
    layers = {name: layer[rows] for name, layer in table.layers.items()}
    return Embeddings(layers, table.errors[rows], table.digests[rows])
