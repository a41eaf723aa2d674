"""A Ray cluster: actors that hold a network each prepare and embed, this process writes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from outgroup.backbones import Backbone
from outgroup.errors import InvalidParameterError, MissingExtraError
from outgroup.pool.engines._chunks import Chunks, Compute, Computed, Slot
from outgroup.pool.engines._embedding import EngineEmbedder
from outgroup.pool.engines._ray_actors import Actors
from outgroup.pool.engines._ray_cluster import Cluster
from outgroup.pool.engines.base import ENGINES, Chunk, Engine, Result, Row, Stamped, Streams, Task
from outgroup.pool.preparing import Prepared


@ENGINES.register("ray")
class RayEngine(Engine):
    """The machines of a Ray cluster.

    A cluster that the program is connected to is used, else the one at ``RAY_ADDRESS``; without
    either, one is started on this machine, without a dashboard and usage statistics, and shut down
    at the end. Workers have to have the same versions of outgroup and what it computes with.

    Ray's actors are used directly and not Ray Data: a source is read here, once, in its order, by
    an iterator that can't be split or read again by another machine.

    Parameters
    ----------
    workers : int, optional
        How many actors, of one core each; as many as the cluster has free cores if not given.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    InvalidParameterError
        If `workers` is not a positive integer.

    Examples
    --------
    >>> with RayEngine(workers=16) as engine:  # doctest: +SKIP
    ...     pool.add("photos", engine=engine)
    """

    summary = "The machines of a Ray cluster, or the cores of this one; needs outgroup[ray]."

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise InvalidParameterError(
                f"The 'workers' parameter must be a positive integer or None. Got {workers!r} "
                "instead."
            )
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("The ray engine", "ray") from error
        self._cluster = Cluster(ray)
        self._workers = workers

    def rows(self, images: Iterator[Stamped], task: Task) -> Generator[Row, None, None]:
        """Prepare and embed images; see `Engine.rows`."""
        chunks = Chunks(task.form, task.is_known)
        packed: deque[list[Slot]] = deque()

        def remembered() -> Iterator[list[Slot]]:
            for slots in chunks.pack(images):
                packed.append(slots)
                yield slots

        with self._actors(Compute(task.backbone, task.form)) as actors:
            for found in actors.map(remembered()):
                slots = packed.popleft()
                if any(one is None for one in found):
                    found = actors.once(chunks.read_here(slots))
                yield from _wanted(found, task.is_new)

    def map(
        self, make: Callable[[], Callable[[Chunk], Result]], chunks: Iterable[Chunk]
    ) -> Iterator[Result]:
        """Apply a function to chunks on the actors; see `Engine.map`."""
        with self._actors(make) as actors:
            yield from actors.map(chunks)

    def embedder(self, backbone: Backbone, threads: int | None = None) -> Streams:
        """Return what embeds on the actors; files are read here."""
        return EngineEmbedder(self, backbone)

    def close(self) -> None:
        """Shut down the cluster if it was started here."""
        self._cluster.close()

    def _actors(self, make: Callable[[], Any]) -> Actors:
        ray = self._cluster.connect()
        return Actors(ray, make, self._workers or self._cluster.free_cores())


def _wanted(found: Iterable[Computed], is_new: Callable[[Prepared], bool]) -> Iterator[Row]:
    for computed in found:
        assert computed is not None
        prepared, row = computed
        if is_new(prepared):
            assert row is not None
            yield row
