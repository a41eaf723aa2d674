"""Find the files that a path or pattern stands for, and read the images in a file of any kind."""

from __future__ import annotations

import glob
import itertools
import math
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from outgroup.data.values import file_name_text
from outgroup.errors import InvalidParameterError, OutgroupError
from outgroup.images import MAX_BYTES, ImageSource
from outgroup.pool.archives import StoredFile, read_tar, read_zip
from outgroup.pool.parquet_files import pyarrow_parquet, read_parquet
from outgroup.pool.records import Incoming, invalid
from outgroup.pool.source_log import TOO_LARGE, SourceLog

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
ZIP, PARQUET = ".zip", ".parquet"

#: Endings of files that can't be read, and what to do.
UNREADABLE = {
    ".rar": "unpack it, and give the folder",
    ".7z": "unpack it, and give the folder",
    ".gz": "unpack it, and give the file or folder; a compressed tar archive ends in .tar.gz",
    ".tfrecord": "convert it to WebDataset shards or Parquet",
    ".arrow": "write it as Parquet, with Dataset.to_parquet of the datasets library",
    ".npz": "give its array: numpy.load(FILE)[NAME]",
    ".npy": "give its array: numpy.load(FILE, mmap_mode='r')",
}


def read_file(
    file: StoredFile, log: SourceLog, name: str | None, column: str | None = None
) -> Iterator[Incoming]:
    """Yield the images of an archive or Parquet file, or a file that is an image itself."""
    ending = container_ending(file.path)
    if ending is None:
        images = _read_image(file, log)
    elif ending == PARQUET:
        images = read_parquet(file, log, column)
    else:
        images = (read_zip if ending == ZIP else read_tar)(file, log)
    try:
        for incoming in images:
            yield incoming if name is None else replace(incoming, source=name)
    except OutgroupError:
        raise
    except Exception as error:  # damage makes readers raise nearly every kind of exception
        log.damage(file.path, error)


def _read_image(file: StoredFile, log: SourceLog) -> Iterator[Incoming]:
    image: ImageSource = file.path
    if file.folder is None:
        with file.opener() as opened:
            image = opened.read(MAX_BYTES + 1)
        if len(image) > MAX_BYTES:
            log.skip(file.path, TOO_LARGE)
            return
    yield Incoming(image, file.source, file_name_text(file.path))


def local_file(path: str, source: str) -> StoredFile:
    """Return a file of this machine."""
    return StoredFile(path, source, partial(_open_regular, path), os.path.dirname(path))


def _open_regular(path: str) -> BinaryIO:
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for a writer
        raise OSError("not a regular file")
    return open(path, "rb")


def require_readable(path: str) -> None:
    """Raise an error if the name of a file tells that it can't be read."""
    ending = os.path.splitext(path)[1].lower()
    if ending == PARQUET:
        pyarrow_parquet()
    elif ending in UNREADABLE and container_ending(path) is None:
        why = UNREADABLE[ending]
        raise InvalidParameterError(f"Invalid `source`: {path!r} can't be read: {why}.")


def container_ending(path: str) -> str | None:
    """Return the ending of a file that holds many images; None for any other file."""
    endings = (*TARS, ZIP, PARQUET)
    return next((ending for ending in endings if path.lower().endswith(ending)), None)


def collection_name(path: str) -> str:
    """Return what the names of a collection of files have in common.

    >>> collection_name("a/photos.tar.gz"), collection_name("train-00000-of-00041.parquet")
    ('photos', 'train')
    """
    name = os.path.basename(path.replace("\\", "/")).partition("#")[0]
    ending = container_ending(name) or os.path.splitext(name)[1]
    name = name[: len(name) - len(ending)]
    short = re.split(r"[{*?[]", name.partition("-of-")[0])[0]
    if short != name:
        short = short.rstrip("0123456789")
    return file_name_text(short.rstrip("-_. ") or name)


MAX_NAMES = 1_000_000  # files that a pattern may stand for


def expand_braces(text: str) -> list[str]:
    """Return the names that a text with braces stands for, in order; a million at most.

    >>> expand_braces("{train,test}-{08..10}.tar")[2:]
    ['train-10.tar', 'test-08.tar', 'test-09.tar', 'test-10.tar']
    """
    parts = re.split(r"\{([^{}]*)\}", text)
    choices = [_choices(part) if i % 2 else [part] for i, part in enumerate(parts)]
    if math.prod(map(len, choices)) > MAX_NAMES:
        raise InvalidParameterError(
            f"Invalid `source`: must stand for {MAX_NAMES:,} files at most, got {text!r}."
        )
    return ["".join(names) for names in itertools.product(*choices)]


def _choices(inside: str) -> list[str]:
    ends = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if ends is not None:
        digits = len(ends[1]) if ends[1].startswith("0") else 0
        numbers = range(int(ends[1]), int(ends[2]) + 1)[: MAX_NAMES + 1]
        return [f"{number:0{digits}}" for number in numbers]
    return inside.split(",") if "," in inside else ["{" + inside + "}"]


def expand_paths(source: str) -> list[str]:
    """Return the files that a path or pattern stands for, each once."""
    if os.path.exists(source):
        return [source]
    listed = expand_braces(source)
    found: list[str] = []
    missing: list[str] = []
    for text in listed:
        if os.path.exists(text):
            found.append(text)
        elif glob.has_magic(text) and (matches := sorted(glob.glob(text, recursive=True))):
            found += matches
        else:
            missing.append(text)
    if missing and (found or len(listed) > 1):
        raise InvalidParameterError(
            f"Invalid `source`: must stand for files that exist. {len(missing):,} of the "
            f"{len(listed):,} that {source!r} stands for don't, first {missing[0]!r}."
        )
    if not found:
        raise invalid("source", "a file or folder that exists", source)
    return list(dict.fromkeys(found))
