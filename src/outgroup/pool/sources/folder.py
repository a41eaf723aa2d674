"""Folders: of images, of archives, of tables, or of all of these."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from outgroup.data.values import file_name_text
from outgroup.data.walking import Walk, walk
from outgroup.pool.containers import StoredFile, container_for
from outgroup.pool.incoming import Incoming
from outgroup.pool.sources._log import ReadingLog
from outgroup.pool.sources._stored import LAYOUT_FOLDERS, folder_name, local_file, read_files
from outgroup.pool.sources.base import SOURCES, PoolSource


@SOURCES.register("folder")
class FolderSource(PoolSource):
    """Every file of a folder, however deep, sorted by path; archives and Parquet files are read.

    The source of an image is the sub-folder that it is in, or the folder itself.
    """

    form = "photos/"
    summary = "a folder: images, archives and Parquet files, however deep; a source a sub-folder"

    def __init__(self, source: Any, name: str | None = None) -> None:
        super().__init__(source, name)
        self._root = str(os.fspath(source))

    @classmethod
    def accepts(cls, source: Any) -> bool:
        """Tell whether it is a folder that exists."""
        return isinstance(source, (str, os.PathLike)) and os.path.isdir(source)

    def _read(self, log: ReadingLog) -> Iterator[Incoming]:
        found = walk(self._root)
        for skipped in found.skipped:
            log.skip(skipped.path, skipped.reason)
        yield from read_files(_files(found), log, name=self.name, lenient=True)

    def length(self) -> int | None:
        """Return the number of files, or None where some of them hold several images."""
        files = walk(self._root).files
        return None if any(container_for(parts[-1]) for parts in files) else len(files)


def _files(found: Walk) -> Iterator[StoredFile]:
    whole = folder_name(found.root)
    for parts in found.files:
        source = parts[0] if len(parts) > 1 else whole
        if source in LAYOUT_FOLDERS and container_for(parts[-1]):
            source = whole
        yield local_file(found.path(parts), file_name_text(source))
