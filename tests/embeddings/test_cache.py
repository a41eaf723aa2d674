from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from outgroup.embeddings import CacheWarning, EmbeddingCache

DAY = 86_400


def vector(i: int, size: int = 100) -> np.ndarray:
    return np.random.default_rng(i).normal(size=size).astype(np.float32)


def fill(cache: EmbeddingCache, rows: range) -> None:
    for i in rows:
        cache.put(f"key {i}", vector(i))
    cache.flush()


def kept(cache: EmbeddingCache, rows: range) -> list[int]:
    """Return the rows that are there, after checking that each is right."""
    found = []
    for i in rows:
        row = cache.get(f"key {i}", 100)
        if row is not None:
            np.testing.assert_array_equal(row, vector(i))
            found.append(i)
    return found


def test_vectors_are_read_back_by_the_same_and_another_cache(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    fill(cache, range(300))
    cache.close()
    assert kept(cache, range(301)) == list(range(300))
    assert kept(EmbeddingCache(tmp_path), range(301)) == list(range(300))
    assert len(cache) == 300


def test_vector_of_another_size_is_no_match(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    fill(cache, range(1))
    assert cache.get("key 0", 99) is None


def test_default_folder_is_the_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTGROUP_CACHE", str(tmp_path / "new"))
    fill(EmbeddingCache(), range(3))
    assert len(EmbeddingCache(tmp_path / "new")) == 3


def test_rows_are_written_every_few_seconds_without_a_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = EmbeddingCache(tmp_path)
    cache.put("key 0", vector(0))
    assert len(cache) == 0
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 10)
    cache.put("key 1", vector(1))
    assert len(cache) == 2


def test_least_recently_used_rows_are_deleted_when_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time()
    limit = 160_000
    cache = EmbeddingCache(tmp_path, max_bytes=limit)
    fill(cache, range(200))
    monkeypatch.setattr(time, "time", lambda: start + 2 * DAY)
    assert kept(cache, range(50)) == list(range(50))
    cache.flush()
    monkeypatch.setattr(time, "time", lambda: start + 4 * DAY)
    fill(cache, range(200, 350))
    found = kept(cache, range(350))
    assert set(found) >= {*range(50), *range(200, 350)}
    assert len(found) < 350
    for i in range(4, 8):  # the file fills the space of deleted rows before it grows
        fill(cache, range(100 * i, 100 * i + 100))
    cache.close()
    assert cache.path.stat().st_size < 2 * limit


def test_limit_smaller_than_an_empty_file_keeps_nothing(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, max_bytes=1)
    fill(cache, range(20))
    assert len(cache) == 0


@pytest.mark.parametrize("content", [b"not a database" * 500, b"SQLite format 3\0" + bytes(9000)])
def test_foreign_file_is_begun_afresh_with_a_warning(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "embeddings.sqlite3").write_bytes(content)
    cache = EmbeddingCache(tmp_path)
    with pytest.warns(CacheWarning, match=r"was damaged .* begins afresh"):
        assert cache.get("key 0", 100) is None
    fill(cache, range(5))
    assert kept(EmbeddingCache(tmp_path), range(5)) == list(range(5))


def test_changed_bytes_lose_rows_and_never_give_a_wrong_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cache = EmbeddingCache(tmp_path)
    fill(cache, range(200))
    cache.close()
    whole = cache.path.read_bytes()
    for _ in range(30):
        damaged = bytearray(whole)
        start = int(rng.integers(0, len(whole) - 50))
        damaged[start : start + 50] = rng.bytes(50)
        cache.path.write_bytes(bytes(damaged))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CacheWarning)
            cache = EmbeddingCache(tmp_path)
            kept(cache, range(200))
            fill(cache, range(200))
            cache.close()


def test_file_damaged_again_and_again_is_given_up(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path)
    (tmp_path / "embeddings.sqlite3").write_bytes(b"x" * 5000)
    with pytest.warns(CacheWarning, match="begins afresh"):
        cache.get("key", 100)
    (tmp_path / "embeddings.sqlite3").write_bytes(b"x" * 5000)
    with pytest.warns(CacheWarning, match="can't be used"):
        cache.get("key", 100)
    assert len(cache) == 0


def test_unusable_folder_is_warned_about_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = EmbeddingCache(tmp_path / "file" / "folder")
    with pytest.warns(CacheWarning, match="can't be used"):
        fill(cache, range(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fill(cache, range(300))
        assert kept(cache, range(300)) == []
        cache.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of file sizes")
def test_full_disk_is_warned_about_once(tmp_path: Path) -> None:
    import resource

    cache = EmbeddingCache(tmp_path)
    fill(cache, range(100))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.warns(CacheWarning, match="can't be used") as caught:
            fill(cache, range(100, 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(caught) == 1
    assert set(kept(EmbeddingCache(tmp_path), range(1000))) >= set(range(100))


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    def write(worker: int) -> None:
        cache = EmbeddingCache(tmp_path)
        for i in range(worker * 50, worker * 50 + 100):
            fill(cache, range(i, i + 1))
        cache.close()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept(EmbeddingCache(tmp_path), range(250)) == list(range(250))


SLOW_RUN = """
import sys, time
from pathlib import Path
import numpy as np
from outgroup.backbones import Backbone
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.images import Preprocessing

class Slow(Backbone):
    name = digest = "slow"
    preprocessing = Preprocessing(resize=8, crop=8)
    layers = {"last": 3}
    licence = source = ""
    def run(self, images):
        time.sleep(0.005)
        return {"last": images.mean((1, 2)).astype(np.float32)}
    def model_bytes(self):
        return b""

images = (np.full((9, 9, 3), (i % 256, i // 256, 0), np.uint8) for i in range(60_000))
embedder = Embedder(Slow(), cache=EmbeddingCache(Path(sys.argv[1])), threads=2)
for table in embedder.stream(images, chunk=20):
    print(len(table), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_stopped_run_ends_at_once_and_keeps_its_rows(tmp_path: Path, name: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(15):
        process.stdout.readline()
    process.send_signal(getattr(signal, name))
    stopped = time.monotonic()
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - stopped < 2
    assert process.returncode != 0
    assert errors.count("Traceback") <= 1
    assert len(EmbeddingCache(tmp_path)) >= 128


@pytest.mark.parametrize("value", ["NULL", "7", "'text'", "zeroblob(3)"])
@pytest.mark.parametrize("column", ["used", "data"])
def test_row_of_other_types_is_no_match(tmp_path: Path, column: str, value: str) -> None:
    cache = EmbeddingCache(tmp_path)
    fill(cache, range(1))
    cache.close()
    connection = sqlite3.connect(cache.path)
    connection.execute(f"UPDATE embeddings_1 SET {column} = {value}")
    connection.commit()
    connection.close()
    assert kept(cache, range(1)) == ([0] if (column, value) == ("used", "7") else [])
