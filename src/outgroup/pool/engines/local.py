"""The threads of this process: prepare an image, and embed it if it is new."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from outgroup.backbones import Backbone
from outgroup.embeddings import Embedder, Embeddings, usable_cores
from outgroup.pool.engines.base import ENGINES, Chunk, Engine, Result, Row, Stamped, Streams, Task
from outgroup.pool.preparing import Prepared, prepare

_AHEAD = 8  # images in preparation for each thread
_CHUNK = 16  # embeddings that are taken over at a time
_MOST_BEHIND = 4096  # images without a row that may come after one that is not embedded yet


@ENGINES.register("local")
class LocalEngine(Engine):
    """All cores of this machine.

    Examples
    --------
    >>> list(LocalEngine().map(lambda: len, ["one", "three"]))
    [3, 5]
    """

    summary = "The cores of this machine."

    def rows(self, images: Iterator[Stamped], task: Task) -> Generator[Row, None, None]:
        """Prepare and embed images; see `Engine.rows`."""
        threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="outgroup-prepare")
        embedder = Embedder(task.backbone, progress=False)
        new = _New(_prepared(threads, images, task), task.is_new)
        try:
            while new.left:
                for table in embedder.stream(new, _CHUNK):
                    yield from _rows(table)
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


class _New:
    """Images to embed; it ends early, and can be gone on with, if much comes behind the last."""

    def __init__(self, prepared: Iterator[Prepared], is_new: Callable[[Prepared], bool]) -> None:
        self._prepared = prepared
        self._is_new = is_new
        self.left = True

    def __iter__(self) -> Iterator[bytes]:
        behind = 0
        for one in self._prepared:
            if self._is_new(one):
                assert one.image is not None
                yield one.image.jpeg
            else:
                behind += 1
                if behind >= _MOST_BEHIND:
                    return
        self.left = False


def _prepared(
    threads: ThreadPoolExecutor, images: Iterator[Stamped], task: Task
) -> Iterator[Prepared]:
    """Yield each image prepared, with a few of them in work."""
    window: deque[Future[Prepared]] = deque()
    for incoming, stamp in images:
        window.append(threads.submit(prepare, incoming, stamp, task.form, task.is_known))
        if len(window) >= _AHEAD * usable_cores():
            yield window.popleft().result()
    while window:
        yield window.popleft().result()


def _rows(table: Embeddings) -> Iterator[Row]:
    joined = np.concatenate(list(table.layers.values()), axis=1)
    for row, error in zip(joined, table.errors, strict=True):
        yield row if error is None else error
