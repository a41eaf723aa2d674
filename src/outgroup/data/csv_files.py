"""CSV files: one image a line."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator

from outgroup.data.samples import Samples
from outgroup.data.tables import (
    DEFAULT_LABEL,
    DEFAULT_PATH,
    Columns,
    Row,
    find_columns,
    samples_from_rows,
)
from outgroup.data.values import MISSING, file_name_text
from outgroup.errors import InvalidDataError, InvalidParameterError

DELIMITERS = (",", ";", "\t")

# A byte order mark tells the encoding; without one it must be UTF-8.
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def from_csv(
    path: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    path_column: str = DEFAULT_PATH,
    label_column: str = DEFAULT_LABEL,
    group_column: str | None = None,
    source_column: str | None = None,
) -> Samples:
    r"""Return the images that a CSV file lists.

    Parameters
    ----------
    path : str or os.PathLike
        The file: UTF-8 (or UTF-16 with a byte order mark), a header in the first line, cells
        separated by commas, semicolons or tabs.
    root : str, os.PathLike or None
        The folder that relative paths start from; None for the folder of the CSV file.
    path_column, label_column : str
        Names of the columns. An empty label means other. Where the cell is not there at all,
        because the line ends before it or there is no column "label", the image is unlabelled.
    group_column, source_column : str or None
        Names of the columns; None for "group" and "source" where there are such columns. Without a
        source, the origin of an image is the name of the CSV file without its ending.

    Returns
    -------
    Samples
        In the order of the lines.

    Raises
    ------
    InvalidParameterError
        If there is no such file or no such column.
    InvalidDataError
        If the file is no CSV file as described; the message tells the line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "zoo.csv"
    >>> _ = file.write_text("path,label\n1.jpg,cat\n2.jpg,\n3.jpg\n")
    >>> samples = from_csv(file, root="photos")
    >>> samples.sources, samples.labels, samples.unlabelled
    (('photos/1.jpg', 'photos/2.jpg'), ('cat', None), ('photos/3.jpg',))
    """
    path = os.fspath(path)
    name, header, lines = open_csv(path)
    columns = find_columns(
        header,
        path_column=path_column,
        label_column=label_column,
        group_column=group_column,
        source_column=source_column,
    )
    return samples_from_rows(
        _rows(lines, header, columns, name),
        root=os.path.dirname(path) if root is None else os.fspath(root),
        origin=os.path.splitext(name)[0],
    )


def open_csv(path: str) -> tuple[str, list[str], Iterator[tuple[int, list[str]]]]:
    """Return a CSV file's name, its header, and an iterator over number and cells of each line.

    Raises
    ------
    InvalidParameterError, InvalidDataError
        As `from_csv` does.
    """
    name = file_name_text(os.path.basename(path))
    text = _read_text(path, name)
    first_line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)  # of equals, such as none at all, the first
    lines = _lines(text, name, delimiter)
    header = [cell.strip() for cell in next(lines, (0, []))[1]]
    return name, header, _no_longer_than(lines, len(header), name)


def _no_longer_than(
    lines: Iterator[tuple[int, list[str]]], width: int, name: str
) -> Iterator[tuple[int, list[str]]]:
    for line, cells in lines:
        if len(cells) > width:
            raise InvalidDataError(
                f"Line {line} of {name} has {len(cells)} cells, the header {width}. "
                'Put cells that contain the separator in "quotes".'
            )
        yield line, cells


def _read_text(path: str, name: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise InvalidParameterError(
            f"The 'path' parameter must be a CSV file. Got {path!r} instead: {error.strerror}."
        ) from error
    encoding = "utf-16" if data.startswith(UTF16_MARKS) else "utf-8-sig"
    try:
        return data.decode(encoding)
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


def _rows(
    lines: Iterator[tuple[int, list[str]]], header: list[str], columns: Columns, name: str
) -> Iterator[Row]:
    indices = [
        None if column is None else header.index(column)
        for column in (columns.path, columns.label, columns.group, columns.source)
    ]
    for line, cells in lines:
        found = [MISSING if i is None or i >= len(cells) else cells[i] for i in indices]
        yield Row(f"line {line} of {name}", *found)
