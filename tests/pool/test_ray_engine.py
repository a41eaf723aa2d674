"""The engine on a Ray cluster of two cores gives what the local one gives."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from outgroup import Pool
from outgroup.backbones import Backbone
from outgroup.contamination import find_suspects
from outgroup.embeddings import Embedder
from outgroup.errors import BackboneError, InvalidParameterError, PoolError, PoolSourceError
from outgroup.pool import Incoming
from outgroup.training_set import TrainingSet

ray = pytest.importorskip("ray", reason="needs Ray: pip install outgroup[ray]")

from outgroup.pool import ray_engine  # noqa: E402
from outgroup.pool.engine import Engine  # noqa: E402
from outgroup.pool.ray_engine import RayEngine  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine of two workers on a cluster that was started before."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=2**28,
    )
    with RayEngine(workers=2) as made:
        yield made
    assert ray.is_initialized()  # the engine has not shut it down
    ray.shutdown()


class Elsewhere(os.PathLike[str]):
    """A path that only the process that made it can see."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.owner = os.getpid()

    def __fspath__(self) -> str:
        return self.path if os.getpid() == self.owner else "/nowhere/" + Path(self.path).name


def everything(bag: SimpleNamespace, folder: Path) -> Iterator[Incoming]:
    """Yield files, bytes, copies, near copies, unreadable images and missing files."""
    yield from bag.incoming(folder)
    more = folder.parent / "more"
    more.mkdir(exist_ok=True)
    turned = bag.picture(900)
    turned.getexif()[0x0112] = 6
    turned.save(more / "turned.jpg", exif=turned.getexif())
    yield Incoming(Image.open(more / "turned.jpg"), "memory", "opened")
    yield Incoming(np.asarray(bag.picture(901)), "memory", "array")
    yield Incoming(np.zeros((3, 3, 7), np.uint8), "memory", "no picture")
    yield Incoming(bag.picture(902).convert("P"), "memory", "palette")
    yield Incoming(more / "none.jpg", "gone", "none.jpg")
    yield Incoming(folder, "gone", "a folder")
    yield Incoming(Elsewhere(folder / "0001.png"), "far", "copy")
    bag.picture(903).save(more / "far.png")
    yield Incoming(Elsewhere(more / "far.png"), "far", "new")
    for i in range(904, 950):
        bag.picture(i).save(more / f"far {i}.png")
        yield Incoming(Elsewhere(more / f"far {i}.png"), "far", str(i))


def assert_same(one: Pool, other: Pool) -> None:
    """Compare two pools byte by byte."""
    assert len(one) == len(other)
    assert list(one) == list(other)
    assert one.counts() == other.counts()
    assert list(one.unreadable()) == list(other.unreadable())
    compared = 0
    for path in one.path.rglob("*"):
        if path.suffix in (".tar", ".npy", ".json"):
            assert (other.path / path.relative_to(one.path)).read_bytes() == path.read_bytes(), path
            compared += 1
    assert compared == 4
    assert other.verify().n_problems == 0


def test_a_worker_with_another_version_is_refused(
    engine: Engine,
    new_pool: Callable[..., Pool],
    some: Callable[..., Iterator[Incoming]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Here the process that writes pretends to have another one."""
    monkeypatch.setattr(ray_engine, "_versions", lambda: {"numpy": "0.0.1"})
    pool = new_pool()
    with pytest.raises(
        PoolError, match=r"A worker has numpy .*the process that writes has 0\.0\.1"
    ):
        pool.add(some(0, 20), engine=engine)
    assert (len(pool), pool.verify().n_problems) == (0, 0)


def test_pool_is_the_same_to_the_byte(bag: SimpleNamespace, tmp_path: Path, engine: Engine) -> None:
    bag.mixed_bag(tmp_path / "images", 60)
    pools = []
    for name, computes in (("local", "local"), ("ray", engine)):
        network = bag.QuickNetwork()
        pool = Pool.create(tmp_path / name, network)
        added = pool.add(everything(bag, tmp_path / "images"), engine=computes, batch=20)
        pools.append((pool, added))
    (local, first), (other, second) = pools
    assert first.images > 90
    assert first.duplicates == 7
    assert first.n_unreadable == 9
    second.seconds = first.seconds
    assert second == first
    assert_same(local, other)
    assert network.images == 0  # all of it elsewhere


def test_one_engine_continues_what_the_other_began(
    bag: SimpleNamespace, tmp_path: Path, engine: Engine
) -> None:
    bag.mixed_bag(tmp_path / "images", 100)

    def breaks_off(after: int) -> Iterator[Incoming]:
        for i, one in enumerate(bag.incoming(tmp_path / "images")):
            if i == after:
                raise OSError("the cable is out")
            yield one

    whole = Pool.create(tmp_path / "whole", bag.QuickNetwork())
    whole.add(bag.incoming(tmp_path / "images"))
    pool = Pool.create(tmp_path / "pool", bag.QuickNetwork())
    for after, computes in ((23, engine), (41, "local"), (77, engine)):
        with pytest.raises(PoolSourceError, match="the cable is out"):
            pool.add(breaks_off(after), engine=computes)
        assert 0 < len(pool) < after
    added = pool.add(bag.incoming(tmp_path / "images"), engine=engine)
    assert added.there > 60
    assert_same(whole, pool)


def test_source_is_not_read_far_ahead(bag: SimpleNamespace, tmp_path: Path, engine: Engine) -> None:
    pool = Pool.create(tmp_path / "pool", bag.QuickNetwork())
    ahead = []

    def endless() -> Iterator[Incoming]:
        for i in range(400):
            ahead.append(i - len(Pool(pool.path)))
            yield Incoming(bag.picture(i), "made", f"#{i}")

    assert pool.add(endless(), engine=engine, batch=1).images == 400
    assert max(ahead) <= 2 * 3 * 16 + 16


def test_map_keeps_the_order_and_raises_exceptions_of_the_function(engine: Engine) -> None:
    def make() -> Callable[[int], int]:
        def squared(i: int) -> int:
            time.sleep(0.2 if i % 5 == 0 else 0.0)
            if i == 33:
                raise BackboneError("thirty-three")
            return i * i

        return squared

    found = engine.map(make, range(40))
    assert [next(found) for _ in range(33)] == [i * i for i in range(33)]
    with pytest.raises(BackboneError, match=r"^thirty-three$"):
        next(found)


def test_nothing_is_printed_about_calls_that_are_dropped(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    def make() -> Callable[[int], int]:
        def slow(i: int) -> int:
            time.sleep(0.5 if i else 0.0)
            return i

        return slow

    found = engine.map(make, range(100))
    assert next(found) == 0
    found.close()  # type: ignore[attr-defined]
    time.sleep(1.0)  # time for Ray to write on standard output
    assert capsys.readouterr().out == ""


def test_same_suspects_are_found(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    known = TrainingSet({"last": rng.normal(size=(90, 16)) + 9 * np.eye(16)[y]}, y, tuple("abc"))
    pool = (rng.normal(size=(5000, 16)) + 9 * np.eye(16)[5]).astype(np.float16)
    pool[::500] = (rng.normal(size=(10, 16)) + 9 * np.eye(16)[np.arange(10) % 3]).astype("f2")
    units = np.arange(5000) // 2
    sizes = []

    def mapped(make: Callable[[], Any], chunks: Any) -> Iterator[Any]:
        for found in engine.map(make, chunks):
            sizes.append(len(found[0] if isinstance(found, tuple) else found))
            yield found

    here = find_suspects(known, pool, units)
    there = find_suspects(known, pool, units, mapped=mapped)
    assert sum(sizes) == 3 * len(pool)
    assert len({suspect.row for suspect in here.suspects} & {*range(0, 5000, 500)}) >= 5
    assert there == here


def test_embeddings_of_a_stream_are_the_same(
    bag: SimpleNamespace, tmp_path: Path, engine: Engine
) -> None:
    bag.mixed_bag(tmp_path / "images", 60)
    images = [one.image for one in everything(bag, tmp_path / "images")]
    images.insert(20, Image.open(io.BytesIO(half_a_jpeg(bag))))
    network = bag.QuickNetwork()
    here = list(Embedder(network, progress=False).stream(images, 25))
    seen = network.images
    there = list(engine.embedder(network).stream(images, 25))
    assert network.images == seen > 0
    assert [len(table) for table in there] == [len(table) for table in here]
    assert sum(error is not None for table in here for error in table.errors) > 9
    for one, other in zip(here, there, strict=True):
        assert (one.errors, one.digests) == (other.errors, other.digests)
        for name, rows in one.layers.items():
            np.testing.assert_array_equal(other.layers[name], rows)


def half_a_jpeg(bag: SimpleNamespace) -> bytes:
    file = io.BytesIO()
    bag.picture(1, 640, 480).save(file, "JPEG")
    return file.getvalue()[: len(file.getvalue()) // 2]


@pytest.fixture
def mortal(bag: SimpleNamespace) -> Callable[[Path, int], Backbone]:
    """Make networks whose process is killed at the tenth image, a given number of times."""

    class Mortal(bag.QuickNetwork):  # type: ignore[misc, name-defined]
        def __init__(self, folder: Path, times: int) -> None:
            super().__init__()
            self.folder, self.times = folder, times

        def run(self, images: np.ndarray) -> dict[str, Any]:
            dead = len(list(self.folder.glob("dead *")))
            if self.images == 10 and dead < self.times:
                (self.folder / f"dead {dead}").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().run(images)  # type: ignore[no-any-return]

    return Mortal


def test_worker_that_dies_once_changes_nothing(
    bag: SimpleNamespace, mortal: Callable[..., Backbone], tmp_path: Path, engine: Engine
) -> None:
    bag.mixed_bag(tmp_path / "images", 80)
    whole = Pool.create(tmp_path / "whole", bag.QuickNetwork())
    whole.add(bag.incoming(tmp_path / "images"))
    pool = Pool.create(tmp_path / "pool", mortal(tmp_path, 1))
    pool.add(bag.incoming(tmp_path / "images"), engine=engine)
    assert (tmp_path / "dead 0").exists()
    assert_same(whole, pool)


def test_worker_that_always_dies_leaves_a_whole_pool(
    bag: SimpleNamespace, mortal: Callable[..., Backbone], tmp_path: Path, engine: Engine
) -> None:
    bag.mixed_bag(tmp_path / "images", 80)
    whole = Pool.create(tmp_path / "whole", bag.QuickNetwork())
    whole.add(bag.incoming(tmp_path / "images"))
    pool = Pool.create(tmp_path / "pool", mortal(tmp_path, 1000))
    with pytest.raises(PoolError, match=r"a worker died 4 times on the same images"):
        pool.add(bag.incoming(tmp_path / "images"), engine=engine)
    assert pool.verify().n_problems == 0
    again = Pool(pool.path, backbone=bag.QuickNetwork())
    again.add(bag.incoming(tmp_path / "images"), engine=engine)
    assert_same(whole, again)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2"])
def test_number_of_workers_is_checked(workers: Any) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `workers`: must be a positive int"):
        RayEngine(workers=workers)
