"""Parquet files with a column of images, in the layout of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outgroup.data.values import to_name
from outgroup.errors import InvalidDataError, MissingExtraError, OutgroupError
from outgroup.pool.containers._columns import image_column, image_of_cell, text_columns
from outgroup.pool.containers.base import (
    CONTAINERS,
    Container,
    DamagedError,
    Log,
    Member,
    StoredFile,
)

#: Images held in memory at once, about; there may be a thousand in a row group.
BATCH_BYTES = 32 << 20

#: A column of a row group up to this size is read at once, as the hub's are meant to be: they are
#: of 100 MB or so, and mostly one page. A larger one is read page by page through a small buffer.
READ_WHOLE, BUFFER = 256 << 20, 1 << 20


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Reading Parquet files", "hub") from error
    return pyarrow.parquet


@CONTAINERS.register("parquet")
class ParquetContainer(Container):
    """A Parquet file, one row an image.

    The column holds structs with the fields "bytes" and "path", as the Hugging Face library writes
    them, bytes, or paths of local files. Text columns "source" and "group" are read too.
    """

    suffixes = (".parquet",)

    @classmethod
    def check(cls) -> None:
        """Raise `MissingExtraError` where there is no pyarrow."""
        _parquet()

    @classmethod
    def read(cls, file: StoredFile, log: Log, column: str | None = None) -> Iterator[Member]:
        """Yield the images, row by row, from one row group after the other."""
        parquet = _parquet()
        with file.opener() as stored:
            table = _page_by_page(parquet, stored, _open(parquet, stored))
            name = image_column(table.schema_arrow, column, file.path)
            columns = [name, *text_columns(table.schema_arrow.names, name)]
            start = 0
            for group in range(table.num_row_groups):
                rows = table.metadata.row_group(group).num_rows
                try:
                    yield from _row_group(table, group, columns, start, file, log)
                except OutgroupError:
                    raise
                except Exception as error:  # of Arrow, the system, a network; the others are whole
                    log.damaged(f"{file.path}, row group {group}", error)
                start += rows

    @classmethod
    def length(cls, file: StoredFile) -> int | None:
        """Return the number of rows."""
        with file.opener() as stored:
            return int(_open(_parquet(), stored).metadata.num_rows)


def _open(parquet: Any, stored: Any) -> Any:
    try:
        return parquet.ParquetFile(stored)
    except Exception as error:
        raise DamagedError(
            f"no Parquet file, or one that was not copied in full ({type(error).__name__})"
        ) from error


def _page_by_page(parquet: Any, stored: Any, table: Any) -> Any:
    """Return the same file, opened so that its row groups are not read whole if they are large."""
    metadata = table.metadata
    sizes = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if max(sizes, default=0) <= READ_WHOLE:
        return table
    return parquet.ParquetFile(stored, metadata=metadata, buffer_size=BUFFER, pre_buffer=False)


def _row_group(
    table: Any, group: int, columns: list[str], row: int, file: StoredFile, log: Log
) -> Iterator[Member]:
    metadata = table.metadata.row_group(group)
    bytes_a_row = max(1, metadata.total_byte_size // max(1, metadata.num_rows))
    batches = table.iter_batches(
        batch_size=min(1024, max(1, BATCH_BYTES // bytes_a_row)),
        row_groups=[group],
        columns=columns,
        use_threads=False,
    )
    for batch in batches:
        cells = [batch.column(name) for name in columns]
        for i in range(batch.num_rows):
            image, reason = image_of_cell(cells[0][i].as_py(), file.folder)
            if image is None:
                log.skip(f"{file.path}!{row}", reason)
            else:
                said = {
                    name: _said(cell[i].as_py(), name, f"{file.path}!{row}")
                    for name, cell in zip(columns[1:], cells[1:], strict=True)
                }
                yield Member(str(row), image, **said)
            row += 1


def _said(value: object, name: str, place: str) -> str | None:
    try:
        return to_name(value, name)
    except InvalidDataError as error:
        raise InvalidDataError(f"{place}: {error}") from error
