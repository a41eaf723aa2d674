"""Entries of a tar archive, from a stream that is read once and kept nowhere.

Not `tarfile.open`: it keeps a record of every member, and takes an archive that was cut between two
members, or whose next header is damaged, for one that ends there. Here an archive ends with the
block of zeros that says so, or is damaged.

Formats: V7, ustar, GNU (long names, large sizes) and pax. Sparse files are left out.

Reference: IEEE Std 1003.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format";
GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from outgroup.pool.containers._members import ArchiveFile
from outgroup.pool.containers.base import DamagedError

BLOCK = 512

#: More than any name or header has; it is held in memory.
MAX_EXTENSION = 1 << 20

#: Read behind the end of the archive, so that the checksum of a compressed file is looked at.
MAX_TAIL = 64 << 20

CHUNK = 1 << 20

# Where a header, and a block of the map behind it, says that more of the map follows.
SPARSE_GOES_ON, SPARSE_MAP_GOES_ON = 482, 504

LONG_NAME, LONG_LINK, SPARSE = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, b"S"
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)


def tar_entries(stream: BinaryIO) -> Iterator[ArchiveFile]:
    """Yield the entries of an archive; each can be read until the next is asked for.

    Raises
    ------
    DamagedError
        If the archive is cut off, or a header is damaged. What was read before is whole.
    """
    reader = _Reader(stream)
    said: dict[str, str] = {}  # about the entry that comes next
    while (info := reader.header()) is not None:
        if info.type == LONG_NAME:
            said["path"] = _name(reader.extension(info.size))
        elif info.type in PAX:
            said.update(_pax(reader.extension(info.size)))
        elif info.type in (LONG_LINK, tarfile.XGLTYPE):
            reader.extension(info.size)
        else:
            yield from _entry(reader, info, said)
            said = {}
    reader.tail()


def _entry(reader: _Reader, info: tarfile.TarInfo, said: dict[str, str]) -> Iterator[ArchiveFile]:
    size = _number(said["size"]) if "size" in said else info.size
    sparse = info.type == SPARSE or any(key.startswith("GNU.sparse") for key in said)
    if info.type == SPARSE:
        reader.skip_sparse_map()
    # Only these have data behind the header, whatever size the header of another states.
    reader.open_entry(size if info.isreg() or info.type not in tarfile.SUPPORTED_TYPES else 0)
    unusable = None
    if info.isdir():
        unusable = ""
    elif sparse or not info.isreg():
        unusable = "not a regular file"
    yield ArchiveFile(said.get("path", info.name), size, unusable, reader.read_entry)
    reader.close_entry()


class _Reader:
    """A stream by blocks, with one entry open at most."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = self._padding = 0
        self._header = b""

    def header(self) -> tarfile.TarInfo | None:
        """Return the next header, or None at the end mark."""
        self._header = self.exactly(BLOCK)
        if self._header.count(0) == BLOCK:
            return None
        try:
            return tarfile.TarInfo.frombuf(self._header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise DamagedError(f"a header in the archive is damaged ({error})") from error

    def exactly(self, count: int) -> bytes:
        parts = []
        while count and (part := self._stream.read(min(count, CHUNK))):
            parts.append(part)
            count -= len(part)
        if count:
            raise DamagedError("the archive breaks off there; it was not copied in full")
        return b"".join(parts)

    def extension(self, size: int) -> bytes:
        if not 0 <= size <= MAX_EXTENSION:
            raise DamagedError(f"a header in the archive claims {size:,} bytes")
        data = self.exactly(size)
        self.exactly(-size % BLOCK)
        return data

    def open_entry(self, size: int) -> None:
        if size < 0:
            raise DamagedError("a header in the archive claims a negative size")
        self._left, self._padding = size, -size % BLOCK

    def read_entry(self) -> bytes:
        data = self.exactly(self._left)
        self._left = 0
        return data

    def close_entry(self) -> None:
        left = self._left + self._padding
        while left:
            left -= len(self.exactly(min(left, CHUNK)))
        self._left = self._padding = 0

    def skip_sparse_map(self) -> None:
        more = self._header[SPARSE_GOES_ON]
        while more:
            more = self.exactly(BLOCK)[SPARSE_MAP_GOES_ON]

    def tail(self) -> None:
        left = MAX_TAIL
        while left > 0 and (part := self._stream.read(CHUNK)):
            left -= len(part)
            if part.count(0) != len(part):
                raise DamagedError("there is more behind the end of the archive")


def _name(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _pax(data: bytes) -> dict[str, str]:
    """Return the records of a pax header: its own length, a space, key, ``=``, value, newline."""
    records = {}
    while data.strip(b"\0"):
        length = _number(data.partition(b" ")[0].decode("ascii", "replace"))
        key, equals, value = data[:length].partition(b" ")[2].rstrip(b"\n").partition(b"=")
        if length < 5 or length > len(data) or not equals:
            raise DamagedError("a pax header in the archive is damaged")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return records


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise DamagedError(f"a header in the archive has {text[:20]!r} for a number") from error
