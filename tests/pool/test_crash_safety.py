from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from outgroup import Pool
from outgroup.errors import PoolError
from outgroup.pool import Incoming

Some = Callable[..., Iterator[Incoming]]
KILLS = 50


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fifty_kills_lose_nothing_and_add_nothing_twice(
    bag: SimpleNamespace, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    bag.mixed_bag(images, 300)
    whole = Pool.create(tmp_path / "whole", bag.QuickNetwork())
    whole.add(bag.incoming(images))
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, script, images, tmp_path / "killed", str(KILLS), "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    killed = json.loads(done.stdout)
    assert sum(killed) >= KILLS
    rows = range(len(whole))
    assert len(whole) == 240
    for number in range(len(killed)):
        pool = Pool(tmp_path / "killed" / str(number))
        assert list(pool) == list(whole)
        assert pool.counts() == whole.counts()
        assert list(pool.unreadable()) == list(whole.unreadable())
        assert pool.encoded(rows) == whole.encoded(rows)
        for layer, vectors in whole.features(rows).items():
            np.testing.assert_array_equal(pool.features(rows)[layer], vectors)
        for path in whole.path.rglob("*"):
            if path.suffix in (".tar", ".npy"):
                again = pool.path / path.relative_to(whole.path)
                assert again.read_bytes() == path.read_bytes(), again
        found = pool.verify()
        assert (found.n_problems, found.images) == (0, len(whole))


def test_second_writer_is_told_who_the_first_is(
    pool: Pool, some: Some, bag: SimpleNamespace
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[Incoming]:
        yield from some(100, 105)
        inside.set()
        go_on.wait(30)
        yield from some(105, 110)

    first = threading.Thread(target=lambda: pool.add(slow()))
    first.start()
    assert inside.wait(30)
    try:
        code = "import sys; from outgroup import Pool; print(len(Pool(sys.argv[1])))"
        reader = subprocess.run(
            [sys.executable, "-c", code, pool.path], capture_output=True, text=True, check=True
        )
        assert reader.stdout == "30\n"
        second = Pool(pool.path, backbone=bag.QuickNetwork())
        with pytest.raises(
            PoolError, match=rf"writing to it \(process {os.getpid()} on .*\). Wait"
        ):
            second.add(some(200, 201))
        assert second.quarantine([1], "by a reader") == 1
    finally:
        go_on.set()
        first.join()
    assert len(pool) == 40
    assert second.add(some(200, 201)).images == 1
    assert pool[1].reason == "by a reader"


FULL = """
import resource, runpy, sys
from pathlib import Path
from outgroup import Pool
from outgroup.errors import PoolError
from outgroup.pool import Incoming

bag = runpy.run_path(sys.argv[1])
pool = Pool(sys.argv[2], backbone=bag["QuickNetwork"]())
limit = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
many = (Incoming(bag["picture"](i), "made", f"#{i}") for i in range(5000))
try:
    pool.add(many, batch=16)
except PoolError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
@pytest.mark.parametrize("limit", [150_000, 400_000, 1_200_000])
def test_disk_that_fills_up_leaves_the_pool_whole(
    new_pool: Callable[..., Pool], some: Some, limit: int
) -> None:
    pool = new_pool()
    network = Path(__file__).with_name("quick_network.py")
    done = subprocess.run(
        [sys.executable, "-c", FULL, network, pool.path, str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "the disk is full" in done.stdout
    assert "The pool holds what was committed before" in done.stdout
    before = len(pool)
    found = pool.verify()
    assert (found.images, found.sound) == (before, True)
    assert pool.add(some(0, 1000)).images == 1000 - before
    assert pool.verify().n_problems == 0
    assert [record.origin for record in pool] == [f"#{i}" for i in range(1000)]


def mounted(folder: Path, size: str) -> bool:
    if sys.platform != "linux":
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def test_small_disk_that_fills_up_leaves_the_pool_whole(
    tmp_path: Path, bag: SimpleNamespace, some: Some
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mounted(disk, "2m"):
        pytest.skip("a small disk can't be mounted here")
    try:
        pool = Pool.create(disk / "pool", bag.QuickNetwork())
        with pytest.raises(PoolError, match="the disk is full"):
            pool.add(some(0, 5000), batch=16)
        before = len(pool)
        assert before > 0
        assert pool.verify().sound
        with pytest.raises(PoolError, match="the disk is full"):
            pool.add(some(0, 5000), batch=16)
        assert len(pool) >= before
        assert pool.verify().sound
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        assert pool.add(some(0, before + 300)).images >= 200
        assert pool.verify().n_problems == 0
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_pool_that_may_not_be_written_to_can_be_read(pool: Pool, some: Some) -> None:
    pool.path.chmod(0o555)
    try:
        assert len(Pool(pool.path)) == 30
        with pytest.raises(PoolError, match="can't be written to"):
            pool.add(some(0, 40))
    finally:
        pool.path.chmod(0o755)
