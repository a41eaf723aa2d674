"""Read the images of Parquet files, one row an image, in the layouts of the Hugging Face hub.

Images are structs with the fields "bytes" and "path", bytes, or paths of local files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from outgroup.data.values import file_name_text, to_name
from outgroup.errors import (
    InvalidDataError,
    InvalidParameterError,
    MissingExtraError,
    OutgroupError,
)
from outgroup.images import MAX_BYTES, ImageSource
from outgroup.pool.archives import DamagedError, StoredFile
from outgroup.pool.records import Incoming
from outgroup.pool.source_log import NO_DOWNLOAD, TOO_LARGE, URL, SourceLog

#: Usual names of a column of images, the most usual first, and of a column of their paths.
IMAGES = ("image", "img", "jpg", "jpeg", "png", "webp", "picture", "photo", "bytes", "content")
PATHS = ("path", "file_name", "filename", "file", "image_path", "url", "image_url")

BATCH_BYTES = 32 << 20  # of images held in memory at once, about

#: A larger row group is read page by page, through a buffer of `BUFFER` bytes.
READ_WHOLE, BUFFER = 256 << 20, 1 << 20

_BINARY = {"binary", "large_binary", "binary_view"}
_TEXT = {"string", "large_string", "string_view"}


def pyarrow_parquet() -> Any:
    """Return the module that reads Parquet files."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("Reading Parquet files", "hub") from error
    return pyarrow.parquet


def n_rows(file: StoredFile) -> int:
    """Return the number of rows of a Parquet file."""
    with file.opener() as stored:
        return int(_opened(stored).metadata.num_rows)


def read_parquet(file: StoredFile, log: SourceLog, column: str | None = None) -> Iterator[Incoming]:
    """Yield the images row by row, one row group after the other."""
    with file.opener() as stored:
        table = _opened(stored)
        metadata = table.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        if any(group.total_byte_size > READ_WHOLE for group in groups):
            table = pyarrow_parquet().ParquetFile(
                stored, metadata=metadata, buffer_size=BUFFER, pre_buffer=False
            )
        names = table.schema_arrow.names
        image = _image_column(table.schema_arrow, column, file.path)
        columns = [image, *(n for n in ("source", "group") if n in names and n != image)]
        first = 0
        for number, group in enumerate(groups):
            bytes_per_row = max(1, group.total_byte_size // max(1, group.num_rows))
            batches = table.iter_batches(
                batch_size=min(1024, max(1, BATCH_BYTES // bytes_per_row)),
                row_groups=[number],
                columns=columns,
                use_threads=False,
            )
            try:
                yield from _images(batches, columns, first, file, log)
            except OutgroupError:
                raise
            except Exception as error:  # of Arrow, the system, a network; other groups are whole
                log.damage(f"{file.path}, row group {number}", error)
            first += group.num_rows


def _opened(stored: BinaryIO) -> Any:
    parquet = pyarrow_parquet()
    try:
        return parquet.ParquetFile(stored)
    except Exception as error:
        raise DamagedError(
            f"not a Parquet file, or one that was not copied in full ({type(error).__name__})"
        ) from error


def _images(
    batches: Iterator[Any], columns: list[str], row: int, file: StoredFile, log: SourceLog
) -> Iterator[Incoming]:
    for batch in batches:
        images, *others = (batch.column(name) for name in columns)
        for i in range(batch.num_rows):
            place = f"{file.path}!{row}"
            image, reason = _image_of_cell(images[i].as_py(), file.folder)
            if image is None:
                log.skip(place, reason)
            else:
                facts = {
                    name: to_name(cells[i].as_py(), f"{name} ({place})")
                    for name, cells in zip(columns[1:], others, strict=True)
                }
                source = facts.get("source") or file.source
                yield Incoming(image, source, file_name_text(place), facts.get("group"))
            row += 1


def _image_of_cell(cell: object, folder: str | None) -> tuple[ImageSource | None, str]:
    """Return the image of a cell; or None, and why there is none."""
    if isinstance(cell, dict):
        cell = cell["bytes"] if cell["bytes"] is not None else cell.get("path")
    if not cell:
        return None, "an empty row"
    if isinstance(cell, bytes):
        return (cell, "") if len(cell) <= MAX_BYTES else (None, TOO_LARGE)
    if not isinstance(cell, str):
        return None, "neither the bytes of an image nor a path"
    if URL.match(cell):
        return None, NO_DOWNLOAD
    if folder is None:
        return None, "a path on another machine"
    return os.path.join(folder, cell), ""


def _image_column(schema: Any, wanted: str | None, path: str) -> str:
    """Return the column of images: the `wanted` one, declared images, structs, bytes, or paths."""
    listed = ", ".join(map(repr, schema.names))
    if wanted is not None:
        if wanted not in schema.names:
            raise InvalidParameterError(
                f"Invalid column after '#': must be one of {listed}, got {wanted!r}."
            )
        return wanted
    kinds = {field.name: _kind(field.type) for field in schema}
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        declared = {name for name, kind in features.items() if dict(kind).get("_type") == "Image"}
    except (KeyError, ValueError, TypeError, AttributeError):
        declared = set()
    for found, names in (
        ([name for name in schema.names if name in declared], IMAGES),
        ([name for name, kind in kinds.items() if kind == "struct"], IMAGES),
        ([name for name, kind in kinds.items() if kind == "bytes"], IMAGES),
        ([name for name, kind in kinds.items() if kind == "text" and name in PATHS], PATHS),
    ):
        usual = [name for name in names if name in found]
        if usual or len(found) == 1:
            return (usual or found)[0]
        if found:
            raise InvalidDataError(
                f"{path} has several columns that may hold images: {', '.join(map(repr, found))}. "
                f"Name one after a '#': {path}#{found[0]}"
            )
    raise InvalidDataError(f"{path} has no column of images. Its columns are {listed}.")


def _kind(arrow_type: Any) -> str | None:
    name = str(arrow_type)
    if name.startswith("struct<"):
        index = arrow_type.get_field_index("bytes")
        return "struct" if index >= 0 and str(arrow_type.field(index).type) in _BINARY else None
    return "bytes" if name in _BINARY else "text" if name in _TEXT else None
