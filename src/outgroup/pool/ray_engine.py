"""Prepare and embed images on a Ray cluster, with one network in each worker; this process writes.

Ray's actors are used directly, not Ray Data: a source is read here, once and in its order, by an
iterator that can't be split or read again on another machine.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any, TypeAlias

from outgroup.backbones import Backbone
from outgroup.embeddings import usable_cores
from outgroup.errors import (
    MissingExtraError,
    PoolError,
    UnreadableImageError,
)
from outgroup.images import content_digest, read_source
from outgroup.pool.engine import (
    Chunk,
    Engine,
    IsKnown,
    PreparedImage,
    Result,
    Stamped,
    file_stamp,
    image_size,
    packed,
    preparer,
    storable,
)
from outgroup.pool.records import invalid
from outgroup.pool.storage import StoredForm

#: An image to prepare, or one that is known or unreadable already.
Slot: TypeAlias = "Stamped | PreparedImage"

_AHEAD = 3  # chunks for each actor: one in work, one on the way, one that waits for its turn
_RETRIES = 3  # of a chunk whose worker died, in case an image kills whoever opens it
_STORE, _STORE_PER_CORE = 1 << 28, 1 << 26  # bytes of the object store: a few chunks and results


class RayEngine(Engine):
    """The machines of a Ray cluster; by default with one worker for each free core.

    Uses the cluster that the program is connected to, or else the one at ``RAY_ADDRESS``; without
    either, it starts one here and shuts it down at the end. Workers must have the same versions of
    outgroup and of what it computes with.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise invalid("workers", "a positive integer or None", workers)
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError("The ray engine", "ray") from error
        self._ray: Any = ray
        self._workers = workers
        self._is_connected_here = False

    def prepare(
        self, images: Iterator[Stamped], backbone: Backbone, form: StoredForm, is_known: IsKnown
    ) -> Generator[PreparedImage, None, None]:
        """Prepare and embed images; see `Engine.prepare`."""
        sends_files = False  # a worker reads a file itself if it sees the same one
        sent: deque[list[Slot]] = deque()

        def slot(stamped: Stamped) -> Slot:
            incoming, stamp = stamped
            if stamp is not None and not sends_files and _is_path(incoming.image):
                return stamped
            digest = error = None
            try:
                data = read_source(incoming.image)
                digest = content_digest(data)
                if not is_known(digest):
                    return replace(incoming, image=data), stamp
            except UnreadableImageError as reason:
                error = str(reason)
            source, origin = storable(incoming.source), storable(incoming.origin)
            return PreparedImage(source, origin, stamp, digest, error=error)

        def chunks() -> Iterator[list[Slot]]:
            slots = map(slot, images)
            for chunk in packed((one, _size(one)) for one in slots):
                sent.append(chunk)
                yield chunk

        with closing(self._actors(partial(_chunk_preparer, backbone, form))) as actors:
            for found in actors.map(chunks()):
                chunk = sent.popleft()
                if None in found:
                    sends_files = True
                    again = [one if isinstance(one, PreparedImage) else slot(one) for one in chunk]
                    found = actors.call(again)
                yield from found

    def map(
        self, make: Callable[[], Callable[[Chunk], Result]], chunks: Iterable[Chunk]
    ) -> Iterator[Result]:
        """Apply a function to chunks on the actors; see `Engine.map`."""
        with closing(self._actors(make)) as actors:
            yield from actors.map(chunks)

    def close(self) -> None:
        """Disconnect if the connection was made here, which ends a cluster that was started."""
        if self._is_connected_here:
            self._is_connected_here = False
            self._ray.shutdown()

    def _actors(self, make: Callable[[], Callable[[Any], Any]]) -> _Actors:
        self._connect()
        # Without a free core, one actor waits for one.
        free = max(1, int(self._ray.available_resources().get("CPU", 0)))
        return _Actors(self._ray, make, self._workers or free)

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return
        address = os.environ.get("RAY_ADDRESS") or "local"
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if address == "local":  # the cluster of others keeps their settings
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            options["num_cpus"] = usable_cores()
            options["object_store_memory"] = _STORE + _STORE_PER_CORE * usable_cores()
            options["include_dashboard"] = False
        else:
            _check_address(address)
        self._is_connected_here = True
        try:
            self._ray.init(address=address, **options)
        except BaseException as error:
            self.close()
            if isinstance(error, (ConnectionError, RuntimeError, ValueError, OSError)):
                raise _no_cluster(address, error) from error
            raise


def _check_address(address: str) -> None:
    """Raise an error if nobody listens; Ray would wait for minutes and write to standard error."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():  # such as "auto"
        return
    try:
        place = (host.strip("[]"), int(port))
        socket.create_connection(place, timeout=5.0).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> PoolError:
    what = "Ray could not be started on this machine"
    if address != "local":
        what = f"There is no Ray cluster at {address!r}, as RAY_ADDRESS says"
    return PoolError(f"{what} ({getattr(error, 'strerror', None) or error}).")


class _Actors:
    """Actors that apply a function to chunks; Ray restarts one that dies."""

    def __init__(self, ray: Any, make: Callable[[], Callable[[Any], Any]], workers: int) -> None:
        self._ray = ray
        remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=_RETRIES)(_Worker)
        #: In a list, so that an actor fetches it once instead of getting it with each chunk.
        self._make = [ray.put((make, _versions()))]
        self._actors = [remote.remote() for _ in range(workers)]
        self._in_work = [0] * workers
        self._actor_of: dict[Any, int] = {}

    def close(self) -> None:
        # Calls that end by themselves: Ray writes a message about each one that is killed.
        with suppress(Exception):  # the cluster may be gone
            calls = list(self._actor_of)
            for call in calls:
                self._ray.cancel(call)
            if calls:
                self._ray.wait(calls, num_returns=len(calls), timeout=10.0)
        for actor in self._actors:
            with suppress(Exception):
                self._ray.kill(actor)

    def map(self, chunks: Iterable[Any]) -> Iterator[Any]:
        window: deque[Any] = deque()
        for chunk in chunks:
            self._forget_finished()
            actor = min(range(len(self._actors)), key=self._in_work.__getitem__)
            call = self._actors[actor].call.remote(chunk, self._make)
            window.append(call)
            self._actor_of[call] = actor
            self._in_work[actor] += 1
            if len(window) >= _AHEAD * len(self._actors):
                yield self._result(window.popleft())
        while window:
            yield self._result(window.popleft())

    def call(self, chunk: Any) -> Any:
        return self._result(self._actors[0].call.remote(chunk, self._make))

    def _forget_finished(self) -> None:
        calls = list(self._actor_of)
        if calls:
            for call in self._ray.wait(calls, num_returns=len(calls), timeout=0)[0]:
                self._in_work[self._actor_of.pop(call)] -= 1

    def _result(self, call: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(call)
        except errors.RayTaskError as error:  # an exception of the function, with its traceback
            raise error.cause from error
        except errors.RayError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            why = lines[-1].rstrip(".") if lines else type(error).__name__
            raise PoolError(
                f"The Ray cluster failed, or a worker died {_RETRIES + 1} times on the same images "
                f"({why}). What was read before is kept; run the same again to continue."
            ) from error


class _Worker:
    def __init__(self) -> None:
        self._function: Callable[[Any], Any] | None = None

    def call(self, chunk: Any, make: list[Any]) -> Any:
        if self._function is None:
            import ray

            function, versions = ray.get(make[0])
            for name, there in versions.items():
                if (here := version(name)) != there:
                    raise PoolError(
                        f"A worker has {name} {here}, and the process that writes has {there}. "
                        "Install the same versions on all machines."
                    )
            self._function = function()
        return self._function(chunk)


def _versions() -> dict[str, str]:
    """Return the versions of the packages that decide the bytes of a pool."""
    return {name: version(name) for name in ("outgroup", "numpy", "pillow", "onnxruntime")}


def _chunk_preparer(
    backbone: Backbone, form: StoredForm
) -> Callable[[list[Slot]], list[PreparedImage | None]]:
    """Return what prepares and embeds images; None for a file that the worker does not see."""
    compute = preparer(backbone, form, is_known=lambda digest: False)

    def prepared(slot: Slot) -> PreparedImage | None:
        if isinstance(slot, PreparedImage):
            return slot
        image, stamp = slot[0].image, slot[1]
        return None if _is_path(image) and file_stamp(image) != stamp else compute(slot)

    return lambda slots: [prepared(slot) for slot in slots]


def _size(slot: Slot) -> int:
    return 0 if isinstance(slot, PreparedImage) else image_size(slot[0].image)


def _is_path(image: object) -> bool:
    return isinstance(image, (str, os.PathLike))
