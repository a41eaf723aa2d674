from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from outgroup import Pool
from outgroup.pool import Incoming
from outgroup.pool.shards import Place, Shards, sample_key


def test_shards_are_tar_files_of_pairs(pool: Pool) -> None:
    (path,) = pool.path.glob("shards/*.tar")
    with tarfile.open(path, "r:") as tar:
        names = tar.getnames()
        assert names[:2] == ["000000000.json", "000000000.jpg"]
        assert len(names) == 60
        for row in (0, 29):
            jpeg = tar.extractfile(f"{sample_key(row)}.jpg")
            about = tar.extractfile(f"{sample_key(row)}.json")
            assert jpeg is not None
            assert about is not None
            assert jpeg.read() == pool.encoded([row])[0]
            data = json.load(about)
            record = pool[row]
            assert (data["row"], data["source"], data["origin"], data["digest"]) == (
                row,
                record.source,
                record.origin,
                record.digest,
            )
            assert int(data["fingerprint"], 16) == record.fingerprint


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves it open
def test_webdataset_reads_a_shard(pool: Pool) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    (path,) = pool.path.glob("shards/*.tar")
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False).decode("pil"))
    assert len(samples) == 30
    for row, sample in enumerate(samples):
        assert sample["__key__"] == sample_key(row)
        assert sample["json"]["row"] == row
        assert sample["jpg"].size == pool.images([row])[0].size


def test_a_full_shard_is_followed_by_another_wherever_batches_end(tmp_path: Path) -> None:
    data = [bytes([i]) * (300 * i + 1) for i in range(40)]

    def written(name: str, batch: int) -> list[Place]:
        shards = Shards(tmp_path / name, shard_bytes=20_000)
        shards.recover(None)
        places = []
        for i, image in enumerate(data):
            places.append(shards.add(sample_key(i), image, b"{}"))
            if i % batch == 0:
                shards.write()
        shards.write()
        assert [shards.read(place) for place in places] == data
        return places

    assert written("one", 1) == written("seven", 7) == written("all", 100)
    names = [path.name for path in sorted((tmp_path / "one").iterdir())]
    assert names == [f"{i:06d}.tar" for i in range(len(names))]
    assert len(names) > 5
    for name in names:
        one = (tmp_path / "one" / name).read_bytes()
        assert one == (tmp_path / "seven" / name).read_bytes()
        assert one == (tmp_path / "all" / name).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(one)) as tar:
            assert len(tar.getnames()) % 2 == 0


def test_shards_of_a_pool_go_on_where_the_last_ended(
    new_pool: Callable[..., Pool],
    some: Callable[..., Iterator[Incoming]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def small_shards(folder: Path) -> Shards:
        return Shards(folder, shard_bytes=10_000)

    monkeypatch.setattr("outgroup.pool.pool.Shards", small_shards)
    whole, parts = new_pool("whole"), new_pool("parts")
    whole.add(some(0, 40))
    for stop in (7, 8, 25, 40):
        parts.add(some(0, stop), batch=3)
    shards = sorted((whole.path / "shards").iterdir())
    assert len(shards) > 4
    for path in shards:
        assert path.read_bytes() == (parts.path / "shards" / path.name).read_bytes()
    assert parts.verify().n_problems == 0
