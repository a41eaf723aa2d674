"""Tar archives: formats, compressions, skipped members, and damage."""

from __future__ import annotations

import io
import sys
import tarfile
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from outgroup.errors import InvalidDataError, PoolSourceError
from outgroup.pool.archives import StoredFile, read_tar
from outgroup.pool.source_log import SourceLog
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_those_that_tarfile_wrote(make_tar, png: PNG, format: int) -> None:
    files = {f"folder{i % 2}/{'x' * (i % 7) * 10}/bild-{i}.png": png(i) for i in range(20)}
    if format != tarfile.USTAR_FORMAT:
        files |= {"folder0/" + "y" * 300 + ".png": png(30), "folder1/kätzchen.png": png(31)}
    path = make_tar("all.tar", files, format=format)
    read = list(open_source(path))
    assert [incoming.image for incoming in read] == list(files.values())
    assert [incoming.origin for incoming in read] == [
        f"{path}!{name.replace('//', '/')}" for name in files
    ]
    assert {incoming.source for incoming in read} == {"folder0", "folder1"}


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz"])
def test_compression_is_recognised_by_content(
    make_tar, png: PNG, tmp_path: Path, name: str
) -> None:
    files = {f"{i}.png": png(i) for i in range(5)}
    path = make_tar(name, files)
    assert [incoming.image for incoming in open_source(path)] == list(files.values())
    misnamed = path.rename(tmp_path / "misnamed.tar")
    assert [incoming.image for incoming in open_source(misnamed)] == list(files.values())


def test_error_for_zstd_names_the_python_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    path = tmp_path / "a.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    with pytest.raises(ValueError, match=r"Python 3\.14 or newer.*zstd -d"):
        list(open_source(path))


def test_folder_named_like_the_archive_is_not_a_source(make_tar, png: PNG) -> None:
    path = make_tar("trip.tar", {"trip/sofas/1.png": png(1), "trip/2.png": png(2)})
    assert [incoming.source for incoming in open_source(path)] == ["sofas", "trip"]
    assert {incoming.source for incoming in open_source(path, name="web")} == {"web"}


def test_other_members_are_skipped_with_reasons(tmp_path: Path, png: PNG) -> None:
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("folder", tarfile.DIRTYPE),
            ("link.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
            ("device.png", tarfile.CHRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in ("__MACOSX/._1.png", ".DS_Store", "a/Thumbs.db", "./a/1.png", "a/empty.png"):
            data = b"" if "empty" in name else png(1)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    source = open_source(path)
    assert [incoming.origin for incoming in source] == [f"{path}!a/1.png"]
    assert Counter(s.reason for s in source.skipped) == {
        "not a regular file": 4,
        "a hidden or system file": 3,
        "an empty file": 1,
    }
    assert source.skipped[0].path == f"{path}!link.png"


def test_member_that_claims_too_many_bytes_is_not_read_into_memory(
    tmp_path: Path, png: PNG
) -> None:
    """300 MB of zeros take 1.3 MB in the archive."""
    path = tmp_path / "bomb.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("bomb.png")
        info.size = 300 << 20
        archive.addfile(info, io.BufferedReader(Zeros(info.size)))
        info = tarfile.TarInfo("1.png")
        info.size = len(png(1))
        archive.addfile(info, io.BytesIO(png(1)))
    source = open_source(path)
    tracemalloc.start()
    read = list(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [incoming.origin for incoming in read] == [f"{path}!1.png"]
    assert source.skipped[0].reason.startswith("more than the 268,435,456 bytes")
    assert peak < 16 << 20


def test_header_that_claims_a_huge_name_is_damaged(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    path = tmp_path / "name.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(PoolSourceError, match="claims 1,099,511,627,776 bytes"):
        list(open_source(path))


def test_sparse_file_is_skipped_and_the_next_one_read(tmp_path: Path, png: PNG) -> None:
    sparse = tarfile.TarInfo("sparse.png")
    sparse.type, sparse.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1  # the map goes on in another block
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    image = tarfile.TarInfo("1.png")
    image.size = len(png(1))
    body = image.tobuf(tarfile.GNU_FORMAT) + png(1) + bytes(-len(png(1)) % 512)
    path = tmp_path / "sparse.tar"
    path.write_bytes(bytes(header) + bytes(512) + b"x" * 512 + body + bytes(1024))
    source = open_source(path)
    assert [incoming.image for incoming in source] == [png(1)]
    assert [s.reason for s in source.skipped] == ["not a regular file"]


@pytest.mark.parametrize("name", ["cut.tar", "cut.tar.gz", "cut.tar.xz", "cut.tar.bz2"])
def test_archive_that_is_cut_anywhere_is_damaged(make_tar, png: PNG, name: str) -> None:
    files = {f"{i}.png": png(i) for i in range(6)}
    path = make_tar(name, files)
    whole = path.read_bytes()
    end = len(whole)
    if name == "cut.tar":  # the zeros behind the first block of the end mark are padding
        end = max(i for i, byte in enumerate(whole) if byte) // 512 * 512 + 1024
    images = list(files.values())
    for cut in sorted({1, *range(0, end, max(1, end // 97)), end - 1} - {0}):
        path.write_bytes(whole[:cut])
        read = []
        with pytest.raises(PoolSourceError, match="can't be read in full"):
            read.extend(incoming.image for incoming in open_source(path))
        assert read == images[: len(read)]
    path.write_bytes(whole)
    assert len(list(open_source(path))) == 6


def test_error_for_damage_says_where_and_how_to_continue(make_tar, png: PNG) -> None:
    path = make_tar("cut.tar", {f"{i}.png": png(i, side=40) for i in range(3)})
    path.write_bytes(path.read_bytes()[:8000])
    with pytest.raises(PoolSourceError) as caught:
        list(open_source(path))
    message = str(caught.value)
    assert message.startswith(f"{path} can't be read in full: it gave 1 image")
    assert "breaks off there" in message
    assert "is kept" in message
    assert "read the source again" in message


def test_damaged_header_is_not_the_end_of_the_archive(make_tar, png: PNG) -> None:
    path = make_tar("bad.tar", {f"{i}.png": png(i) for i in range(3)})
    data = bytearray(path.read_bytes())
    second = data.index(b"1.png")
    data[second + 100] ^= 0xFF
    path.write_bytes(bytes(data))
    source = open_source(path)
    read = []
    with pytest.raises(PoolSourceError, match="header in the archive is damaged"):
        read.extend(source)
    assert [incoming.image for incoming in read] == [png(0)]


def test_wrong_checksum_of_gzip_is_damage(make_tar, png: PNG) -> None:
    path = make_tar("bad.tar.gz", {"1.png": png(1)})
    data = bytearray(path.read_bytes())
    data[-8] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(PoolSourceError, match="CRC check failed"):
        list(open_source(path))


def test_second_archive_behind_the_first_is_damage(make_tar, png: PNG, tmp_path: Path) -> None:
    first = make_tar("1.tar", {"1.png": png(1)})
    second = make_tar("2.tar", {"2.png": png(2)})
    both = tmp_path / "both.tar"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(PoolSourceError, match="more behind the end"):
        list(open_source(both))


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, bytes(1024)])
def test_other_content_and_empty_archives_are_errors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    kind = InvalidDataError if content == bytes(1024) else PoolSourceError
    with pytest.raises(kind, match=r"a\.tar"):
        list(open_source(path))


def test_pipe_is_not_opened(tmp_path: Path) -> None:
    import os

    path = tmp_path / "pipe.tar"
    os.mkfifo(path)
    with pytest.raises(PoolSourceError, match="not a regular file"):
        list(open_source(path))


class Zeros(io.RawIOBase):
    """A file of zeros."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def, override]
        count = min(len(buffer), self._left)
        buffer[:count] = bytes(count)
        self._left -= count
        return count


class Endless(io.RawIOBase):
    """A tar archive that is made while it is read."""

    def __init__(self, members: int, image: bytes) -> None:
        self._members, self._image = members, image
        self._made, self._ready = 0, b""

    def read(self, count: int = -1) -> bytes:
        while len(self._ready) < count and self._made <= self._members:
            if self._made == self._members:
                self._ready += bytes(1024)
            else:
                info = tarfile.TarInfo(f"{self._made % 50}/{self._made:08}.png")
                info.size = len(self._image)
                padding = bytes(-info.size % 512)
                self._ready += info.tobuf(tarfile.GNU_FORMAT) + self._image + padding
            self._made += 1
        part, self._ready = self._ready[:count], self._ready[count:]
        return part

    def seek(self, offset: int, whence: int = 0) -> int:
        assert offset == 0
        self._made, self._ready = 0, b""
        return 0


@pytest.mark.slow
def test_memory_does_not_grow_with_the_archive(png: PNG) -> None:
    image = png(0, side=24)

    def peak(members: int) -> int:
        file = StoredFile("endless.tar", "x", lambda: Endless(members, image))
        tracemalloc.start()
        count = sum(1 for _ in read_tar(file, SourceLog("endless.tar")))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == members
        return used

    few, many = peak(500), peak(10_000)
    assert many < few + 100_000  # a record of 100 bytes for each of them would be ten times that


def test_nothing_is_written_to_the_disk(make_tar, png: PNG, tmp_path: Path) -> None:
    path = make_tar("up.tar", {"../../escape.png": png(1), "/abs.png": png(2), "a.png": png(3)})
    before = sorted(tmp_path.parent.rglob("*"))
    images = [incoming.image for incoming in open_source(path)]
    assert png(3) in images
    assert sorted(tmp_path.parent.rglob("*")) == before
