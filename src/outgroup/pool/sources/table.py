"""Tables of paths: CSV files and DataFrames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import numpy as np
from PIL import Image

from outgroup.data.csv_files import open_csv
from outgroup.data.tables import DEFAULT_LABEL, DEFAULT_PATH, Columns, find_columns
from outgroup.data.values import MISSING, file_name_text, to_name
from outgroup.errors import InvalidDataError
from outgroup.pool.containers._columns import NO_DOWNLOAD, URL
from outgroup.pool.incoming import Incoming
from outgroup.pool.sources._items import origin_of
from outgroup.pool.sources._log import ReadingLog
from outgroup.pool.sources._stored import folder_name
from outgroup.pool.sources.base import SOURCES, PoolSource

TABLE_SUFFIXES = (".csv", ".tsv")
URL_COLUMNS = ("url", "URL", "image_url", "URL_ORIGINAL", "OriginalURL")


@SOURCES.register("table")
class TableSource(PoolSource):
    """A CSV file or DataFrame with a column "path", one image a row.

    Columns "source" and "group" are read where there are such; a column "label" is not, as what is
    in a pool is none of the classes. Relative paths start from the folder of the CSV file.
    """

    form = "photos.csv"
    summary = "a CSV file or DataFrame of paths; columns path, and source and group if there are"

    def __init__(self, source: Any, name: str | None = None) -> None:
        super().__init__(source, name)
        self._table = source

    @classmethod
    def accepts(cls, source: Any) -> bool:
        """Tell whether it is a path that ends in .csv or .tsv, or has columns."""
        if isinstance(source, (str, os.PathLike)):
            text = str(os.fspath(source))
            named = text.lower().endswith(TABLE_SUFFIXES)
            place = text.startswith("hf:") or "://" in text
            return named and not place and not os.path.isdir(text)
        return hasattr(source, "columns") and not isinstance(source, PoolSource)

    def _read(self, log: ReadingLog) -> Iterator[Incoming]:
        rows, root, whole = self._rows()
        for place, path, source, group in rows:
            said = self.name or to_name(source, f"source ({place})")
            if isinstance(path, (bytes, Image.Image, np.ndarray)):
                source_of_row = said or whole
                yield Incoming(
                    path,
                    source_of_row,
                    origin_of(path, source_of_row, place),
                    to_name(group, f"group ({place})"),
                )
                continue
            text = path.strip() if isinstance(path, str) else path
            if not isinstance(text, (str, os.PathLike)) or not str(text):
                log.skip(place, "names no image")
            elif URL.match(str(text)):
                log.skip(str(text), NO_DOWNLOAD)
            else:
                full = os.path.join(root, str(os.fspath(text)))
                yield Incoming(
                    full,
                    said or whole or folder_name(os.path.dirname(full)),
                    file_name_text(full),
                    to_name(group, f"group ({place})"),
                )

    def _rows(self) -> tuple[Iterator[tuple[str, Any, Any, Any]], str, str]:
        """Return place, path, source and group of each row; the root of paths; the collection."""
        if isinstance(self._table, (str, os.PathLike)):
            file = str(os.fspath(self._table))
            name, header, lines = open_csv(file)
            columns = _columns(header, file)
            return (
                _csv_rows(lines, header, columns, name),
                os.path.dirname(file),
                os.path.splitext(name)[0],
            )
        columns = _columns(list(self._table.columns), "the DataFrame")
        cells = (_cells(self._table, c) for c in (columns.path, columns.source, columns.group))
        rows = (
            (f"row {i} of the DataFrame", *values)
            for i, values in enumerate(zip(*cells, strict=False))
        )
        return rows, "", "DataFrame"

    def length(self) -> int | None:
        """Return the number of rows of a DataFrame; a CSV file doesn't tell its own."""
        return None if isinstance(self._table, (str, os.PathLike)) else len(self._table)


def _columns(present: list[Any], what: str) -> Columns:
    if DEFAULT_PATH not in present:
        urls = [name for name in URL_COLUMNS if name in present]
        problem = (
            f"its column {urls[0]!r} is of URLs: {NO_DOWNLOAD}"
            if urls
            else (f"its columns are {', '.join(map(repr, present))}")
        )
        raise InvalidDataError(f"There must be a column 'path' in {what}; {problem}.")
    return find_columns(
        present,
        path_column=DEFAULT_PATH,
        label_column=DEFAULT_LABEL,
        group_column=None,
        source_column=None,
    )


def _csv_rows(
    lines: Iterable[tuple[int, list[str]]], header: list[str], columns: Columns, name: str
) -> Iterator[tuple[str, Any, Any, Any]]:
    indices = [
        None if column is None else header.index(column)
        for column in (columns.path, columns.source, columns.group)
    ]
    for line, cells in lines:
        found = [None if i is None or i >= len(cells) else cells[i] for i in indices]
        yield f"line {line} of {name}", found[0], found[1], found[2]


def _cells(frame: Any, column: str | None) -> Iterable[Any]:
    return repeat(MISSING) if column is None else frame[column]
