"""Files that hold images, one or many of them: archives, shards, Parquet files, an image."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

from outgroup.errors import InvalidParameterError
from outgroup.pool.containers import container_for
from outgroup.pool.incoming import Incoming
from outgroup.pool.sources._log import ReadingLog
from outgroup.pool.sources._patterns import expand_braces, is_pattern
from outgroup.pool.sources._stored import local_file, read_files, stem
from outgroup.pool.sources.base import SOURCES, PoolSource

#: Endings that are known and can't be read, with what to do.
UNREADABLE = {
    ".rar": "unpack it, and give the folder",
    ".7z": "unpack it, and give the folder",
    ".gz": "unpack it, and give the file or folder; a compressed tar archive ends in .tar.gz",
    ".tfrecord": "convert it to WebDataset shards or Parquet",
    ".arrow": "write it as Parquet, with Dataset.to_parquet of the datasets library",
    ".npz": "give its array: numpy.load(FILE)[NAME]",
    ".npy": "give its array: numpy.load(FILE, mmap_mode='r')",
}


@SOURCES.register("files")
class FilesSource(PoolSource):
    """Archives, WebDataset shards, Parquet files, or a single image, by path or pattern.

    ``shard-{000000..000099}.tar`` stands for a hundred shards, ``data/*.parquet`` for what is
    there, ``photos.parquet#img`` for the column "img". Several files are one collection, named like
    what their names have in common.
    """

    form = "photos.tar, photos.zip, 'shard-{000..099}.tar', 'data/*.parquet'"
    summary = "tar (.gz, .bz2, .xz), zip, WebDataset shards, Parquet with a column of images"

    def __init__(self, source: Any, name: str | None = None) -> None:
        super().__init__(source, name)
        text = str(os.fspath(source))
        path, mark, column = text.rpartition("#")
        if not mark or os.path.exists(text):
            path, column = text, ""
        self._column = column or None
        self._paths = _paths(path)
        self._source = stem(path)
        for found in self._paths:
            _check(found)

    @classmethod
    def accepts(cls, source: Any) -> bool:
        """Tell whether it is a path, and none of a folder, a CSV file or a place on a network."""
        from outgroup.pool.sources.table import TABLE_SUFFIXES

        if not isinstance(source, (str, os.PathLike)) or os.path.isdir(source):
            return False
        text = os.fspath(source)
        return not (
            isinstance(text, bytes) or text.startswith("hf:") or "://" in text
        ) and not text.lower().endswith(TABLE_SUFFIXES)

    def _read(self, log: ReadingLog) -> Iterator[Incoming]:
        files = (local_file(path, self._source) for path in self._paths)
        yield from read_files(files, log, name=self.name, column=self._column)

    def length(self) -> int | None:
        """Return the number of rows of Parquet files and of images; archives don't tell theirs."""
        total = 0
        for path in self._paths:
            container = container_for(path)
            try:
                count = container.length(local_file(path, "")) if container else 1
            except Exception:  # a damaged file; reading it says so
                count = None
            if count is None:
                return None
            total += count
        return total


def _paths(source: str) -> list[str]:
    """Return the files that a path or pattern stands for, each once."""
    if os.path.exists(source):
        return [source]
    listed = expand_braces(source)
    found: list[str] = []
    missing: list[str] = []
    for text in listed:
        if os.path.exists(text):
            found.append(text)
        elif is_pattern(text) and (matches := sorted(glob.glob(text, recursive=True))):
            found += matches
        else:
            missing.append(text)
    if missing and (found or len(listed) > 1):
        raise InvalidParameterError(
            f"The 'source' parameter must stand for files that exist. {len(missing):,} of the "
            f"{len(listed):,} that {source!r} stands for don't, first {missing[0]!r}."
        )
    if not found:
        raise InvalidParameterError(
            f"The 'source' parameter must be a file or folder that exists. Got {source!r} instead."
        )
    return list(dict.fromkeys(found))


def _check(path: str) -> None:
    """Raise an error where it is known beforehand that a file can't be read."""
    container = container_for(path)
    if container is not None:
        container.check()
        return
    fix = UNREADABLE.get(os.path.splitext(path)[1].lower())
    if fix is not None:
        raise InvalidParameterError(
            f"The 'source' parameter must be a source of images. {path!r} can't be read: {fix}."
        )
