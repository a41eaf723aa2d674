from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from outgroup import Pool
from outgroup.errors import PoolError
from outgroup.pool import Incoming, Problem, Verification


def shard_of(pool: Pool) -> Path:
    (path,) = pool.path.glob("shards/*.tar")
    return path


def matrix_of(pool: Pool) -> Path:
    (path,) = pool.path.glob("embeddings/*/last.npy")
    return path


def place_of(pool: Pool, row: int) -> tuple[int, int]:
    connection = sqlite3.connect(pool.path / "index.sqlite3")
    found: tuple[int, int] = connection.execute(
        "SELECT start, length FROM images WHERE row = ?", (row,)
    ).fetchone()
    connection.close()
    return found


def overwrite(path: Path, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def test_sound_pool_has_no_problems(pool: Pool) -> None:
    found = pool.verify()
    assert (found.images, found.n_problems, found.problems, found.sound) == (30, 0, [], True)
    assert found.to_dict()["sound"] is True


def test_pool_without_images_is_sound(pool: Pool) -> None:
    empty = Pool.create(pool.path.parent / "empty", pool._backbone or "")
    assert empty.verify().sound
    assert empty.verify(repair=True).sound


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("image", "image 7 is damaged"),
        ("name", "the name of image 7 is damaged"),
        ("description", "the description of image 7 is damaged"),
    ],
)
def test_damaged_member_is_found_and_put_into_quarantine(pool: Pool, part: str, what: str) -> None:
    start, length = place_of(pool, 7)
    at = {"image": start + length // 2, "name": start - 510, "description": start - 1020}[part]
    overwrite(shard_of(pool), at, b"\xff\xfe\xfd")
    found = pool.verify()
    assert [(problem.row, problem.what) for problem in found.problems] == [(7, what)]
    assert not found.sound
    assert pool[7].state == "kept"
    repaired = pool.verify(repair=True)
    assert repaired.sound
    assert (pool[7].state, pool[7].reason) == ("quarantined", what)
    assert pool.counts()["left"].quarantined == 1


def test_shard_that_is_cut_off_is_found_and_nothing_is_added_to_it(pool: Pool, bag: object) -> None:
    start, _ = place_of(pool, 27)
    with open(shard_of(pool), "r+b") as file:
        file.truncate(start + 10)
    found = pool.verify()
    assert [problem.row for problem in found.problems if problem.row is not None] == [27, 28, 29]
    assert pool.encoded([26])
    with pytest.raises(PoolError, match="shorter than the index says"):
        pool.encoded([27])
    with pytest.raises(PoolError, match="shorter than the index says"):
        pool.add([Incoming(b"", "made", "x")])
    assert not pool.verify(repair=True).sound
    assert pool.rows(state="quarantined").tolist() == [27, 28, 29]


def test_missing_shard_is_found(pool: Pool) -> None:
    shard_of(pool).unlink()
    found = pool.verify()
    assert found.n_problems == 30
    with pytest.raises(PoolError, match="can't be read"):
        pool.images([0])


def test_damaged_jpeg_is_an_error_of_the_pool(pool: Pool) -> None:
    start, length = place_of(pool, 7)
    overwrite(shard_of(pool), start, bytes(length))
    with pytest.raises(PoolError, match="Image 7 of the pool is damaged"):
        pool.images([6, 7])


def test_leftovers_of_a_killed_run_are_found_and_cut_off(pool: Pool) -> None:
    whole = {path: path.read_bytes() for path in (shard_of(pool), matrix_of(pool))}
    shard, matrix = whole
    with open(shard, "ab") as file:
        file.write(b"half an image")
    with open(matrix, "ab") as file:
        file.write(b"half a row")
    overwrite(matrix, 0, whole[matrix][:128].replace(b"(30,", b"(31,"))
    (shard.parent / "000001.tar").write_bytes(b"a shard that was begun")
    assert len(pool) == 30
    found = pool.verify()
    assert found.n_problems == 3
    assert not found.sound
    assert pool.verify(repair=True).sound
    assert not (shard.parent / "000001.tar").exists()
    assert {path: path.read_bytes() for path in whole} == whole
    assert pool.verify().n_problems == 0


def test_matrix_that_is_short_or_damaged_is_found(pool: Pool) -> None:
    path = matrix_of(pool)
    overwrite(path, 128 + 5 * 48 * 2, np.full(48, np.nan, np.float16).tobytes())
    assert [problem.what for problem in pool.verify().problems] == ["row 5 is damaged"]
    with open(path, "r+b") as file:
        file.truncate(128 + 20 * 48 * 2)
    found = pool.verify(repair=True)
    assert not found.sound
    assert ["it holds 20 of the 30 embeddings" in problem.what for problem in found.problems] == [
        True,
        False,
    ]
    with pytest.raises(PoolError, match="it ends before row 30"):
        pool.features([29])
    with pytest.raises(PoolError, match="it holds 20 of the 30 embeddings"):
        pool.add([Incoming(b"", "made", "x")])


@pytest.mark.parametrize("layer", ["last", "logits"])
def test_finite_number_that_has_changed_is_found_and_put_into_quarantine(
    pool: Pool, layer: str
) -> None:
    (path,) = pool.path.glob(f"embeddings/*/{layer}.npy")
    width = pool.layers[layer]
    before = pool.features([9], [layer])[layer][0, 1]
    overwrite(path, 128 + (9 * width + 1) * 2, np.float16(before + 0.5).tobytes())
    assert pool.features([9], [layer])[layer][0, 1] != before
    found = pool.verify()
    assert [problem.row for problem in found.problems] == [9]
    assert "not those that were written" in found.problems[0].what
    assert (found.sound, pool[9].state) == (False, "kept")
    assert pool.verify(repair=True).sound
    assert pool[9].state == "quarantined"


def test_matrix_that_is_not_there_is_found(pool: Pool) -> None:
    matrix_of(pool).unlink()
    found = pool.verify()
    assert [problem.what for problem in found.problems] == [
        "can't be read (No such file or directory)."
    ]
    assert not pool.verify(repair=True).sound


def test_wrong_counts_are_corrected(pool: Pool) -> None:
    connection = sqlite3.connect(pool.path / "index.sqlite3")
    with connection:
        connection.execute("UPDATE counts SET n = 999 WHERE what = 'kept'")
    connection.close()
    before = pool.counts()
    assert pool.verify().problems[0].what == "2 counts are wrong"
    assert pool.counts() == before
    assert pool.verify(repair=True).sound
    assert pool.counts()["left"].kept == 20


def test_wrong_sources_are_found_and_repaired_first(pool: Pool) -> None:
    connection = sqlite3.connect(pool.path / "index.sqlite3")
    with connection:
        connection.execute("UPDATE stretches SET first = 18 WHERE first = 20")
    connection.close()
    start, length = place_of(pool, 19)
    overwrite(shard_of(pool), start + length // 2, b"\xff\xfe\xfd")
    assert [problem.what for problem in pool.verify().problems] == [
        "2 images have a wrong source in the stretches",
        "image 19 is damaged",
    ]
    assert pool.verify(repair=True).sound
    assert pool.rows("left", "quarantined").tolist() == [19]
    assert pool.counts()["left"].quarantined == 1
    assert pool.verify().n_problems == 1  # the image, which can't be mended


def test_thousand_problems_are_listed_and_all_are_counted() -> None:
    found = Verification()
    for row in range(5000):
        found.note(Problem("a shard", "damaged", row, repaired=True))
    assert (found.n_problems, len(found.problems), found.sound) == (5000, 1000, True)
    found.note(Problem("a shard", "not there"))
    assert not found.sound


def test_foreign_tar_file_is_left_alone(pool: Pool) -> None:
    other = shard_of(pool).with_name("mine.tar")
    other.write_bytes(b"precious")
    found = pool.verify(repair=True)
    assert found.sound
    assert other.read_bytes() == b"precious"
