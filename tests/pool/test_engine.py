"""The engine of this machine, and that of a Ray cluster with a stand-in for Ray."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from outgroup import Pool
from outgroup.backbones import get_backbone
from outgroup.classifier.negatives import images_of
from outgroup.embeddings import Embedder
from outgroup.errors import InvalidParameterError, MissingExtraError, PoolError
from outgroup.pool import Incoming, ray_engine
from outgroup.pool.engine import EngineEmbedder, get_engine
from outgroup.pool.ray_engine import RayEngine


def test_error_for_an_unknown_engine_lists_the_engines(pool: Pool) -> None:
    with pytest.raises(
        InvalidParameterError, match="must be 'local', 'ray' or an Engine, got 'rya'"
    ):
        pool.add([], engine="rya")
    with pytest.raises(InvalidParameterError, match="or an Engine, got 3"):
        get_engine(3)


def test_error_for_missing_ray_names_the_command_that_installs_it(
    pool: Pool, some: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r'pip install "outgroup\[ray\]"'):
        pool.add(some(0, 40), engine="ray")
    assert len(pool) == 30
    assert pool.add(some(30, 40)).images == 10  # nothing is locked


def test_map_of_the_local_engine_keeps_the_order_and_takes_nothing_ahead() -> None:
    taken = []

    def numbers() -> Iterator[int]:
        for i in range(5):
            taken.append(i)
            yield i

    found = get_engine("local").map(lambda: lambda i: i * i, numbers())
    assert next(found) == 0
    assert taken == [0]
    assert list(found) == [1, 4, 9, 16]


@pytest.mark.parametrize("same", [True, False])
def test_images_of_a_pool_are_embedded_as_on_this_machine(
    pool: Pool, bag: SimpleNamespace, same: bool
) -> None:
    images = images_of(pool, list(pool))  # which have no files
    network = bag.QuickNetwork() if same else get_backbone("efficientnet-lite0")
    (here,) = Embedder(network, progress=False).stream(images, 30)
    (there,) = EngineEmbedder(get_engine("local"), network).stream(images, 30)
    assert there.errors == here.errors == [None] * 30
    assert there.digests == here.digests == [record.digest for record in pool]
    for name, rows in here.layers.items():
        np.testing.assert_array_equal(there.layers[name], rows)


def test_pickled_backbone_computes_the_same() -> None:
    network = get_backbone("efficientnet-lite0")
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
    again = pickle.loads(pickle.dumps(network))
    for layer, rows in network.run(images).items():
        np.testing.assert_array_equal(again.run(images)[layer], rows)
    assert (again.digest, again.layers) == (network.digest, network.layers)


class RayError(Exception):
    """Stands for that of Ray."""


class RayTaskError(RayError):
    """Stands for that of Ray; the exception of the worker is its cause."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class OneMachine(ModuleType):
    """Stands for Ray, with one worker machine that has packages of its own.

    A call is computed when its result is fetched, so that it fails where Ray does.
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
        ours = ray_engine.version
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                ray_engine, "version", lambda name: self.installed.get(name) or ours(name)
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
def test_worker_with_another_version_is_refused_and_the_pool_stays_whole(
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


def test_versions_of_other_packages_may_differ(
    machine: OneMachine, new_pool: Callable[..., Pool], some: Some
) -> None:
    machine.installed["scipy"] = "0.0.1"
    assert new_pool().add(some(0, 5), engine=RayEngine(workers=1)).images == 5
