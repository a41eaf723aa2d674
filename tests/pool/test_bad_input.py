from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from outgroup import Pool
from outgroup.errors import PoolError
from outgroup.pool import Incoming

Some = Callable[..., Iterator[Incoming]]


def change_settings(pool: Pool, **values: object) -> None:
    path = pool.path / "pool.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def run_sql(pool: Pool, sql: str) -> None:
    connection = sqlite3.connect(pool.path / "index.sqlite3")
    connection.executescript(sql)
    connection.close()


def test_folder_without_a_pool_is_no_pool(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"there is no pool\. Make one with: outgroup pool build"):
        Pool(tmp_path)


def test_pool_is_not_made_among_other_files(tmp_path: Path, bag: SimpleNamespace) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(PoolError, match=r"neither an empty folder nor a pool; there is holiday.j"):
        Pool.create(tmp_path, bag.QuickNetwork())
    assert os.listdir(tmp_path) == ["holiday.jpg"]


def test_pool_that_was_hardly_begun_is_begun_again(
    pool: Pool, new_pool: Callable[..., Pool], some: Some
) -> None:
    for name in ("pool.json", "shards", "embeddings"):
        path = pool.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    run_sql(pool, "DELETE FROM images; DELETE FROM places; DELETE FROM stretches;")
    again = new_pool()
    assert len(again) == 0
    assert again.add(some(0, 5)).images == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "a box"}, "not the settings of a pool"),
        ({"format": 99}, "a pool of format 99, and this version of outgroup reads up to 1. Update"),
        ({"layers": None}, "not the settings of a pool"),
        ({"images": {"size": 1}}, "not the settings of a pool"),
    ],
)
def test_foreign_and_newer_settings_are_refused(
    pool: Pool, values: dict[str, object], message: str
) -> None:
    change_settings(pool, **values)
    with pytest.raises(PoolError, match=message):
        Pool(pool.path)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("PRAGMA user_version = 99", "an index of version 99, and this version of outgroup reads"),
        ("PRAGMA application_id = 7", "an SQLite file, but not the index of a pool"),
        ("DROP TABLE images", "no such table"),
    ],
)
def test_foreign_and_newer_indexes_are_refused(pool: Pool, sql: str, message: str) -> None:
    run_sql(pool, sql)
    with pytest.raises(PoolError, match=message):
        Pool(pool.path)


@pytest.mark.parametrize("data", [b"", b"no database at all" * 100])
def test_index_that_is_no_database_is_refused(pool: Pool, data: bytes) -> None:
    path = pool.path
    for suffix in ("-wal", "-shm"):
        (path / f"index.sqlite3{suffix}").unlink(missing_ok=True)
    (path / "index.sqlite3").write_bytes(data)
    with pytest.raises(PoolError, match="not the index of a pool"):
        Pool(path)
    (path / "index.sqlite3").unlink()
    with pytest.raises(PoolError, match="the index of the pool is not there"):
        Pool(path)


def test_other_backbone_needs_a_pool_of_its_own(pool: Pool, bag: SimpleNamespace) -> None:
    with pytest.raises(PoolError, match=r"a pool of embeddings by quick, and this is quick\. Make"):
        Pool.create(pool.path, bag.QuickNetwork("other weights"))
    with pytest.raises(PoolError, match="by another version of quick"):
        Pool(pool.path, backbone=bag.QuickNetwork("other weights")).add([])


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
