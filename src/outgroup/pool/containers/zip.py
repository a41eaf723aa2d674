"""Zip archives."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from functools import partial

from outgroup.images import MAX_BYTES
from outgroup.pool.containers._members import ArchiveFile, members
from outgroup.pool.containers.base import (
    CONTAINERS,
    Container,
    DamagedError,
    DamagedMemberError,
    Log,
    Member,
    StoredFile,
)

ENCRYPTED = 0x1
UNIX = 3
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@CONTAINERS.register("zip")
class ZipContainer(Container):
    """A zip archive.

    Its directory is held in memory, as its members can't be found without: about 0.6 kB a member.
    """

    suffixes = (".zip",)

    @classmethod
    def read(cls, file: StoredFile, log: Log, column: str | None = None) -> Iterator[Member]:
        """Yield the images among the members, in the order of the archive's directory."""
        with file.opener() as stored:
            try:
                archive = zipfile.ZipFile(stored)
            except zipfile.BadZipFile as error:
                raise DamagedError(
                    "the archive has no directory at its end; it was not copied in full, or is no "
                    "zip archive"
                ) from error
            with archive:
                yield from members(_entries(archive), file.path, log)


def _entries(archive: zipfile.ZipFile) -> Iterator[ArchiveFile]:
    for info in archive.infolist():
        read = partial(_read, archive, info)
        yield ArchiveFile(info.filename, info.file_size, _unusable(info), read)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(info) as member:
            return member.read(MAX_BYTES + 1)
    except Exception as error:  # of zlib, lzma, zipfile, the system
        raise DamagedMemberError(str(error) or type(error).__name__) from error


def _unusable(info: zipfile.ZipInfo) -> str | None:
    if info.is_dir():
        return ""
    mode = info.external_attr >> 16 if info.create_system == UNIX else 0
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "not a regular file"
    if info.flag_bits & ENCRYPTED:
        return "encrypted; unpack the archive with its password first"
    if info.compress_type not in READABLE:
        return "compressed in a way that Python can't read; unpack the archive first"
    return None
