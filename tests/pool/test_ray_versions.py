"""Workers of a Ray cluster with other versions than the process that writes; needs no Ray."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from outgroup import Pool
from outgroup.errors import PoolError
from outgroup.pool import Incoming
from outgroup.pool.engines import _ray_actors
from outgroup.pool.engines.ray import RayEngine


class RayError(Exception):
    """As Ray's."""


class RayTaskError(RayError):
    """As Ray's: what a worker raised is its cause."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class OneMachine(ModuleType):
    """What the engine asks of Ray, on a machine with packages of its own.

    A call is computed when its result is fetched, so that its failure comes where Ray's does.
    """

    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = ModuleType("ray.exceptions")
        vars(self.exceptions).update(RayError=RayError, RayTaskError=RayTaskError)
        self.installed: dict[str, str] = {}

    def is_initialized(self) -> bool:
        return True

    def available_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def put(self, value: Any) -> Any:
        return lambda: value

    def get(self, reference: Callable[[], Any]) -> Any:
        try:
            return reference()
        except Exception as error:
            raise RayTaskError(error) from error

    def wait(self, references: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return references, []

    def kill(self, actor: Any) -> None:
        pass

    def remote(self, **_: Any) -> Callable[[type], Any]:
        return lambda kind: _Remote(lambda *given: self._actor(kind(*given)))

    def _actor(self, one: Any) -> Any:
        actor = ModuleType("actor")
        vars(actor)["call"] = _Remote(lambda *given: lambda: self._computed(one, *given))
        return actor

    def _computed(self, one: Any, *given: Any) -> Any:
        """Compute where other versions are installed."""
        ours = _ray_actors.version
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                _ray_actors, "version", lambda name: self.installed.get(name) or ours(name)
            )
            return one.call(*given)


class _Remote:
    def __init__(self, call: Callable[..., Any]) -> None:
        self.remote = call


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> OneMachine:
    made = OneMachine()
    monkeypatch.setitem(sys.modules, "ray", made)
    return made


Some = Callable[..., Iterator[Incoming]]


def test_workers_with_the_same_versions_make_the_same_pool(
    machine: OneMachine, new_pool: Callable[..., Pool], some: Some
) -> None:
    here, there = new_pool("here"), new_pool("there")
    here.add(some(0, 40))
    assert there.add(some(0, 40), engine=RayEngine(workers=2)).images == 40
    assert list(there) == list(here)


@pytest.mark.parametrize("package", ["outgroup", "numpy", "pillow", "onnxruntime"])
def test_a_worker_with_another_version_is_refused_and_the_pool_stays_whole(
    machine: OneMachine, new_pool: Callable[..., Pool], some: Some, package: str
) -> None:
    pool = new_pool()
    pool.add(some(0, 5))
    machine.installed[package] = "0.0.1"
    with pytest.raises(PoolError, match=rf"A worker has {package} 0\.0\.1, and the process that"):
        pool.add(some(5, 40), engine=RayEngine(workers=2))
    assert (len(pool), pool.verify().n_problems) == (5, 0)
    machine.installed.clear()
    pool.add(some(0, 40), engine=RayEngine(workers=2))
    assert (len(pool), pool.verify().n_problems) == (40, 0)


def test_what_does_not_decide_the_bytes_of_a_pool_may_differ(
    machine: OneMachine, new_pool: Callable[..., Pool], some: Some
) -> None:
    machine.installed["scipy"] = "0.0.1"
    assert new_pool().add(some(0, 5), engine=RayEngine(workers=1)).images == 5
