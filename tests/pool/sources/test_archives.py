"""Zip archives, shards of WebDataset, and files with random damage."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError, OutgroupError, PoolSourceError
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


def write_zip(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
def test_members_of_a_zip_archive_are_read_in_the_order_of_its_directory(
    tmp_path: Path, png: PNG, compression: int
) -> None:
    files = {f"b/{i}.png": png(i) for i in (3, 1, 2)} | {"top.png": png(9)}
    path = write_zip(tmp_path / "all.zip", files, compression)
    source = open_source(path)
    assert [i.image for i in source] == list(files.values())
    assert [i.source for i in source] == ["b", "b", "b", "all"]
    assert [i.origin for i in source] == [f"{path}!{name}" for name in files]


def test_system_files_empty_files_and_links_are_skipped(tmp_path: Path, png: PNG) -> None:
    path = write_zip(
        tmp_path / "a.zip",
        {"folder/": b"", "folder/1.png": png(1), "__MACOSX/._1.png": b"x", "folder/2.png": b""},
    )
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    source = open_source(path)
    assert [i.image for i in source] == [png(1)]
    assert sorted(s.reason for s in source.skipped) == [
        "a hidden or system file",
        "an empty file",
        "not a regular file",
    ]


def test_encrypted_member_is_skipped_with_advice(tmp_path: Path, png: PNG) -> None:
    path = write_zip(tmp_path / "a.zip", {"1.png": png(1), "2.png": png(2)}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02"))
    data[entry + 8] |= 1
    path.write_bytes(bytes(data))
    source = open_source(path)
    assert [i.image for i in source] == [png(2)]
    assert "with its password" in source.skipped[0].reason


def test_damaged_zip_member_costs_one_image_and_an_error_at_the_end(
    tmp_path: Path, png: PNG
) -> None:
    files = {f"{i}.png": png(i) for i in range(5)}
    path = write_zip(tmp_path / "a.zip", files, zipfile.ZIP_STORED)
    data = path.read_bytes()
    where = data.index(png(2)) + 60
    path.write_bytes(data[:where] + bytes([data[where] ^ 0xFF]) + data[where + 1 :])
    source = open_source(path)
    read = []
    with pytest.raises(PoolSourceError, match=r"gave 4 images.*a\.zip!2\.png: Bad CRC-32"):
        read.extend(source)
    assert [i.image for i in read] == [png(i) for i in (0, 1, 3, 4)]


def test_damage_in_a_skipped_member_is_ignored(tmp_path: Path, png: PNG) -> None:
    path = write_zip(
        tmp_path / "a.zip", {"__MACOSX/._1.png": png(2), "1.png": png(1)}, zipfile.ZIP_STORED
    )
    data = path.read_bytes()
    where = data.index(png(2)) + 60
    path.write_bytes(data[:where] + bytes([data[where] ^ 0xFF]) + data[where + 1 :])
    assert [i.image for i in open_source(path)] == [png(1)]


def test_zip_archive_without_its_directory_is_damaged(tmp_path: Path, png: PNG) -> None:
    path = write_zip(tmp_path / "a.zip", {f"{i}.png": png(i) for i in range(5)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(PoolSourceError, match="no directory at its end"):
        list(open_source(path))


def test_zip_member_that_claims_too_many_bytes_is_skipped_unread(tmp_path: Path, png: PNG) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("bomb.png", "w") as member:
            for _ in range(260):
                member.write(bytes(1 << 20))
        archive.writestr("1.png", png(1))
    source = open_source(path)
    assert [i.image for i in source] == [png(1)]
    assert source.skipped[0].reason.startswith("more than the 268,435,456 bytes")


def test_sidecar_in_a_zip_archive_is_read(tmp_path: Path, png: PNG) -> None:
    path = write_zip(tmp_path / "a.zip", {"1.png": png(1), "1.json": b'{"source": "sofas"}'})
    assert [i.source for i in open_source(path)] == ["sofas"]


# WebDataset


def sample(key: str, png: bytes, **said: object) -> dict[str, bytes]:
    return {f"{key}.png": png, f"{key}.json": json.dumps(said).encode(), f"{key}.cls": b"7"}


def test_sidecar_tells_source_and_group(make_tar, png: PNG) -> None:
    path = make_tar(
        "shard.tar",
        {
            **sample("0001", png(1), source="sofas", group="film 3", url="x"),
            **sample("0002", png(2), group=4, source=None),
            "0003.png": png(3),
            "0003.txt": b"a caption",
        },
    )
    source = open_source(path)
    assert [(i.source, i.group) for i in source] == [
        ("sofas", "film 3"),
        ("shard", "4"),
        ("shard", None),
    ]
    assert source.n_skipped == 0


def test_sidecar_may_come_before_its_images(make_tar, png: PNG) -> None:
    early = {"1.json": b'{"group": "g"}', "1.jpg": png(1), "1.seg.png": png(2)}
    read = list(open_source(make_tar("a.tar", early)))
    assert [(i.origin.rpartition("!")[2], i.group) for i in read] == [
        ("1.jpg", "g"),
        ("1.seg.png", "g"),
    ]


def test_image_with_an_invalid_sidecar_is_read(make_tar, png: PNG) -> None:
    source = open_source(
        make_tar(
            "a.tar",
            {
                "1.png": png(1),
                "1.json": b"{ not json",
                "2.png": png(2),
                "2.json": b"[" * 100_000,
                "3.png": png(3),
                "3.json": b'["a", "list"]',
                "4.json": b"{}",
            },
        )
    )
    assert [i.group for i in source] == [None, None, None]
    assert [s.reason.split(",")[0] for s in source.skipped] == [
        "not valid JSON",
        "not valid JSON",
        "a sidecar file without an image",
    ]


def test_number_of_images_that_are_held_back_is_bounded(make_tar, png: PNG) -> None:
    files = {f"film.{i:04}.png": png(i) for i in range(50)}
    stream = iter(open_source(make_tar("a.tar", files)))
    assert next(stream).image == png(0)
    assert [i.image for i in stream] == list(files.values())[1:]


def test_shards_are_one_collection_in_the_order_of_their_names(
    make_tar, png: PNG, tmp_path
) -> None:
    for shard in (2, 0, 1):
        make_tar(f"web-{shard:03}.tar", {f"{shard}{i}.png": png(10 * shard + i) for i in range(3)})
    source = open_source(f"{tmp_path}/web-{{000..002}}.tar")
    images = [png(10 * shard + i) for shard in range(3) for i in range(3)]
    assert [i.image for i in source] == images
    assert [i.image for i in source] == images
    assert {i.source for i in source} == {"web"}
    assert [i.image for i in open_source(f"{tmp_path}/web-*.tar")] == images
    assert len(list(open_source(f"{tmp_path}/web-{{000,002}}.tar"))) == 6


def test_missing_shard_is_an_error_before_anything_is_read(make_tar, png: PNG, tmp_path) -> None:
    make_tar("web-0.tar", {"1.png": png(1)})
    with pytest.raises(InvalidParameterError, match=r"2 of the 3 .* first '.*web-1\.tar'"):
        open_source(f"{tmp_path}/web-{{0..2}}.tar")


def test_broken_shard_costs_one_shard(make_tar, png: PNG, tmp_path) -> None:
    for shard in range(4):
        make_tar(f"web-{shard}.tar", {f"{shard}{i}.png": png(10 * shard + i) for i in range(3)})
    broken = tmp_path / "web-1.tar"
    broken.write_bytes(broken.read_bytes()[:700])
    source = open_source(f"{tmp_path}/web-{{0..3}}.tar")
    read = []
    with pytest.raises(PoolSourceError, match=r"gave 9 images, and a part.*web-1\.tar"):
        read.extend(source)
    assert len(read) == 9
    assert {i.image for i in read} == {png(10 * s + i) for s in (0, 2, 3) for i in range(3)}


def test_reading_stops_after_many_damaged_files_in_a_row(tmp_path) -> None:
    for shard in range(200):
        (tmp_path / f"web-{shard:03}.tar").write_bytes(b"gone")
    with pytest.raises(PoolSourceError, match=r"20 parts.*Reading stopped after 20"):
        list(open_source(f"{tmp_path}/web-{{000..199}}.tar"))


# Random damage


def mutated(data: bytes, seed: int) -> bytes:
    """Change a few bytes, and remove or insert a stretch."""
    rng = np.random.default_rng(seed)
    changed = bytearray(data)
    for where in rng.integers(0, len(changed), rng.integers(1, 6)):
        changed[where] = rng.integers(256)
    start, length = (int(v) for v in rng.integers(0, (len(changed), 700)))
    if seed % 3 == 0:
        del changed[start : start + length]
    elif seed % 3 == 1:
        changed[start:start] = rng.bytes(length)
    return bytes(changed)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "a.zip", "a.parquet"])
def test_random_damage_gives_images_and_an_error_of_this_package(
    make_tar, png: PNG, tmp_path: Path, name: str
) -> None:
    files = {f"folder/{'long' * 30}{i}.png": png(i) for i in range(4)}
    files["folder/1.json"] = b'{"group": "a"}'
    path = tmp_path / name
    if name == "a.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in files.items():
                archive.writestr(member, data)
    elif name == "a.parquet":
        pytest.importorskip("pyarrow", reason="pyarrow (extra hub) is not installed")
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.table({"image": [png(i) for i in range(4)]})
        pyarrow.parquet.write_table(table, path, row_group_size=2)
    else:
        make_tar(name, files)
    whole = path.read_bytes()
    damaged = 0
    for seed in range(250):
        path.write_bytes(mutated(whole, seed))
        read = []
        try:
            read.extend(open_source(path))
        except OutgroupError:
            damaged += 1
        assert len(read) <= 8
        assert all(isinstance(incoming.image, (bytes, str)) for incoming in read)
    assert damaged > 100
