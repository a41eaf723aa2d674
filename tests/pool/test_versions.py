"""Pools whose index was written by an earlier version."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from outgroup import Pool
from outgroup.pool import Incoming
from outgroup.pool.schema import VERSION

TO_VERSION_2 = """
DROP TRIGGER stretch_begins;
DROP TABLE stretches;
PRAGMA user_version = 2;
"""
TO_VERSION_1 = f"""
{TO_VERSION_2}
ALTER TABLE images ADD COLUMN state TEXT NOT NULL DEFAULT 'kept';
ALTER TABLE images ADD COLUMN reason TEXT;
UPDATE images SET state = v.state, reason = v.reason FROM verdicts v WHERE v.row = images.row;
DROP TRIGGER image_comes;
DROP TABLE verdicts;
DROP TABLE checksums;
DROP TABLE spaces;
CREATE INDEX images_not_kept ON images (row, source, state) WHERE state != 'kept';
CREATE TRIGGER image_comes AFTER INSERT ON images BEGIN
    UPDATE counts SET n = n + 1 WHERE source = new.source AND (
        what = new.state OR (what = 'near_duplicates' AND new.near IS NOT NULL));
END;
CREATE TRIGGER image_changes AFTER UPDATE OF state ON images WHEN old.state != new.state BEGIN
    UPDATE counts SET n = n - 1 WHERE source = new.source AND what = old.state;
    UPDATE counts SET n = n + 1 WHERE source = new.source AND what = new.state;
END;
PRAGMA user_version = 1;
"""


def made_old(pool: Pool, script: str) -> Pool:
    """Return a pool of 30 images as it was once: 3 in quarantine, one vouched for."""
    pool.quarantine([3, 4, 25], "a cat")
    pool.release([25], "looked at")
    pool.quarantine([26], "a dog")
    pool._index.close()
    connection = sqlite3.connect(pool.path / "index.sqlite3")
    connection.executescript(script)
    connection.close()
    return Pool(pool.path, backbone=pool._backbone)


@pytest.fixture
def old(pool: Pool) -> Pool:
    """A pool of the first version."""
    return made_old(pool, TO_VERSION_1)


def version_of(pool: Pool) -> int:
    connection = sqlite3.connect(pool.path / "index.sqlite3")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def check_verdicts(pool: Pool) -> None:
    assert pool.rows(state="quarantined").tolist() == [3, 4, 26]
    assert pool.rows("left", "quarantined").tolist() == [3, 4]
    assert pool.vouched().tolist() == [25]
    assert (pool[3].state, pool[3].reason) == ("quarantined", "a cat")
    assert [record.state for record in pool].count("kept") == len(pool) - 3
    counts = pool.counts()
    assert (counts["left"].quarantined, counts["right"].quarantined) == (2, 1)


def test_old_pool_is_read_without_being_changed(old: Pool) -> None:
    before = (old.path / "index.sqlite3").read_bytes()
    check_verdicts(old)
    found = old.verify()
    assert (found.sound, found.n_unsummed) == (True, 30)
    old._index.close()
    assert (old.path / "index.sqlite3").read_bytes() == before


def test_old_pool_is_the_present_one_after_the_first_change(old: Pool) -> None:
    reader = Pool(old.path)
    check_verdicts(reader)
    assert old.quarantine([7], "a cat") == 1
    assert version_of(old) == VERSION
    old.release([7])
    check_verdicts(old)
    check_verdicts(reader)  # which was opened before
    assert old.verify().sound


def test_what_is_added_to_an_old_pool_has_checksums(
    old: Pool, some: Callable[..., Iterator[Incoming]]
) -> None:
    old.add(some(40, 45, "more"))
    found = old.verify()
    assert (found.sound, found.images, found.n_unsummed) == (True, 35, 30)
    check_verdicts(old)


def test_repair_writes_the_checksums_that_were_never_written(old: Pool) -> None:
    assert old.verify(repair=True).n_unsummed == 30
    assert old.verify().n_unsummed == 0
    (path,) = old.path.glob("embeddings/*/last.npy")
    with open(path, "r+b") as file:
        file.seek(128 + 11 * 48 * 2)
        file.write(np.float16(0.5).tobytes())
    assert [problem.row for problem in old.verify().problems] == [11]


def test_change_that_fails_leaves_an_old_pool_as_it_was(old: Pool) -> None:
    def fail_midway() -> None:
        with old._index.transaction() as connection:
            connection.execute("DELETE FROM verdicts")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    assert version_of(old) == 1
    check_verdicts(old)


@pytest.mark.skipif(os.name != "posix", reason="files are read-only in another way here")
def test_old_pool_that_may_only_be_read_is_read(old: Pool) -> None:
    old._index.close()
    files = [old.path, old.path / "index.sqlite3"]
    for path in files:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        check_verdicts(Pool(old.path))
    finally:
        for path in files:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_pool_of_version_2_is_read_and_upgraded(
    pool: Pool, some: Callable[..., Iterator[Incoming]]
) -> None:
    old = made_old(pool, TO_VERSION_2)
    check_verdicts(old)
    assert old.verify().sound
    assert version_of(old) == 2
    old.add(some(40, 42, "left"))
    assert version_of(old) == VERSION
    assert old.quarantine([0, 19, 20, 29, 31], "a cat") == 5
    assert old.rows("left", "quarantined").tolist() == [0, 3, 4, 19, 31]
    assert old.rows("right", "quarantined").tolist() == [20, 26, 29]
    assert old.verify().sound
