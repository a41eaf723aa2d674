"""The hot path: images in, embeddings out, every core busy, memory bounded."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from outgroup.backbones import Backbone
from outgroup.embeddings.cache import EmbeddingCache
from outgroup.embeddings.embedded_image import EmbeddedImage
from outgroup.embeddings.progress import ProgressBar
from outgroup.embeddings.result import Embeddings
from outgroup.errors import InvalidParameterError, UnreadableImageError
from outgroup.images import ImageSource, content_digest, load_image, read_source

# Images in work for each thread: enough to go on while one large image is decoded, and few enough
# that sources which are made as they are asked for, such as frames of a video, don't pile up.
_AHEAD = 8


class _Row(NamedTuple):
    """One image: its layers one after the other, or NaN and the reason why."""

    digest: str | None
    vector: npt.NDArray[np.float32]
    error: str | None


class Embedder:
    """Embeds images with a backbone on all cores.

    Each thread takes one image all the way: read, hash, look it up, decode, run. The threads share
    nothing but the cache, so a row depends on nothing but its image: not on the others, their
    order, or the number of threads, bit for bit.

    Parameters
    ----------
    backbone : Backbone
    cache : EmbeddingCache, optional
        Where embeddings are looked up and kept. Images that can't be read are not kept: finding
        that out again is quick, and the next version may read them.
    threads : int, optional
        How many images are worked on at a time; one for each usable core if not given.
    progress : bool, optional
        Whether a progress bar is shown on standard error; if it is a terminal, if not given.

    Raises
    ------
    InvalidParameterError
        If `threads` is not a positive integer.

    Examples
    --------
    >>> from outgroup.backbones import get_backbone
    >>> embedder = Embedder(get_backbone("efficientnet-lite0"))
    >>> embedder.embed([np.zeros((300, 400, 3), np.uint8)]).layers["logits"].shape
    (1, 1000)
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        cache: EmbeddingCache | None = None,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> None:
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise InvalidParameterError(
                f"The 'threads' parameter must be a positive integer or None. "
                f"Got {threads!r} instead."
            )
        self.backbone = backbone
        self._cache = cache
        self._threads = threads or usable_cores()
        self._progress = progress
        self._layers = dict(backbone.layers)
        self._size = sum(self._layers.values())
        self._namespace = namespace(backbone)

    def with_backbone(self, backbone: Backbone) -> Embedder:
        """Return one that does the same with another backbone."""
        return Embedder(backbone, cache=self._cache, threads=self._threads, progress=self._progress)

    def embed(self, sources: Sequence[ImageSource]) -> Embeddings:
        """Embed images and return all rows at once.

        Parameters
        ----------
        sources : sequence of str, os.PathLike, bytes, PIL.Image.Image or ndarray

        Returns
        -------
        Embeddings
            One row for each source, in their order.

        Raises
        ------
        BackboneError
            If the network fails. An image that can't be read is a row with a reason instead.
        """
        for rows in self.stream(sources, chunk=max(len(sources), 1)):
            return rows
        return self._collect(iter(()), 0)

    def stream(self, sources: Iterable[ImageSource], chunk: int = 256) -> Iterator[Embeddings]:
        """Embed images and yield the rows by the chunk, in memory that does not grow.

        Parameters
        ----------
        sources : iterable
            As for `embed`; taken one by one, shortly before they are needed.
        chunk : int
            Images in each piece; the last may be shorter.

        Yields
        ------
        Embeddings
            The next `chunk` images, in the order of `sources`.

        Raises
        ------
        InvalidParameterError
            If `chunk` is not a positive integer.
        BackboneError
            If the network fails.
        """
        if not isinstance(chunk, int) or chunk < 1:
            raise InvalidParameterError(
                f"The 'chunk' parameter must be a positive integer. Got {chunk!r} instead."
            )
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
            # Also after Ctrl-C: what is in work is finished and kept, what waits is dropped.
            pool.shutdown(cancel_futures=True)
            if self._cache is not None:
                self._cache.flush()

    def _rows(
        self, pool: ThreadPoolExecutor, sources: Iterable[ImageSource], bar: ProgressBar
    ) -> Iterator[_Row]:
        """Yield a row for each source, with no more than a few sources in work."""
        window: deque[Future[_Row]] = deque()
        for source in sources:
            window.append(pool.submit(self._embed_one, source))
            if len(window) >= _AHEAD * self._threads:
                yield window.popleft().result()
                bar.advance()
        while window:
            yield window.popleft().result()
            bar.advance()

    def _embed_one(self, source: ImageSource) -> _Row:
        if isinstance(source, EmbeddedImage):
            if source.namespace == self._namespace:
                known = np.concatenate([source.layers[layer] for layer in self._layers])
                return _Row(source.digest, known.astype(np.float32, copy=False), None)
            # by the hash of what it was, so that a copy of it is known for one
            return self._embed_one(source.load())._replace(digest=source.digest)
        digest = None
        try:
            image = read_source(source)
            digest = content_digest(image)
            vector = self._look_up(digest)
            if vector is None:
                pixels = load_image(image, self.backbone.preprocessing)
                vector = self._run(pixels)
                self._keep(digest, vector)
        except UnreadableImageError as error:
            missing = np.full(self._size, np.nan, np.float32)
            return _Row(digest, missing, str(error))
        return _Row(digest, vector, None)

    def _run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        outputs = self.backbone.run(pixels[None])
        return np.concatenate([outputs[layer][0] for layer in self._layers])

    def _look_up(self, digest: str) -> npt.NDArray[np.float32] | None:
        if self._cache is None:
            return None
        return self._cache.get(self._namespace + digest, self._size)

    def _keep(self, digest: str, vector: npt.NDArray[np.float32]) -> None:
        if self._cache is not None:
            self._cache.put(self._namespace + digest, vector)

    def _collect(self, rows: Iterator[_Row], size: int) -> Embeddings:
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
    """Return the cores that this process may use, which a container or `taskset` may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def namespace(backbone: Backbone) -> str:
    """Return what stands for all that decides the numbers beside the image, as 32 hex digits."""
    layers: Mapping[str, int] = backbone.layers
    parts = [backbone.digest, backbone.preprocessing.digest(), list(layers.items())]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
