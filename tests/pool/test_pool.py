from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from outgroup import Pool
from outgroup.embeddings import Embedder
from outgroup.errors import InvalidParameterError, PoolError
from outgroup.images import content_digest
from outgroup.pool import Counts, Incoming

Some = Callable[..., Iterator[Incoming]]


def change_settings(pool: Pool, **values: object) -> None:
    path = pool.path / "pool.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def run_sql(pool: Pool, sql: str) -> None:
    connection = sqlite3.connect(pool.path / "index.sqlite3")
    connection.executescript(sql)
    connection.close()


def test_images_come_back_in_the_order_of_the_source(pool: Pool, bag: SimpleNamespace) -> None:
    assert len(pool) == 30
    assert [record.origin for record in pool] == [f"#{i}" for i in range(30)]
    assert [record.row for record in pool] == list(range(30))
    for row in (0, 19, 29):
        stored = np.asarray(pool.images([row])[0], float)
        assert np.abs(stored - np.asarray(bag.picture(row), float)).mean() < 4


def test_record_says_where_an_image_is_from_and_what_it_was(
    new_pool: Callable[..., Pool], bag: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    bag.picture(1, 900, 600).save(path)
    pool = new_pool()
    pool.add([Incoming(path, "photos", "photos/photo.png", group="trip")])
    record = pool[0]
    assert (record.source, record.origin, record.group) == (
        "photos",
        "photos/photo.png",
        "photos/trip",
    )
    assert (record.width, record.height) == (900, 600)
    assert (record.stored_width, record.stored_height) == (320, 256)
    assert pool.images([0])[0].size == (320, 256)
    assert record.n_bytes == path.stat().st_size
    assert record.digest == content_digest(path)
    assert (record.state, record.reason, record.near) == ("kept", None, None)


def test_rows_are_asked_for_in_any_order(pool: Pool) -> None:
    everything = pool.features(range(30))["last"]
    rows = [29, 0, 7, 7, 8]
    np.testing.assert_array_equal(pool.features(rows)["last"], everything[rows])
    assert [record.row for record in pool.records(rows)] == rows
    assert pool.encoded(rows)[2] == pool.encoded([7])[0]
    assert pool[-1] == pool[29]
    assert pool.features([])["last"].shape == (0, 48)


def test_embedding_is_that_of_the_image_as_it_is_kept(pool: Pool, bag: SimpleNamespace) -> None:
    again = Embedder(bag.QuickNetwork()).embed(pool.encoded(range(30)))
    for layer, rows in again.layers.items():
        np.testing.assert_array_equal(pool.features(range(30))[layer], rows.astype(np.float16))


def test_only_the_layers_asked_for_are_read(pool: Pool) -> None:
    assert set(pool.features([1])) == set(pool.layers) == {"last", "logits"}
    assert set(pool.features([1], ["logits"])) == {"logits"}
    with pytest.raises(InvalidParameterError, match=r"must be of 'last', 'logits', got 'first'"):
        pool.features([1], ["first"])


@pytest.mark.parametrize("rows", [[30], [-1], [0.5], [[1]], "1"])
def test_rows_that_are_not_there_are_refused(pool: Pool, rows: Any) -> None:
    for method in (pool.features, pool.images, pool.records):
        with pytest.raises(InvalidParameterError, match="Invalid `rows`: must be"):
            method(rows)
    with pytest.raises(IndexError, match="row 30 of a pool of 30 images"):
        pool[30]


@pytest.mark.parametrize("size", [1, 7, 30, 100])
def test_chunks_yield_all_that_is_kept(pool: Pool, size: int) -> None:
    pool.quarantine([0, 13, 14], "a cat")
    chunks = list(pool.chunks(size, ["last"]))
    rows = np.concatenate([rows for rows, _ in chunks])
    assert rows.tolist() == [i for i in range(30) if i not in (0, 13, 14)]
    assert max(len(rows) for rows, _ in chunks) <= size
    found = np.concatenate([features["last"] for _, features in chunks])
    np.testing.assert_array_equal(found, pool.features(rows, ["last"])["last"])


def test_size_of_chunks_must_be_positive(pool: Pool) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `size`: must be a positive"):
        pool.chunks(0)


def test_quarantine_counts_by_source_where_sources_come_in_any_order(
    new_pool: Callable[..., Pool], bag: SimpleNamespace
) -> None:
    rng = np.random.default_rng(0)
    pool = new_pool()
    names = [f"source {i}" for i in rng.integers(0, 3, 60) * rng.integers(0, 2, 60)]
    for first in (0, 25, 50):
        pool.add(
            Incoming(bag.picture(i), names[i], f"#{i}") for i in range(first, min(first + 25, 60))
        )
    rows = rng.permutation(60)[:35]
    assert pool.quarantine(rows, "a cat") == 35
    of = {name: sorted(i for i in rows if names[i] == name) for name in set(names)}
    assert {name: pool.rows(name, "quarantined").tolist() for name in of} == of
    assert {name: count.quarantined for name, count in pool.counts().items()} == {
        name: len(rows) for name, rows in of.items()
    }
    assert pool.verify().sound


def test_quarantine_is_there_for_the_next_process_and_can_be_undone(pool: Pool) -> None:
    assert pool.quarantine([3, 4, 25], "looks like a cat") == 3
    assert pool.quarantine([4], "it is a cat") == 0
    other = Pool(pool.path)
    assert (other[3].state, other[3].reason) == ("quarantined", "looks like a cat")
    assert other[4].reason == "it is a cat"
    assert other.rows(state="quarantined").tolist() == [3, 4, 25]
    assert other.rows("left", "quarantined").tolist() == [3, 4]
    assert other.rows("left").tolist() == [i for i in range(20) if i not in (3, 4)]
    assert other.rows("right", None).tolist() == list(range(20, 30))
    assert other.counts() == {"left": Counts(18, 2), "right": Counts(9, 1)}
    assert other.release([3, 5]) == 1
    assert pool[3].reason is None
    assert pool.counts()["left"] == Counts(19, 1)


def test_change_that_fails_midway_is_undone(pool: Pool) -> None:
    pool.quarantine([3], "a cat")

    def fail_midway() -> None:
        with pool._index.transaction() as connection:
            connection.execute("DELETE FROM verdicts")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    assert pool.rows(state="quarantined").tolist() == [3]


def test_reason_of_a_release_is_kept(pool: Pool) -> None:
    pool.quarantine([3, 4], "a cat")
    pool.release([3], "looked at")
    pool.release([4])
    assert pool.released().tolist() == [3]
    assert (pool[3].state, pool[3].reason) == ("kept", "looked at")


def test_wrong_states_and_reasons_are_refused(pool: Pool) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `state`: must be 'kept'"):
        pool.rows(state="gone")
    with pytest.raises(InvalidParameterError, match="Invalid `reason`: must be text"):
        pool.quarantine([1], "")
    with pytest.raises(InvalidParameterError, match="Invalid `batch`: must be a positive"):
        pool.add([], batch=0)


def test_nothing_is_enlarged_and_long_images_are_cropped(
    new_pool: Callable[..., Pool], bag: SimpleNamespace
) -> None:
    pool = new_pool()
    sizes = {(10, 8): (10, 8), (600, 100): (320, 100), (100, 2000): (100, 320), (512, 512): None}
    pool.add(Incoming(bag.picture(i, *size), "sizes", str(i)) for i, size in enumerate(sizes))
    for record, (size, stored) in zip(pool, sizes.items(), strict=True):
        assert (record.width, record.height) == size
        assert (record.stored_width, record.stored_height) == (stored or (256, 256))


def test_network_that_squeezes_images_gets_them_whole(bag: SimpleNamespace, tmp_path: Path) -> None:
    network = bag.QuickNetwork()
    network.preprocessing = type(network.preprocessing)(resize=32, crop=32, keep_aspect=False)
    pool = Pool.create(tmp_path / "pool", network)
    pool.add([Incoming(bag.picture(1, 1000, 250), "wide", "1")])
    assert pool.images([0])[0].size == (320, 80)


def test_pool_can_be_pickled(pool: Pool) -> None:
    again = pickle.loads(pickle.dumps(pool))
    assert len(again) == 30
    assert repr(again) == f"Pool({str(pool.path)!r})"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_process_reads_and_quarantines(pool: Pool) -> None:
    assert pool[1].row == 1
    child = os.fork()
    if child == 0:
        good = pool[2].row == 2 and pool.quarantine([2], "by the child") == 1
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pool[2].reason == "by the child"
    with sqlite3.connect(pool.path / "index.sqlite3") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_matrices_are_numpy_files_that_can_be_mapped(pool: Pool) -> None:
    (path,) = pool.path.glob("embeddings/*/last.npy")
    mapped = np.load(path, mmap_mode="r")
    assert (mapped.dtype, mapped.shape) == (np.float16, (30, 48))
    np.testing.assert_array_equal(mapped, pool.features(range(30))["last"].astype(np.float16))


def test_two_builds_give_the_same_bytes(
    new_pool: Callable[..., Pool], bag: SimpleNamespace, tmp_path: Path
) -> None:
    bag.mixed_bag(tmp_path / "images", 60)
    for name, batch in (("one", 7), ("two", 256)):
        new_pool(name).add(bag.incoming(tmp_path / "images"), batch=batch)
    for path in (tmp_path / "one").rglob("*"):
        if path.suffix in (".tar", ".npy", ".json"):
            same = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == same.read_bytes(), path
    assert list(Pool(tmp_path / "one")) == list(Pool(tmp_path / "two"))


def test_picture_that_is_no_rgb_is_kept_as_it_looks(new_pool: Callable[..., Pool]) -> None:
    pool = new_pool()
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    pool.add([Incoming(clear, "clear", "1")])
    assert pool.images([0])[0].getpixel((20, 20)) == (255, 255, 255)


# opening and creating


def test_folder_without_a_pool_is_no_pool(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"there is no pool\. Make one with: outgroup pool build"):
        Pool(tmp_path)


def test_pool_is_not_made_among_other_files(tmp_path: Path, bag: SimpleNamespace) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(PoolError, match=r"neither an empty folder nor a pool; there is holiday.j"):
        Pool.create(tmp_path, bag.QuickNetwork())
    assert os.listdir(tmp_path) == ["holiday.jpg"]


def test_unfinished_pool_is_made_again(
    pool: Pool, new_pool: Callable[..., Pool], some: Some
) -> None:
    for name in ("pool.json", "shards", "embeddings"):
        path = pool.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    run_sql(pool, "DELETE FROM images; DELETE FROM places; DELETE FROM stretches;")
    (pool.path / ".pool.json.0a1b2c3d").write_bytes(b"{")  # of a write that was killed
    again = new_pool()
    assert len(again) == 0
    assert not (pool.path / ".pool.json.0a1b2c3d").exists()
    assert again.add(some(0, 5)).images == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "a box"}, "not the settings of a pool"),
        ({"format": 99}, "has format 99, and this version of outgroup reads format 1 only"),
        ({"format": 0}, "has format 0, and this version"),
        ({"layers": None}, "not the settings of a pool"),
        ({"images": {"size": 1}}, "not the settings of a pool"),
    ],
)
def test_settings_of_another_kind_or_format_are_refused(
    pool: Pool, values: dict[str, object], message: str
) -> None:
    change_settings(pool, **values)
    with pytest.raises(PoolError, match=message):
        Pool(pool.path)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("PRAGMA user_version = 99", "has version 99, and this version of outgroup reads version"),
        ("PRAGMA user_version = 2", "has version 2, and this version of outgroup reads version"),
        ("PRAGMA application_id = 7", "an SQLite file, but not the index of a pool"),
        ("DROP TABLE images", "no such table"),
    ],
)
def test_indexes_of_another_kind_or_version_are_refused(pool: Pool, sql: str, message: str) -> None:
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
