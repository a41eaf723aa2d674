from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from outgroup import Pool
from outgroup.images import Preprocessing, load_image
from outgroup.pool import Incoming
from outgroup.pool.storage import Place, Shards, StoredForm, sample_key

LITE0 = Preprocessing()


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

    monkeypatch.setattr("outgroup.pool.reader.Shards", small_shards)
    whole, parts = new_pool("whole"), new_pool("parts")
    whole.add(some(0, 40))
    for stop in (7, 8, 25, 40):
        parts.add(some(0, stop), batch=3)
    shards = sorted((whole.path / "shards").iterdir())
    assert len(shards) > 4
    for path in shards:
        assert path.read_bytes() == (parts.path / "shards" / path.name).read_bytes()
    assert parts.verify().n_problems == 0


def grain(width: int, height: int) -> Image.Image:
    """A picture with detail of all sizes."""
    rng = np.random.default_rng(width * height)
    field = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    pixels = np.asarray(field.resize((width, height), Image.Resampling.BICUBIC), float)
    pixels += rng.normal(0, 25, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "size", [(640, 480), (481, 640), (1000, 301), (257, 256), (256, 999), (777, 775), (513, 320)]
)
def test_network_sees_the_same_pixels_as_in_the_original(size: tuple[int, int]) -> None:
    image = grain(*size)
    small = StoredForm.for_network(LITE0).shrink(image)
    assert min(small.size) == 256
    assert max(small.size) <= 320
    before = load_image(image, LITE0).astype(int)
    after = load_image(small, LITE0).astype(int)
    assert np.abs(before - after).max() <= 1


@pytest.mark.parametrize("size", [(100, 80), (80, 300), (227, 227), (200, 1000)])
def test_small_image_is_not_enlarged(size: tuple[int, int], bag: SimpleNamespace) -> None:
    image = bag.picture(1, *size)
    small = StoredForm.for_network(LITE0).shrink(image)
    assert small.size == (min(size[0], 320), min(size[1], 320))
    if small.size == image.size:
        assert small is image
    before = load_image(image, LITE0).astype(int)
    after = load_image(small, LITE0).astype(int)
    assert np.abs(before - after).mean() < 2


def test_network_that_squeezes_sees_the_same_shape() -> None:
    squeeze = Preprocessing(resize=224, keep_aspect=False)
    form = StoredForm.for_network(squeeze)
    image = grain(1200, 400)
    small = form.shrink(image)
    assert small.size == (320, 106)
    before = load_image(image, squeeze).astype(float)
    after = load_image(small, squeeze).astype(float)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9


def test_large_networks_get_larger_images() -> None:
    assert StoredForm.for_network(Preprocessing(resize=288, crop=288)).shorter == 288
    assert StoredForm.for_network(Preprocessing(resize=512, crop=512)).shorter == 320
    assert StoredForm.for_network(Preprocessing(resize=64, crop=64)).shorter == 256


def test_encoding_is_the_same_every_time_and_close_to_the_image() -> None:
    form = StoredForm()
    image = form.shrink(grain(640, 480))
    data = form.encode(image)
    assert data == form.encode(image.copy())
    decoded = np.asarray(Image.open(io.BytesIO(data)), float)
    assert np.abs(decoded - np.asarray(image, float)).mean() < 5
