"""Files of any kind, one after the other, as images."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO

from outgroup.data.values import file_name_text
from outgroup.errors import InvalidDataError, OutgroupError
from outgroup.images import MAX_BYTES
from outgroup.pool.containers import Container, Member, StoredFile, container_for
from outgroup.pool.incoming import Incoming
from outgroup.pool.sources._log import ReadingLog

#: Folders that say how a collection is laid out, and not what is in it.
LAYOUT_FOLDERS = frozenset(
    {"data", "default", "images", "train", "val", "valid", "validation", "test"}
)


def local_file(path: str, source: str) -> StoredFile:
    """Return a file of this machine."""
    return StoredFile(path, source, partial(_open_regular, path), os.path.dirname(path))


def _open_regular(path: str) -> BinaryIO:
    # Looked at before it is opened: opening a pipe waits for a writer.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("not a regular file")
    return open(path, "rb")


def folder_name(folder: str) -> str:
    """Return the name of a folder as text."""
    return file_name_text(os.path.basename(os.path.abspath(folder)))


def stem(path: str) -> str:
    """Return what a file is called without its ending, as the name of a collection.

    >>> stem("data/photos.tar.gz"), stem("train-00000-of-00041.parquet"), stem("shard-{000..9}.tar")
    ('photos', 'train', 'shard')
    """
    name = os.path.basename(path.replace("\\", "/")).partition("#")[0]
    container = container_for(name)
    endings = container.suffixes if container else (os.path.splitext(name)[1],)
    longest = max((e for e in endings if name.lower().endswith(e)), key=len, default="")
    name = name[: len(name) - len(longest)]
    short = name.partition("-of-")[0] if "-of-" in name else name
    for mark in "{*?[":
        short = short.partition(mark)[0]
    if short != name:
        short = short.rstrip("0123456789")
    return file_name_text(short.rstrip("-_. ") or name)


def read_files(
    files: Iterable[StoredFile],
    log: ReadingLog,
    *,
    name: str | None = None,
    column: str | None = None,
    lenient: bool = False,
) -> Iterator[Incoming]:
    """Yield the images of files: those in archives and tables, and files that are images.

    Parameters
    ----------
    files : iterable of StoredFile
        In order. A file of no known container is an image, whatever its name.
    log : ReadingLog
        Takes what is left out or damaged. What stands behind a damaged file is read all the same.
    name : str or None
        The source of all images; None for what they say themselves.
    column : str or None
        The column of the images.
    lenient : bool
        Whether a table without images is left out, as one of labels beside images is.
    """
    for file in files:
        container = container_for(file.path)
        if container is None:
            image = file.path if file.folder is not None else _image_bytes(file, log)
            if image is not None:
                yield Incoming(image, name or file.source, file_name_text(file.path))
            continue
        for member in _members(container, file, log, column, lenient):
            yield Incoming(
                member.image,
                source=name or member.source or file.source,
                origin=f"{file_name_text(file.path)}!{member.name}",
                group=member.group,
            )


def _members(
    container: type[Container], file: StoredFile, log: ReadingLog, column: str | None, lenient: bool
) -> Iterator[Member]:
    try:
        yield from container.read(file, log, column)
    except InvalidDataError as error:
        if not lenient:
            raise
        log.skip(file.path, str(error))
    except OutgroupError:
        raise
    except Exception as error:  # readers meet damage with nearly every exception there is
        log.damaged(file.path, error)


def _image_bytes(file: StoredFile, log: ReadingLog) -> bytes | None:
    try:
        with file.opener() as opened:
            data = opened.read(MAX_BYTES + 1)
    except Exception as error:  # of a network, mostly
        log.damaged(file.path, error)
        return None
    if len(data) > MAX_BYTES:
        log.skip(file.path, f"more than the {MAX_BYTES:,} bytes that are read of one image")
        return None
    return data
