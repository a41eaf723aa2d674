"""Zip archives, whole and damaged."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from outgroup.errors import PoolSourceError
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


def write(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
def test_members_come_in_the_order_of_the_directory(
    tmp_path: Path, png: PNG, compression: int
) -> None:
    files = {f"b/{i}.png": png(i) for i in (3, 1, 2)} | {"top.png": png(9)}
    path = write(tmp_path / "all.zip", files, compression)
    source = open_source(path)
    assert [i.image for i in source] == list(files.values())
    assert [i.source for i in source] == ["b", "b", "b", "all"]
    assert [i.origin for i in source] == [f"{path}!{name}" for name in files]


def test_junk_folders_and_links_are_left_out(tmp_path: Path, png: PNG) -> None:
    path = write(
        tmp_path / "a.zip",
        {"folder/": b"", "folder/1.png": png(1), "__MACOSX/._1.png": b"x", "folder/2.png": b""},
    )
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    source = open_source(path)
    assert [i.image for i in source] == [png(1)]
    assert source.skipped_reasons == {
        "a hidden or system file": 1,
        "an empty file": 1,
        "not a regular file": 1,
    }


def test_encrypted_member_is_left_out_with_the_fix(tmp_path: Path, png: PNG) -> None:
    path = write(tmp_path / "a.zip", {"1.png": png(1), "2.png": png(2)}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02"))
    data[entry + 8] |= 1
    path.write_bytes(bytes(data))
    source = open_source(path)
    assert [i.image for i in source] == [png(2)]
    assert "with its password" in source.skipped[0].reason


def test_damaged_member_costs_one_image_and_is_told_at_the_end(tmp_path: Path, png: PNG) -> None:
    files = {f"{i}.png": png(i) for i in range(5)}
    path = write(tmp_path / "a.zip", files, zipfile.ZIP_STORED)
    data = path.read_bytes()
    where = data.index(png(2)) + 60
    path.write_bytes(data[:where] + bytes([data[where] ^ 0xFF]) + data[where + 1 :])
    source = open_source(path)
    read = []
    with pytest.raises(PoolSourceError, match=r"gave 4 images.*a\.zip!2\.png: Bad CRC-32"):
        read.extend(source)
    assert [i.image for i in read] == [png(i) for i in (0, 1, 3, 4)]


def test_damage_in_what_is_left_out_anyway_is_none(tmp_path: Path, png: PNG) -> None:
    path = write(
        tmp_path / "a.zip", {"__MACOSX/._1.png": png(2), "1.png": png(1)}, zipfile.ZIP_STORED
    )
    data = path.read_bytes()
    where = data.index(png(2)) + 60
    path.write_bytes(data[:where] + bytes([data[where] ^ 0xFF]) + data[where + 1 :])
    assert [i.image for i in open_source(path)] == [png(1)]


def test_cut_archive_is_damage(tmp_path: Path, png: PNG) -> None:
    path = write(tmp_path / "a.zip", {f"{i}.png": png(i) for i in range(5)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(PoolSourceError, match="no directory at its end"):
        list(open_source(path))


def test_member_that_claims_too_much_is_left_out_unread(tmp_path: Path, png: PNG) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("bomb.png", "w") as member:
            for _ in range(260):
                member.write(bytes(1 << 20))
        archive.writestr("1.png", png(1))
    source = open_source(path)
    assert [i.image for i in source] == [png(1)]
    assert source.skipped[0].reason.startswith("more than the 268,435,456 bytes")


def test_json_beside_an_image_is_read_here_too(tmp_path: Path, png: PNG) -> None:
    path = write(tmp_path / "a.zip", {"1.png": png(1), "1.json": b'{"source": "sofas"}'})
    assert [i.source for i in open_source(path)] == ["sofas"]
