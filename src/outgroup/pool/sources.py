"""Read the images of a pool from folders, archives, tables, the Hugging Face hub or Python.

==========================================  ====================================================
source                                      images, in this order
==========================================  ====================================================
a folder                                    every file, sorted by path; archives and Parquet
                                            files in it are read; `source` is the sub-folder
``photos.tar``, ``.tar.gz``, ``.tgz``,      the members; `source` is the outermost folder in the
``.tar.bz2``, ``.tar.xz``, ``photos.zip``   archive, or else the archive's name
``shard-{000000..000099}.tar``              WebDataset shards; "source" and "group" of
                                            ``KEY.json`` are those of ``KEY.jpg``
``data/*.parquet``, ``photos.parquet#img``  the rows of a column of images, here "img": the Hugging
                                            Face layout, bytes, or paths of local files
``hf://datasets/OWNER/NAME@REV/PATH``       the same files on the Hugging Face hub
``hf:NAME``                                 an image set of `outgroup.pool.image_sets`
``photos.csv``, a DataFrame                 the column "path"; "source" and "group" if present
an iterable                                 images, pairs (image, source), or `Incoming`
==========================================  ====================================================

The order is the same each time. Files that are not images are skipped and counted. Nothing is
unpacked onto the disk, and only a few images are in memory at once. What follows a damaged part is
read where it can be found; then `PoolSourceError` is raised. A source without images raises
`InvalidDataError`. URLs are not downloaded; tools such as img2dataset do that.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from outgroup.data import Skipped
from outgroup.data.folders import IN_MEMORY, walk
from outgroup.data.tables import Table, open_csv, open_frame
from outgroup.data.values import file_name_text, to_name
from outgroup.errors import (
    InvalidDataError,
    InvalidParameterError,
    MissingExtraError,
    PoolSourceError,
    UnreadableImageError,
)
from outgroup.images import ImageSource, content_digest, is_one_image
from outgroup.pool.archives import StoredFile
from outgroup.pool.image_sets import image_set
from outgroup.pool.parquet_files import n_rows, pyarrow_parquet
from outgroup.pool.records import Incoming, invalid
from outgroup.pool.source_files import (
    PARQUET,
    collection_name,
    container_ending,
    expand_braces,
    expand_paths,
    local_file,
    read_file,
    require_readable,
)
from outgroup.pool.source_log import HOW_TO_RESUME, NO_DOWNLOAD, URL, SourceLog

TABLES = (".csv", ".tsv")
URL_COLUMNS = ("url", "URL", "image_url", "URL_ORIGINAL", "OriginalURL")
PATH_LIKE = (str, os.PathLike)

#: Folders that tell the layout of a data set, not what is in it.
LAYOUT_FOLDERS = {"data", "default", "images", "train", "val", "valid", "validation", "test"}


class PoolSource(ABC):
    """Images from one place, in the same order each time; read when the first is asked for."""

    form: ClassVar[str]
    summary: ClassVar[str]

    def __init__(self, source: Any, name: str | None = None) -> None:
        if name is not None and not (isinstance(name, str) and name.strip()):
            raise invalid("name", "a text that is not empty, or None", name)
        self.name = name
        self._given = source
        self._log = SourceLog(source if isinstance(source, str) else "the iterable")

    @abstractmethod
    def _read(self, log: SourceLog) -> Iterator[Incoming]:
        """Yield the images, and log what is skipped or damaged."""

    def __iter__(self) -> Iterator[Incoming]:
        """Yield the images."""
        log = self._log = SourceLog(self._log.name)
        for incoming in self._read(log):
            log.give()
            yield incoming
        log.finish()

    def length(self) -> int | None:
        """Return the number of files or rows, readable or not; None if only reading tells it."""
        return None

    @property
    def skipped(self) -> Sequence[Skipped]:
        """The first files that were skipped, at most 100, each with the reason."""
        return tuple(self._log.skipped)

    @property
    def n_skipped(self) -> int:
        """How many files were skipped."""
        return self._log.n_skipped


class FolderSource(PoolSource):
    """Every file of a folder, at any depth, sorted by path."""

    form = "photos/"
    summary = "a folder: images, archives and Parquet files at any depth; one source a sub-folder"

    def _read(self, log: SourceLog) -> Iterator[Incoming]:
        found = walk(self._given)
        for skipped in found.skipped:
            log.skip(skipped.path, skipped.reason)
        whole = _folder_name(found.root)
        for parts in found.files:
            source = parts[0] if len(parts) > 1 else whole
            if source in LAYOUT_FOLDERS and container_ending(parts[-1]):
                source = whole
            file = local_file(found.path(parts), file_name_text(source))
            try:
                yield from read_file(file, log, self.name)
            except InvalidDataError as error:  # such as a table of labels beside the images
                log.skip(file.path, str(error))

    def length(self) -> int | None:
        """Return the number of files; None if some of them hold several images."""
        files = walk(self._given).files
        return None if any(container_ending(parts[-1]) for parts in files) else len(files)


class FilesSource(PoolSource):
    """Archives, WebDataset shards, Parquet files, or a single image, by path or pattern."""

    form = "photos.tar, photos.zip, 'shard-{000..099}.tar', 'data/*.parquet'"
    summary = "tar (.gz, .bz2, .xz), zip, WebDataset shards, Parquet with a column of images"

    def __init__(self, source: str, name: str | None = None) -> None:
        super().__init__(source, name)
        path, mark, column = source.rpartition("#")
        if not mark or os.path.exists(source):
            path, column = source, ""
        self._column = column or None
        self._source = collection_name(path)
        self._files = [local_file(found, self._source) for found in expand_paths(path)]
        for file in self._files:
            require_readable(file.path)

    def _read(self, log: SourceLog) -> Iterator[Incoming]:
        for file in self._files:
            yield from read_file(file, log, self.name, self._column)

    def length(self) -> int | None:
        """Return the number of rows and images; None if there is a tar or zip archive."""
        endings = [container_ending(file.path) for file in self._files]
        if not {*endings} <= {None, PARQUET}:
            return None
        try:
            return sum(n_rows(f) if e else 1 for f, e in zip(self._files, endings, strict=True))
        except Exception:  # a damaged file; reading it reports that
            return None


class HubSource(PoolSource):
    """Files of a data set repository on the Hugging Face hub, read over the network, not kept."""

    form = "hf://datasets/OWNER/NAME[@REVISION]/PATH"
    summary = "files of a data set on the Hugging Face hub; * and {a,b} in PATH, #COLUMN at the end"

    _PATTERN = re.compile(
        r"hf://(?P<path>datasets/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)(@[\w./-]+?)?(/[^#]*)?)"
        r"(#(?P<column>.+))?"
    )

    def __init__(self, source: str, name: str | None = None) -> None:
        super().__init__(source, name)
        match = self._PATTERN.fullmatch(source)
        if match is None:
            raise InvalidParameterError(
                f"Invalid `source`: must be '{self.form}', such as "
                f"'hf://datasets/ethz/food101/data/*.parquet', got {source!r}."
            )
        self._path = match["path"].rstrip("/")
        self._column: str | None = match["column"]
        self._source: str = match["name"]
        try:
            import huggingface_hub
        except ImportError as error:
            raise MissingExtraError("A data set from the Hugging Face hub", "hub") from error
        self._hub = huggingface_hub

    def _read(self, log: SourceLog) -> Iterator[Incoming]:
        system = self._hub.HfFileSystem()
        paths = self._list_files(system)
        if any(container_ending(path) == PARQUET for path in paths):
            pyarrow_parquet()
        for path in paths:
            file = StoredFile(f"hf://{path}", self._source, partial(system.open, path, "rb"))
            yield from read_file(file, log, self.name, self._column)

    def _list_files(self, system: Any) -> list[str]:
        """Return the files that the path stands for, sorted for each of its patterns."""
        found: list[str] = []
        try:
            for path in expand_braces(self._path):
                if glob.has_magic(path):
                    found += sorted(system.glob(path))
                elif system.isdir(path):  # without its README and the like
                    found += sorted(filter(container_ending, system.find(path)))
                elif system.exists(path):
                    found.append(path)
        except Exception as error:  # the hub's client lets errors of its HTTP library through
            why = " ".join(str(error).split()).rstrip(".")
            raise PoolSourceError(
                f"hf://{self._path} can't be listed on the Hugging Face hub ({why}). Check the "
                "name and the network, or download the files and give their folder."
            ) from error
        if not found:
            raise InvalidParameterError(
                f"Invalid `source`: there are no files at 'hf://{self._path}'. The data set's page "
                "lists what there is."
            )
        return list(dict.fromkeys(found))


class NamedSource(HubSource):
    """An open image set by its short name, such as ``hf:food101``."""

    form = "hf:NAME"
    summary = "an open image set of the list that `outgroup pool sources` shows"

    def __init__(self, source: str, name: str | None = None) -> None:
        self._set = image_set(source.removeprefix("hf:"))
        super().__init__(self._set.spec, name)
        self._source = self._set.name

    def length(self) -> int | None:
        """Return the number of images that the list states."""
        return self._set.images


class TableSource(PoolSource):
    """A CSV file or DataFrame with a column "path", one image a row.

    Relative paths start from the folder of the CSV file.
    """

    form = "photos.csv"
    summary = "a CSV file or DataFrame with a column path, and optionally source and group"

    def _read(self, log: SourceLog) -> Iterator[Incoming]:
        is_file = isinstance(self._given, str)
        table = open_csv(self._given) if is_file else open_frame(self._given)
        names = _columns_read(table, self._given if is_file else "the DataFrame")
        for place, cells in table.rows(names):
            row = dict(zip(names, cells, strict=True))
            image = row["path"]
            if not isinstance(image, (bytes, Image.Image, np.ndarray)):
                path = str(os.fspath(image)).strip() if isinstance(image, PATH_LIKE) else ""
                if not path:
                    log.skip(place, "names no image")
                    continue
                image = path if URL.match(path) else os.path.join(table.root, path)
            source = self.name or to_name(row.get("source"), f"source ({place})")
            group = to_name(row.get("group"), f"group ({place})")
            yield from _incoming(image, source or table.origin, place, log, group)

    def length(self) -> int | None:
        """Return the number of rows of a DataFrame; None for a CSV file."""
        return None if isinstance(self._given, str) else len(self._given)


def _columns_read(table: Table, what: str) -> list[str]:
    """Return which columns are read."""
    if "path" not in table.names:
        url = next((name for name in URL_COLUMNS if name in table.names), None)
        problem = f"its columns are {', '.join(map(repr, table.names))}"
        if url is not None:
            problem = f"its column {url!r} is of URLs: {NO_DOWNLOAD}"
        raise InvalidDataError(f"There must be a column 'path' in {what}; {problem}.")
    return [name for name in ("path", "source", "group") if name in table.names]


class IterableSource(PoolSource):
    """Any iterable of images, of pairs (image, source) or of `Incoming`."""

    form = "images (in Python)"
    summary = "any iterable of images, of (image, source) pairs or of Incoming"

    def __init__(self, source: Any, name: str | None = None) -> None:
        super().__init__(source, name)
        self._is_read = False

    def _read(self, log: SourceLog) -> Iterator[Incoming]:
        if self._is_read and isinstance(self._given, Iterator):
            raise InvalidParameterError(
                "Invalid `source`: must be a list, or an object whose __iter__ starts anew, to be "
                "read again, got an iterator that was read already."
            )
        self._is_read = True
        for n in itertools.count():
            try:
                if n == 0:
                    items = iter(self._given)
                item = next(items)
            except StopIteration:
                return
            except Exception as error:
                raise PoolSourceError(
                    f"The iterable broke off after {n:,} images with {type(error).__name__}: "
                    f"{error}. {HOW_TO_RESUME}"
                ) from error
            yield from self._from_item(item, n, log)

    def _from_item(self, item: Any, number: int, log: SourceLog) -> Sequence[Incoming]:
        if isinstance(item, Incoming):
            return [item if self.name is None else replace(item, source=self.name)]
        source = None
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], str) and item[1]:
            item, source = item
        if isinstance(item, (str, os.PathLike, bytes, Image.Image, np.ndarray)):
            return _incoming(item, self.name or source, f"image {number}", log)
        hint = ", such as (item['image'] for item in items)" if isinstance(item, Mapping) else ""
        if isinstance(item, tuple):
            hint = ", such as (image for image, _ in items)"
        raise InvalidDataError(
            f"Every item must be an image. Item {number:,} is a {type(item).__name__}. Give paths, "
            f"bytes, Pillow images, uint8 arrays, (image, source) pairs or Incoming{hint}."
        )

    def length(self) -> int | None:
        """Return the length of an iterable that has one."""
        try:
            return len(self._given)
        except TypeError:
            return None


#: The kinds of sources by name.
SOURCES: dict[str, type[PoolSource]] = {
    "files": FilesSource,
    "folder": FolderSource,
    "hub": HubSource,
    "iterable": IterableSource,
    "named": NamedSource,
    "table": TableSource,
}


def open_source(source: Any, name: str | None = None) -> PoolSource:
    """Return the `PoolSource` for whatever holds images, as the module describes it.

    Nothing is read yet. `name` is the `Incoming.source` of all images; None for what they say.

    Raises
    ------
    InvalidParameterError
        If it is none of these, or does not exist.
    MissingExtraError
        If reading it needs a package that is not installed.
    """
    if isinstance(source, PoolSource):
        return source
    path = os.fspath(source) if isinstance(source, PATH_LIKE) else None
    if isinstance(path, str):
        if os.path.isdir(path):
            return FolderSource(path, name)
        if path.startswith("hf://"):
            return HubSource(path, name)
        if path.startswith("hf:"):
            return NamedSource(path, name)
        if URL.match(path):
            raise InvalidParameterError(
                "Invalid `source`: must be a local path, or a location on the Hugging Face hub "
                f"that begins with hf://, got {path!r}: {NO_DOWNLOAD}."
            )
        return (TableSource if path.lower().endswith(TABLES) else FilesSource)(path, name)
    if hasattr(source, "columns"):
        return TableSource(source, name)
    is_mapping = isinstance(source, Mapping)
    if isinstance(source, Iterable) and not is_mapping and not is_one_image(source):
        return IterableSource(source, name)
    forms = "; ".join(kind.form for kind in SOURCES.values())
    raise InvalidParameterError(
        f"Invalid `source`: must be a source of images ({forms}), got {type(source).__name__}."
    )


def _incoming(
    image: ImageSource, source: str | None, place: str, log: SourceLog, group: str | None = None
) -> Sequence[Incoming]:
    """Return an image of a table or iterable; nothing for a URL, which is logged."""
    if isinstance(image, PATH_LIKE):
        path = str(os.fspath(image))
        if URL.match(path):
            log.skip(path, NO_DOWNLOAD)
            return []
        source = source or _folder_name(os.path.dirname(path))
        return [Incoming(path, source, file_name_text(path), group)]
    source = source or IN_MEMORY
    with suppress(UnreadableImageError):
        place = content_digest(image)
    return [Incoming(image, source, f"{source}!{place}", group)]


def _folder_name(folder: str) -> str:
    return file_name_text(os.path.basename(os.path.abspath(folder)))
