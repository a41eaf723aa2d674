"""Read the images of tar and zip archives, without unpacking anything onto the disk.

Shards of WebDataset are tar archives with sidecar files: the "source" and "group" that ``KEY.json``
names are those of the images of this key.
"""

from __future__ import annotations

import bz2
import gzip
import importlib
import json
import lzma
import posixpath
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from outgroup.data.folders import is_hidden
from outgroup.data.values import file_name_text
from outgroup.errors import InvalidParameterError
from outgroup.images import MAX_BYTES
from outgroup.pool.records import Incoming
from outgroup.pool.source_log import TOO_LARGE, SourceLog


@dataclass(frozen=True)
class StoredFile:
    """A file, local or remote."""

    path: str
    source: str
    opener: Callable[[], BinaryIO]
    folder: str | None = None


class DamagedError(Exception):
    """A damaged archive."""


class DamagedMemberError(DamagedError):
    """A damaged member of an archive whose other members can be read."""


#: Endings of sidecar files; only "json" is read.
SIDECARS = {
    *("json", "jsn", "txt", "text", "caption", "transcript", "cls", "cls2", "index", "inx", "id"),
    *("npy", "npz", "pyd", "pickle", "pkl", "pth", "pt", "ten", "tb", "mp", "msg", "msgpack"),
    *("cbor", "bbox"),
}
MAX_SIDECAR = 1 << 20

#: Images are held back until their sample ends, up to this number and these bytes.
MAX_HELD, MAX_HELD_BYTES = 16, 64 << 20


class _Entry(NamedTuple):
    """A file of an archive; `skip` is why it can't be read, empty for a folder."""

    name: str
    size: int
    skip: str | None
    read: Callable[[], bytes]


@dataclass
class _Sample:
    """The files of one key, the path up to the first dot of a file's name: images, sidecars."""

    file: StoredFile
    log: SourceLog
    key: str = ""
    images: list[tuple[str, bytes]] = field(default_factory=list)
    sidecars: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    is_empty: bool = True

    def add(self, entry: _Entry, name: str, ending: str) -> None:
        if ending not in SIDECARS:
            self.images.append((name, entry.read()))
            return
        self.sidecars.append(name)
        if ending != "json":
            return
        path = f"{self.file.path}!{name}"
        if entry.size > MAX_SIDECAR:
            self.log.skip(path, "a JSON file too large to describe one image")
            return
        try:
            found = json.loads(entry.read())
        except (ValueError, RecursionError):
            self.log.skip(path, "not valid JSON, so that what it says of its image is unknown")
            return
        self.facts.update(found if isinstance(found, dict) else {})

    def is_full(self) -> bool:
        held = sum(len(image) for _, image in self.images)
        return len(self.images) >= MAX_HELD or held >= MAX_HELD_BYTES

    def release(self) -> Iterator[Incoming]:
        source, group = _fact(self.facts, "source"), _fact(self.facts, "group")
        for name, image in self.images:
            collection = source or _outermost_folder(name, self.file.path) or self.file.source
            yield Incoming(image, collection, f"{file_name_text(self.file.path)}!{name}", group)
            self.is_empty = False
        self.images.clear()

    def finish(self) -> Iterator[Incoming]:
        yield from self.release()
        if self.is_empty:
            for name in self.sidecars:
                self.log.skip(f"{self.file.path}!{name}", "a sidecar file without an image")


def _images(entries: Iterator[_Entry], file: StoredFile, log: SourceLog) -> Iterator[Incoming]:
    sample = _Sample(file, log)
    try:
        for entry in entries:
            parts = file_name_text(entry.name).replace("\\", "/").split("/")
            parts = [part for part in parts if part not in ("", ".")]
            name = "/".join(parts)
            if entry.skip == "":
                continue
            reason = entry.skip
            if reason is None and any(map(is_hidden, parts)):
                reason = "a hidden or system file"
            if reason is None and not 0 < entry.size <= MAX_BYTES:
                reason = TOO_LARGE if entry.size else "an empty file"
            if reason is not None:
                log.skip(f"{file.path}!{name}", reason)
                continue
            key, ending = _key(name)
            if key != sample.key:
                yield from sample.finish()
                sample = _Sample(file, log, key)
            try:
                sample.add(entry, name, ending)
            except DamagedMemberError as error:
                log.damage(f"{file.path}!{name}", error)
            if sample.is_full():
                yield from sample.release()
    except Exception:  # the archive is damaged; the images that are held back are whole
        yield from sample.release()
        raise
    yield from sample.finish()


def _key(name: str) -> tuple[str, str]:
    """Return key and ending: 'zoo.d/0001' and 'png' for "zoo.d/0001.seg.PNG"."""
    folder, base = posixpath.split(name)
    stem, _, endings = base.partition(".")
    return posixpath.join(folder, stem), endings.rpartition(".")[2].lower()


def _outermost_folder(name: str, archive: str) -> str | None:
    """Return the outermost folder, apart from one that is named like the archive."""
    folders = name.split("/")[:-1]
    if folders and folders[0] == _key(posixpath.basename(archive.replace("\\", "/")))[0]:
        folders = folders[1:]
    return folders[0] if folders else None


def _fact(facts: dict[str, Any], name: str) -> str | None:
    value = facts.get(name)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value).strip() or None
    return None


# Tar. `tarfile.open` would keep a record of every member, take a damaged or cut archive for one
# that ends there, and read long names into memory whatever their size. The formats: IEEE Std
# 1003.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual.

BLOCK, CHUNK = tarfile.BLOCKSIZE, 1 << 20
MAX_EXTENSION = 1 << 20  # bytes of a header's long name or pax records
MAX_TAIL = 64 << 20  # bytes that are read behind the end, which checks a compressed file's checksum

_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_EXTENSIONS = (*_PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


def _open_zstd(file: BinaryIO) -> Any:
    try:
        return importlib.import_module("compression.zstd").open(file, "rb")
    except ImportError as error:
        raise InvalidParameterError(
            "A tar archive compressed with zstd can be read with Python 3.14 or newer. Decompress "
            "it first: zstd -d FILE.tar.zst"
        ) from error


#: First bytes of compressed files, and what opens them. All of these raise if the file is cut.
_COMPRESSIONS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": _open_zstd,
}


def read_tar(file: StoredFile, log: SourceLog) -> Iterator[Incoming]:
    """Yield the images of a tar archive, from the first to the last."""
    with ExitStack() as stack:
        stream: Any = stack.enter_context(file.opener())
        start = stream.read(6)
        stream.seek(0)
        for signature, opened in _COMPRESSIONS.items():
            if start.startswith(signature):
                stream = stack.enter_context(opened(stream))
        yield from _images(_tar_entries(_TarStream(stream)), file, log)


class _TarStream:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.left = 0  # bytes of the current entry

    def read(self, count: int) -> bytes:
        parts = []
        while count and (part := self._stream.read(min(count, CHUNK))):
            parts.append(part)
            count -= len(part)
        if count:
            raise DamagedError("the archive breaks off there; it was not copied in full")
        return b"".join(parts)

    def skip(self, count: int) -> None:
        while count:
            count -= len(self.read(min(count, CHUNK)))

    def read_entry(self) -> bytes:
        data, self.left = self.read(self.left), 0
        return data

    def check_tail(self) -> None:
        left = MAX_TAIL
        while left > 0 and (part := self._stream.read(CHUNK)):
            left -= len(part)
            if part.count(0) != len(part):
                raise DamagedError("there is more behind the end of the archive")


def _tar_entries(stream: _TarStream) -> Iterator[_Entry]:
    """Yield the files of a tar archive; each can be read until the next is asked for."""
    records: dict[str, str] = {}  # what extension headers say of the next file
    while (header := stream.read(BLOCK)).count(0) < BLOCK:
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise DamagedError(f"a header in the archive is damaged ({error})") from error
        if info.type in _EXTENSIONS:
            if not 0 <= info.size <= MAX_EXTENSION:
                raise DamagedError(f"a header in the archive claims {info.size:,} bytes")
            data = stream.read(info.size)
            stream.skip(-info.size % BLOCK)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                records["path"] = data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
            elif info.type in _PAX:
                records.update(_pax_records(data))
            continue
        size = _number(records["size"]) if "size" in records else info.size
        skip = None if info.isreg() else "" if info.isdir() else "not a regular file"
        if skip is None and any(key.startswith("GNU.sparse") for key in records):
            skip = "not a regular file"
        if info.type == tarfile.GNUTYPE_SPARSE:
            skip, more = "not a regular file", header[482]  # whether the map goes on in a block
            while more:
                more = stream.read(BLOCK)[504]
        # Links, devices and folders have no data, whatever size their headers claim.
        has_data = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
        stream.left = size if has_data else 0
        if stream.left < 0:
            raise DamagedError("a header in the archive claims a negative size")
        padding = -stream.left % BLOCK
        yield _Entry(records.get("path", info.name), size, skip, stream.read_entry)
        stream.skip(stream.left + padding)
        records = {}
    stream.check_tail()


def _pax_records(data: bytes) -> dict[str, str]:
    """Return the records of a pax header: length, space, key, ``=``, value, newline."""
    records = {}
    while data.strip(b"\0"):
        length = _number(data.partition(b" ")[0].decode("ascii", "replace"))
        key, equals, value = data[:length].partition(b" ")[2].rstrip(b"\n").partition(b"=")
        if not 5 <= length <= len(data) or not equals:
            raise DamagedError("a pax header in the archive is damaged")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return records


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise DamagedError(f"a header in the archive has {text[:20]!r} for a number") from error


# Zip. The directory is held in memory, about 0.6 kB a member: members can't be found without it.

_ENCRYPTED = 0x1
_UNIX = 3
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def read_zip(file: StoredFile, log: SourceLog) -> Iterator[Incoming]:
    """Yield the images of a zip archive, in the order of its directory."""
    with file.opener() as stored:
        try:
            archive = zipfile.ZipFile(stored)
        except zipfile.BadZipFile as error:
            raise DamagedError(
                "the archive has no directory at its end; it was not copied in full, or is not a "
                "zip archive"
            ) from error
        with archive:
            entries = (
                _Entry(
                    info.filename, info.file_size, _zip_skip(info), partial(_unzip, archive, info)
                )
                for info in archive.infolist()
            )
            yield from _images(entries, file, log)


def _unzip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as member:
            return member.read(MAX_BYTES + 1)
    except Exception as error:  # of zlib, lzma, zipfile, the system
        raise DamagedMemberError(str(error) or type(error).__name__) from error


def _zip_skip(info: zipfile.ZipInfo) -> str | None:
    if info.is_dir():
        return ""
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "not a regular file"
    if info.flag_bits & _ENCRYPTED:
        return "encrypted; unpack the archive with its password first"
    if info.compress_type not in _METHODS:
        return "compressed by a method that Python can't read; unpack the archive first"
    return None
