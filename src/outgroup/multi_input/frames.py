"""Data with columns, however they come: a DataFrame, a dict, records, a JSON or CSV file."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgroup.errors import InvalidDataError, InvalidParameterError


@dataclass(frozen=True)
class Frame:
    """Columns of one length.

    Parameters
    ----------
    columns : dict of str to sequence
        Cells by the name of their column.
    n : int
        How many rows there are.
    root : Path or None
        Folder that paths in cells are relative to; None: as they are.
    """

    columns: Mapping[str, Sequence[Any]]
    n: int
    root: Path | None = None

    def column(self, name: str) -> Sequence[Any]:
        """Return the cells of a column.

        Raises
        ------
        InvalidDataError
            If there is no such column.
        """
        if name not in self.columns:
            listed = ", ".join(map(repr, self.columns)) or "none"
            raise InvalidDataError(f"There is no column {name!r}. There are: {listed}.")
        return self.columns[name]


def as_frame(data: Any) -> Frame:
    """Return data as columns.

    Parameters
    ----------
    data : DataFrame, mapping, sequence of mappings, path or Frame
        A path is that of a ``.json`` file (a list of records, or an object of columns), a
        ``.jsonl`` file (a record a line) or a ``.csv`` file.

    Raises
    ------
    InvalidDataError
        If columns differ in length, there are no rows, or a file can't be read.
    InvalidParameterError
        If it is nothing of this kind.

    Examples
    --------
    >>> as_frame([{"a": 1, "b": 2}, {"a": 3}]).columns
    {'a': [1, 3], 'b': [2, None]}
    """
    if isinstance(data, Frame):
        return data
    if isinstance(data, (str, os.PathLike)):
        path = Path(data)
        return _framed(_read(path), path.parent)
    return _framed(data, None)


def _framed(data: Any, root: Path | None) -> Frame:
    if hasattr(data, "columns") and hasattr(data, "iloc"):  # a DataFrame, pandas itself unseen
        columns = {str(name): data[name].tolist() for name in data.columns}
    elif isinstance(data, Mapping):
        columns = {str(name): _cells(cells, name) for name, cells in data.items()}
    elif isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        names = list(dict.fromkeys(str(name) for row in data for name in row))
        columns = {name: [row.get(name) for row in data] for name in names}
    else:
        raise InvalidParameterError(
            "The 'data' parameter must be a DataFrame, columns by name, a list of records, or a "
            f"JSON or CSV file. Got {type(data).__name__} instead."
        )
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
    return Frame(columns, n, root)


def _cells(cells: Any, name: object) -> Sequence[Any]:
    if isinstance(cells, (str, bytes)) or not hasattr(cells, "__len__"):
        raise InvalidDataError(f"Column {name!r} must be a list of cells. Got {cells!r}.")
    return cells if isinstance(cells, Sequence) or hasattr(cells, "shape") else list(cells)


def _read(path: Path) -> Any:
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
