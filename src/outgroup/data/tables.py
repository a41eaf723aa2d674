"""Read CSV files, DataFrames and arrays of one image a row."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from outgroup._numeric import require
from outgroup.data.folders import IN_MEMORY, from_folder, from_images
from outgroup.data.samples import Samples, require_equal_lengths
from outgroup.data.values import MISSING, Cell, file_name_text, to_name, to_text
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource

DEFAULT_PATH, DEFAULT_LABEL, DEFAULT_GROUP, DEFAULT_SOURCE = "path", "label", "group", "source"

SUFFIXES, DELIMITERS = (".csv", ".tsv"), (",", ";", "\t")

# A byte order mark tells UTF-16; without one the file must be UTF-8.
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class DataFrameLike(Protocol):
    """A DataFrame of pandas, Polars or alike."""

    @property
    def columns(self) -> Iterable[Any]:
        """Names of the columns."""

    def __getitem__(self, column: str, /) -> Iterable[Any]: ...


@dataclass(frozen=True)
class Table:
    """An open table.

    Parameters
    ----------
    rows : callable
        Takes names of columns; yields, for each row, its place for error messages, such as "line 3
        of photos.csv", and its cells, `MISSING` where there is none. A CSV file can be read once.
    origin : str
        Default origin of its images.
    root : str
        Folder that relative paths start from; empty for the working directory.
    """

    names: Sequence[str]
    rows: Callable[[Sequence[str]], Iterator[tuple[str, Sequence[object]]]]
    origin: str
    root: str = ""


def open_table(data: Any) -> Table | None:
    """Open a path that ends in .csv or .tsv, or a DataFrame; return None for anything else."""
    if isinstance(data, (str, os.PathLike)):
        return open_csv(data) if os.fspath(data).lower().endswith(SUFFIXES) else None
    return open_frame(data) if hasattr(data, "columns") else None


def open_csv(path: str | os.PathLike[str]) -> Table:
    """Open a CSV file; see `from_csv`."""
    path = os.fspath(path)
    name = file_name_text(os.path.basename(path))
    text = _read_text(path, name)
    first_line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    lines = _lines(text, name, delimiter)
    header = [cell.strip() for cell in next(lines, (0, []))[1]]

    def rows(names: Sequence[str]) -> Iterator[tuple[str, Sequence[object]]]:
        indices = [header.index(column) for column in names]
        for line, cells in lines:
            if len(cells) > len(header):
                raise InvalidDataError(
                    f"Line {line} of {name} has {len(cells)} cells, the header {len(header)}. "
                    'Put cells that contain the separator in "quotes".'
                )
            found = [cells[i] if i < len(cells) else MISSING for i in indices]
            yield f"line {line} of {name}", found

    return Table(header, rows, os.path.splitext(name)[0], os.path.dirname(path))


def _read_text(path: str, name: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise InvalidParameterError(
            f"Invalid `path`: must be a CSV file, got {path!r}: {error.strerror}."
        ) from error
    try:
        return data.decode("utf-16" if data.startswith(UTF16_MARKS) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidDataError(
            f'{name} must be encoded as UTF-8. Line {line} is not. Save it again as "CSV UTF-8".'
        ) from error


def _lines(text: str, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is not blank."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise InvalidDataError(f"Line {start} of {name} can't be read as CSV: {error}.") from error


def open_frame(frame: DataFrameLike) -> Table:
    """Open a DataFrame; see `from_frame`."""
    return _open_columns(list(frame.columns), frame.__getitem__, " of the DataFrame", "DataFrame")


def _open_columns(
    names: Sequence[str], column: Callable[[str], Iterable[object]], where: str, origin: str
) -> Table:
    def rows(names: Sequence[str]) -> Iterator[tuple[str, Sequence[object]]]:
        for i, cells in enumerate(zip(*map(column, names), strict=True)):
            yield f"row {i}{where}", [MISSING if cell is None else cell for cell in cells]

    return Table(names, rows, origin)


def read_rows(
    table: Table,
    label_columns: Sequence[str | None],
    parse: Callable[[object, str], Cell] = to_text,
    root: str | os.PathLike[str] | None = None,
    path_column: str = DEFAULT_PATH,
    group_column: str | None = None,
    source_column: str | None = None,
) -> tuple[Samples, list[tuple[Cell, ...]]]:
    """Return the images of a table without labels, and for each its cells in `label_columns`.

    All cells of a column that is None are missing. An image without any cell is unlabelled. `parse`
    converts a cell, given its name for error messages. For the rest see `from_csv`.
    """
    path = find_column(table, "path_column", path_column)
    group = find_column(table, "group_column", group_column or DEFAULT_GROUP, DEFAULT_GROUP)
    origin = find_column(table, "source_column", source_column or DEFAULT_SOURCE, DEFAULT_SOURCE)
    names = [name for name in (path, *label_columns, group, origin) if name is not None]
    folder = table.root if root is None else os.fspath(root)
    sources: list[ImageSource] = []
    groups: list[str | None] = []
    origins: list[str] = []
    labels: list[tuple[Cell, ...]] = []
    unlabelled: list[ImageSource] = []
    for place, cells in table.rows(names):
        row: dict[str | None, object] = dict(zip(names, cells, strict=True))
        source = _image(row[path], place, folder)
        found = tuple(
            parse(row.get(name, MISSING), f"cell of {name!r} ({place})") for name in label_columns
        )
        if all(cell is MISSING for cell in found):
            unlabelled.append(source)
            continue
        sources.append(source)
        labels.append(found)
        groups.append(to_name(row.get(group), f"group ({place})"))
        origins.append(to_name(row.get(origin), f"source ({place})") or table.origin)
    if not sources and not unlabelled:
        raise InvalidDataError(f"There must be at least one image, got none in {table.origin!r}.")
    return Samples(sources, [None] * len(sources), groups, origins, unlabelled), labels


def find_column(table: Table, parameter: str, name: str, default: str | None = None) -> str | None:
    """Return the name of a column; None if it is the default one and absent."""
    there, listed = name in table.names, ", ".join(map(repr, table.names))
    require(there or name == default, parameter, f"one of the columns, {listed}", name)
    return name if there else None


def _image(cell: object, place: str, root: str) -> ImageSource:
    if isinstance(cell, (bytes, Image.Image, np.ndarray)):
        return cell
    if isinstance(cell, (str, os.PathLike)) and os.fspath(cell):
        return os.path.join(root, str(os.fspath(cell)))
    raise InvalidDataError(f"Every row must name an image. There is none in {place}.")


def from_csv(
    path: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    path_column: str = DEFAULT_PATH,
    label_column: str = DEFAULT_LABEL,
    group_column: str | None = None,
    source_column: str | None = None,
) -> Samples:
    """Read a CSV file of one image a line.

    Parameters
    ----------
    path : str or os.PathLike
        The file: UTF-8, or UTF-16 with a byte order mark; a header in the first line; cells
        separated by commas, semicolons or tabs.
    root : str, os.PathLike or None
        The folder that relative paths start from; None for the folder of the CSV file.
    path_column, label_column : str
        Names of the columns. An empty label means other. An image is unlabelled if its line ends
        before the label, or there is no column "label".
    group_column, source_column : str or None
        Names of the columns; None for "group" and "source", if there are such columns. The default
        origin is the name of the CSV file without its ending.
    """
    columns = root, path_column, group_column, source_column
    return _labelled(open_csv(path), label_column, *columns)


def from_frame(
    frame: DataFrameLike,
    *,
    root: str | os.PathLike[str] | None = None,
    path_column: str = DEFAULT_PATH,
) -> Samples:
    """Read a DataFrame (of pandas, Polars or alike) of one image a row.

    As `from_csv`, but relative paths start from the working directory. Instead of a path, a cell
    may hold an image: bytes, a Pillow image or an array. An image is unlabelled if its label is
    missing (NaN, NA or None); ``pandas.read_csv`` makes empty cells missing unless told
    ``keep_default_na=False``.
    """
    return _labelled(open_frame(frame), DEFAULT_LABEL, root, path_column)


def from_arrays(
    images: Iterable[ImageSource] | NDArray[Any],
    labels: Iterable[object],
    groups: Iterable[object] | None = None,
    sources: Iterable[object] | None = None,
) -> Samples:
    """Combine images with their labels: text or numbers.

    Labels None and empty text mean other, NaN unlabelled; a group None or NaN means no group. The
    default origin is "memory".
    """
    if isinstance(images, (str, bytes)) or not np.iterable(images):
        got = type(images).__name__
        raise InvalidParameterError(
            f"Invalid `images`: must be a sequence of images, got a single {got}."
        )
    given: dict[str, list[object]] = {
        "images": list(images),
        "labels": ["" if label is None else label for label in labels],
    }
    for name, column in (("groups", groups), ("sources", sources)):
        given[name] = [None] * len(given["images"]) if column is None else list(column)
    require_equal_lengths(given)
    names = (DEFAULT_PATH, DEFAULT_LABEL, DEFAULT_GROUP, DEFAULT_SOURCE)
    columns = dict(zip(names, given.values(), strict=True))
    return _labelled(_open_columns(names, columns.__getitem__, "", IN_MEMORY))


def _labelled(table: Table, label_column: str = DEFAULT_LABEL, *columns: Any) -> Samples:
    """Return the images of a table with the labels of one column."""
    label = find_column(table, "label_column", label_column, DEFAULT_LABEL)
    samples, cells = read_rows(table, [label], to_text, *columns)
    return replace(samples, labels=[cast("str | None", cell) for (cell,) in cells])


def load_samples(
    data: Samples | str | os.PathLike[str] | DataFrameLike | Iterable[ImageSource],
    label_column: str = DEFAULT_LABEL,
) -> Samples:
    """Read a folder, a CSV file, a DataFrame or a list of images.

    A folder has one sub-folder for each class (`from_folder`); the images of a list have no labels,
    which means other (`from_images`). `Samples` are returned as they are.
    """
    if isinstance(data, Samples):
        return data
    got = type(data).__name__
    if isinstance(data, (str, os.PathLike)):
        if os.path.isdir(data):
            return from_folder(data)
        got = repr(os.fspath(data)) + ("" if os.path.exists(data) else ", which is not there")
    table = open_table(data)
    if table is not None:
        return _labelled(table, label_column)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, os.PathLike)):
        return from_images(data)
    raise InvalidParameterError(
        "Invalid `data`: must be a folder, a .csv or .tsv file, a DataFrame or a list of images, "
        f"got {got}."
    )
