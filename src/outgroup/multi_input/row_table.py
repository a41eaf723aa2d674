"""Read the rows of tables of any kind into arrays.

A row with a cell that can't be read is kept, with the reason.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import require
from outgroup.errors import InvalidDataError
from outgroup.multi_input.cells import as_image, as_name, as_number
from outgroup.multi_input.inputs import Bands, Inputs, Numeric


@dataclass(frozen=True)
class RowTable:
    """Columns of n cells by name, and the folder that paths in cells are relative to."""

    columns: Mapping[str, Sequence[Any]]
    n: int
    root: Path | None = None

    def column(self, name: str, lenient: bool = False) -> Sequence[Any]:
        """Return the cells of a column; if `lenient`, all are missing where it is not there."""
        if name in self.columns:
            return self.columns[name]
        if lenient:
            return [None] * self.n
        listed = ", ".join(map(repr, self.columns)) or "none"
        raise InvalidDataError(f"There is no column {name!r}. There are: {listed}.")

    def names(self, column: str, lenient: bool = False) -> list[str | None]:
        """Return the cells of a column as names; see `column`."""
        return [as_name(cell) for cell in self.column(column, lenient)]

    @classmethod
    def joined(cls, tables: Sequence[RowTable]) -> RowTable:
        """Return the rows of several tables as one; columns that a table lacks are missing."""
        names = dict.fromkeys(name for table in tables for name in table.columns)
        columns = {name: [c for one in tables for c in one.column(name, True)] for name in names}
        return cls(columns, sum(table.n for table in tables), tables[0].root)


def as_row_table(data: Any) -> RowTable:
    """Return data as a table; a path is a .json, .jsonl (one record a line) or .csv file."""
    if isinstance(data, RowTable):
        return data
    root = None
    if isinstance(data, (str, os.PathLike)):
        root, data = Path(data).parent, _read_table(Path(data))
    if hasattr(data, "columns") and hasattr(data, "iloc"):  # a DataFrame; pandas is not imported
        columns = {str(name): data[name].tolist() for name in data.columns}
    elif isinstance(data, Mapping):
        columns = {str(name): _checked_column(cells, name) for name, cells in data.items()}
    else:
        records = isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data)
        kinds = "a DataFrame, columns by name, a list of records, or a JSON or CSV file"
        require(records, "data", kinds, type(data).__name__)
        names = list(dict.fromkeys(str(name) for row in data for name in row))
        columns = {name: [row.get(name) for row in data] for name in names}
    lengths = {name: len(cells) for name, cells in columns.items()}
    if len({*lengths.values()}) > 1:
        short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise InvalidDataError(
            f"Columns must have one length. Got {lengths[short]} cells of {short!r} and "
            f"{lengths[long]} of {long!r}."
        )
    n = next(iter(lengths.values()), 0)
    if not n:
        raise InvalidDataError("There are no rows.")
    return RowTable(columns, n, root)


def _checked_column(cells: Any, name: object) -> Sequence[Any]:
    if isinstance(cells, (str, bytes)) or not hasattr(cells, "__len__"):
        raise InvalidDataError(f"Column {name!r} must be a list of cells. Got {cells!r}.")
    return cells if isinstance(cells, Sequence) or hasattr(cells, "shape") else list(cells)


def _read_table(path: Path) -> Any:
    try:
        if path.suffix.lower() == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as file:
                return list(csv.DictReader(file))
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except FileNotFoundError:
        raise InvalidDataError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise InvalidDataError(f"{path}: can't be read as a table ({error}).") from error


@dataclass(frozen=True, eq=False)
class Cells:
    """The inputs of n rows as arrays, not yet scaled."""

    images: tuple[NDArray[np.float32], ...]  #: (n, C, H, W); zeros where missing
    present: NDArray[np.bool_]  #: (n, n_images)
    columns: tuple[NDArray[Any], ...]  #: (n,) float64 with NaN, or object with None
    errors: tuple[str | None, ...]  #: why a row can't be read

    def __len__(self) -> int:
        return len(self.errors)

    def take(self, rows: NDArray[np.int64]) -> Cells:
        """Return the rows of these indices, in this order."""
        return Cells(
            tuple(images[rows] for images in self.images),
            self.present[rows],
            tuple(column[rows] for column in self.columns),
            tuple(self.errors[i] for i in rows.tolist()),
        )

    @classmethod
    def joined(cls, first: Cells, second: Cells) -> Cells:
        """Return the rows of both."""
        return cls(
            tuple(np.concatenate(pair) for pair in zip(first.images, second.images, strict=True)),
            np.concatenate([first.present, second.present]),
            tuple(np.concatenate(pair) for pair in zip(first.columns, second.columns, strict=True)),
            (*first.errors, *second.errors),
        )

    def digests(self) -> list[str]:
        """Return a hash of the content of each row."""
        found = []
        for i in range(len(self)):
            digest = hashlib.blake2b(self.present[i].tobytes(), digest_size=16)
            for images in self.images:
                digest.update(images[i].tobytes())
            digest.update(repr([column[i] for column in self.columns]).encode())
            found.append(digest.hexdigest())
        return found


def missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which numbers, or names, of a column of `Cells` are missing."""
    if column.dtype == object:
        return np.array([name is None for name in column], dtype=bool)
    return np.asarray(np.isnan(column))


def read_cells(inputs: Inputs, table: RowTable, lenient: bool = False) -> Cells:
    """Read the inputs of a table; `lenient` takes a column that is not there for missing cells.

    A size that is not stated is that of the first image that can be read.
    """
    errors: list[str | None] = [None] * table.n
    images, present = [], np.zeros((table.n, len(inputs.images)), dtype=bool)
    for i, bands in enumerate(inputs.images):
        found, present[:, i] = _read_images(bands, table, lenient, errors)
        images.append(found)
    columns: list[NDArray[Any]] = []
    for one in inputs.table:
        if isinstance(one, Numeric):
            columns.append(_read_numbers(one, table.column(one.name, lenient), errors))
        else:
            columns.append(np.array(table.names(one.name, lenient), dtype=object))
    lost = [*~present.T, *map(missing, columns)]
    for row in np.flatnonzero(np.all(lost, axis=0)).tolist():
        errors[row] = errors[row] or "all inputs are missing"
    return Cells(tuple(images), present, tuple(columns), tuple(errors))


def _read_images(
    bands: Bands, table: RowTable, lenient: bool, errors: list[str | None]
) -> tuple[NDArray[np.float32], list[bool]]:
    size, kept = bands.size, []
    for row, cell in enumerate(table.column(bands.name, lenient)):
        image = None
        try:
            image = as_image(cell, bands.channels, size, table.root)
        except ValueError as error:
            errors[row] = errors[row] or f"{bands.name}: {error}"
        if image is not None and size is None:
            size = (image.shape[1], image.shape[2])
        kept.append(image)
    if size is None:
        first = next((error for error in errors if error), "all of them are missing")
        raise InvalidDataError(f"No image of {bands.name!r} can be read. The first: {first}.")
    blank = np.zeros((bands.channels, *size), dtype=np.float32)
    found = np.stack([blank if image is None else image for image in kept])
    return found, [image is not None for image in kept]


def _read_numbers(
    one: Numeric, cells: Sequence[Any], errors: list[str | None]
) -> NDArray[np.float64]:
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            found[row] = as_number(cell)
        except ValueError as error:
            errors[row] = errors[row] or f"{one.name}: {error}"
        if one.missing == "error" and np.isnan(found[row]):
            errors[row] = errors[row] or f"{one.name}: is missing"
    return found
