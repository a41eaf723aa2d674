"""Actors that apply one function each, with results in the order of what they were given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from types import TracebackType
from typing import Any

from outgroup.errors import PoolError

_AHEAD = 3  # chunks for each actor: one in work, one on the way, one that waits for its turn
_SECONDS = 10.0  # in which what is in work when nobody waits for it any more should end
_RETRIES = 3  # of a chunk whose worker died; a picture that kills whoever opens it must not go on

#: What decides the bytes of a pool.
_SAME = ("outgroup", "numpy", "pillow", "onnxruntime")


class Actors:
    """Some actors for a ``with`` block.

    An actor that dies, or whose machine does, is started again by Ray, and its chunks are computed
    again; nothing depends on how often.

    Parameters
    ----------
    ray : module
        Connected.
    make : callable
        Returns the function; each actor calls it once. It is sent to each machine once.
    workers : int
        How many actors.
    """

    def __init__(self, ray: Any, make: Callable[[], Callable[[Any], Any]], workers: int) -> None:
        self._ray = ray
        remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=_RETRIES)(_Worker)
        #: In a list, so that it is not sent along with each chunk, but fetched when it is needed.
        self._make = [ray.put((make, _versions()))]
        self._actors = [remote.remote() for _ in range(workers)]
        self._in_work = [0] * workers
        self._doing: dict[Any, int] = {}

    def __enter__(self) -> Actors:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(Exception):  # the cluster may be gone
            self._let_end()
        for actor in self._actors:
            with suppress(Exception):
                self._ray.kill(actor)

    def _let_end(self) -> None:
        """Drop what waits, and wait for what is in work: Ray reports every call that is killed."""
        doing = list(self._doing)
        for reference in doing:
            self._ray.cancel(reference)
        if doing:
            self._ray.wait(doing, num_returns=len(doing), timeout=_SECONDS)

    def map(self, chunks: Iterable[Any]) -> Iterator[Any]:
        """Yield what the function returns for each chunk, in their order.

        Raises
        ------
        PoolError
            If a chunk's worker died each time, or the cluster is gone.
        """
        window: deque[Any] = deque()
        for chunk in chunks:
            for reference in self._done(list(self._doing)):
                self._in_work[self._doing.pop(reference)] -= 1
            actor = min(range(len(self._actors)), key=self._in_work.__getitem__)
            reference = self._actors[actor].call.remote(chunk, self._make)
            window.append(reference)
            self._doing[reference] = actor
            self._in_work[actor] += 1
            if len(window) >= _AHEAD * len(self._actors):
                yield self._result(window.popleft())
        while window:
            yield self._result(window.popleft())

    def _done(self, references: list[Any]) -> list[Any]:
        if not references:
            return []
        done: list[Any] = self._ray.wait(references, num_returns=len(references), timeout=0)[0]
        return done

    def once(self, chunk: Any) -> Any:
        """Return what the function returns for one chunk."""
        return self._result(self._actors[0].call.remote(chunk, self._make))

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:  # what the function raised, with a remote traceback
            raise error.cause from error
        except errors.RayError as error:
            raise PoolError(
                f"The Ray cluster failed, or a worker died {_RETRIES + 1} times on the same images "
                f"({_last_line(error)}). What was read before is kept; doing the same again goes "
                "on from there."
            ) from error


class _Worker:
    """What lives in an actor."""

    def __init__(self) -> None:
        self._function: Callable[[Any], Any] | None = None

    def call(self, chunk: Any, make: list[Any]) -> Any:
        if self._function is None:
            import ray

            function, versions = ray.get(make[0])
            _check_versions(versions)
            self._function = function()
        return self._function(chunk)


def _check_versions(versions: dict[str, str]) -> None:
    for name, there in versions.items():
        if (here := version(name)) != there:
            raise PoolError(
                f"A worker has {name} {here}, and the process that writes has {there}. Install the "
                "same versions on all machines."
            )


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _SAME}


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__
