"""Images in, embeddings out: every core busy, memory bounded."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from outgroup._numeric import require
from outgroup.backbones import Backbone
from outgroup.embeddings.cache import EmbeddingCache
from outgroup.embeddings.progress import ProgressBar
from outgroup.errors import UnreadableImageError
from outgroup.images import ImageSource, content_digest, load_image, read_source

# Images in work for each thread: enough to go on while one large image is decoded, and few enough
# that images which are made on demand, such as frames of a video, don't pile up.
_AHEAD = 8


@dataclass
class Embeddings:
    """The embeddings of some images, in the order in which the images were given.

    Attributes
    ----------
    layers : dict of str to ndarray of float32, shape (n, d)
        The backbone's outputs by name. The row of an image that could not be read is NaN.
    errors : list of str or None
        For each image the reason why it could not be read; None if it could.
    digests : list of str or None
        For each image the hash of its content; None if there was nothing to hash.
    """

    layers: dict[str, npt.NDArray[np.float32]]
    errors: list[str | None]
    digests: list[str | None]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.errors)

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which images could be read, of shape (n,)."""
        return np.array([error is None for error in self.errors], dtype=bool)


@dataclass(frozen=True, eq=False)
class EmbeddedImage:
    """An image of a pool whose embedding is known already.

    It is a path, namely `origin`, and can be given wherever a path can, even if there is no file
    any more. `digest` is that of `outgroup.images.content_digest`, `namespace` that of `namespace`;
    `layers` are the embedding, vectors (d,) of float32 by name; `load` returns the bytes of the
    image, for another network.
    """

    origin: str
    digest: str
    namespace: str
    layers: Mapping[str, npt.NDArray[np.float32]] = field(repr=False)
    load: Callable[[], bytes] = field(repr=False)

    def __fspath__(self) -> str:
        return self.origin


class _EmbeddedRow(NamedTuple):
    """One image: its layers one after the other, or NaN and the reason."""

    digest: str | None
    vector: npt.NDArray[np.float32]
    error: str | None


class Embedder:
    """Embeds images with a backbone on all cores.

    Each thread takes one image all the way: read, hash, look up, decode, run. The threads share
    only the cache, so a row depends on its image alone: not on other images, their order, or the
    number of threads, bit for bit.

    Parameters
    ----------
    backbone : Backbone
    cache : EmbeddingCache, optional
        Where embeddings are looked up and kept. Unreadable images are not kept.
    threads : int, optional
        How many images are worked on at a time; by default one for each usable core.
    progress : bool, optional
        Whether a progress bar is shown on standard error; by default if it is a terminal.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        cache: EmbeddingCache | None = None,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> None:
        if threads is not None:
            _check_positive("threads", threads)
        self.backbone = backbone
        self._cache = cache
        self._threads = threads or usable_cores()
        self._progress = progress
        self._layers = dict(backbone.layers)
        self._size = sum(self._layers.values())
        self._namespace = namespace(backbone)

    def with_backbone(self, backbone: Backbone) -> Embedder:
        """Return an embedder with the same options and another backbone."""
        return Embedder(backbone, cache=self._cache, threads=self._threads, progress=self._progress)

    def embed(self, sources: Sequence[ImageSource]) -> Embeddings:
        """Return the embeddings of images, one row for each, in their order.

        An image that can't be read is a row with a reason; a network that fails is a
        `BackboneError`.
        """
        for rows in self.stream(sources, chunk=max(len(sources), 1)):
            return rows
        return self._collect(iter(()), 0)

    def stream(self, sources: Iterable[ImageSource], chunk: int = 256) -> Iterator[Embeddings]:
        """Embed images and yield the rows in chunks (the last may be shorter), in bounded memory.

        Sources are taken one by one, shortly before they are needed.
        """
        _check_positive("chunk", chunk)
        return self._stream(sources, chunk)

    def _stream(self, sources: Iterable[ImageSource], chunk: int) -> Iterator[Embeddings]:
        total = len(sources) if isinstance(sources, Sized) else None
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="outgroup-embed")
        try:
            with ProgressBar(total, self._progress) as bar:
                rows = self._rows(pool, sources, bar)
                while len(table := self._collect(rows, chunk)):
                    yield table
        finally:
            # Also after Ctrl-C: images in work are finished and kept, waiting ones are dropped.
            pool.shutdown(cancel_futures=True)
            if self._cache is not None:
                self._cache.flush()

    def _rows(
        self, pool: ThreadPoolExecutor, sources: Iterable[ImageSource], bar: ProgressBar
    ) -> Iterator[_EmbeddedRow]:
        """Yield a row for each source, with no more than a few sources in work."""
        window: deque[Future[_EmbeddedRow]] = deque()
        for source in sources:
            window.append(pool.submit(self._embed_one, source))
            if len(window) >= _AHEAD * self._threads:
                yield window.popleft().result()
                bar.advance()
        while window:
            yield window.popleft().result()
            bar.advance()

    def _embed_one(self, source: ImageSource) -> _EmbeddedRow:
        if isinstance(source, EmbeddedImage):
            if source.namespace == self._namespace:
                known = np.concatenate([source.layers[layer] for layer in self._layers])
                return _EmbeddedRow(source.digest, known.astype(np.float32, copy=False), None)
            # the pool's digest is that of the original, so that a copy of it is recognised
            return self._embed_one(source.load())._replace(digest=source.digest)
        digest = None
        try:
            image = read_source(source)
            digest = content_digest(image)
            return _EmbeddedRow(digest, self._compute(image, self._namespace + digest), None)
        except UnreadableImageError as error:
            missing = np.full(self._size, np.nan, np.float32)
            return _EmbeddedRow(digest, missing, str(error))

    def _compute(self, image: ImageSource, key: str) -> npt.NDArray[np.float32]:
        """Return the layers of an image, one after the other, from the cache if they are there."""
        if self._cache is not None:
            known = self._cache.get(key, self._size)
            if known is not None:
                return known
        outputs = self.backbone.run(load_image(image, self.backbone.preprocessing)[None])
        vector = np.concatenate([outputs[layer][0] for layer in self._layers])
        if self._cache is not None:
            self._cache.put(key, vector)
        return vector

    def _collect(self, rows: Iterator[_EmbeddedRow], size: int) -> Embeddings:
        """Take up to `size` rows into one table."""
        layers = {name: np.empty((size, dim), np.float32) for name, dim in self._layers.items()}
        ends = np.cumsum(list(self._layers.values()))[:-1]
        errors: list[str | None] = []
        digests: list[str | None] = []
        for i, row in enumerate(islice(rows, size)):
            errors.append(row.error)
            digests.append(row.digest)
            for layer, part in zip(layers.values(), np.split(row.vector, ends), strict=True):
                layer[i] = part
        return Embeddings({n: layer[: len(errors)] for n, layer in layers.items()}, errors, digests)


def usable_cores() -> int:
    """Return the number of cores that this process may use; a container may limit it."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def namespace(backbone: Backbone) -> str:
    """Return a hash, 32 hex digits, of all but the image that decides an embedding."""
    parts = [backbone.digest, backbone.preprocessing.digest(), list(backbone.layers.items())]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _check_positive(name: str, value: object) -> None:
    require(isinstance(value, int) and value >= 1, name, "a positive integer", value)
