"""Images with several labels, or with a class in each of several columns.

Two ways to write several labels, in a CSV file or a DataFrame::

    path,label                      path,cat,dog
    1.jpg,cat|dog                   1.jpg,1,1
    2.jpg,cat                       2.jpg,1,0
    3.jpg,                          3.jpg,0,0          3.jpg shows none of them

and one to write several answers::

    path,animal,colour
    1.jpg,cat,black
    2.jpg,dog,                      2.jpg is a dog of none of the colours

As everywhere, an empty cell means *none of these* and a missing one (the line ends before it, NaN)
that nobody has looked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from outgroup.data.csv_files import open_csv
from outgroup.data.frames import Frame
from outgroup.data.loading import TABLE_SUFFIXES, load_samples
from outgroup.data.samples import Samples
from outgroup.data.tables import (
    DEFAULT_GROUP,
    DEFAULT_LABEL,
    DEFAULT_PATH,
    DEFAULT_SOURCE,
    Row,
    find_columns,
    samples_from_rows,
)
from outgroup.data.values import MISSING, Cell, to_text
from outgroup.errors import InvalidDataError, InvalidParameterError

#: Between labels in a cell, and in the name of a folder.
BAR, PLUS = "|", "+"

YES, NO = {"1", "true", "yes"}, {"0", "false", "no"}
MARK = "1"


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Images, and for each a cell in every column.

    Parameters
    ----------
    samples : Samples
        The images; their own labels mean nothing.
    columns : tuple of str
        Labels that an image may have any number of; or columns of which each holds a class.
    cells : tuple of tuple of Cell, one for each image
        None for "not this label" or "none of these classes", `MISSING` where nobody has looked;
        else "1", or the class.

    Raises
    ------
    InvalidDataError
        If there is not a row for each image, or a cell for each column.
    """

    samples: Samples
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.cells} - {len(self.columns)}
        if len(self.cells) != len(self.samples) or widths:
            raise InvalidDataError(
                f"There must be a row for each of {len(self.samples)} images with a cell for each "
                f"of {len(self.columns)} columns. Got {len(self.cells)} rows."
            )

    def with_others(self, others: Samples) -> LabelTable:
        """Return these images and others, which are none of what there is."""
        nothing: tuple[Cell, ...] = (None,) * len(self.columns)
        samples = Samples.concatenate([self.samples, others])
        return LabelTable(samples, self.columns, self.cells + (nothing,) * len(others))

    def aligned(self, columns: Sequence[str], absent: Cell) -> LabelTable:
        """Return the given columns; `absent` is in the cells of those that are not there."""
        place = {name: i for i, name in enumerate(self.columns)}
        cells = tuple(
            tuple(row[place[name]] if name in place else absent for name in columns)
            for row in self.cells
        )
        return LabelTable(self.samples, tuple(columns), cells)


def label_matrix(cells: Sequence[Sequence[Cell]], n_columns: int) -> NDArray[np.int64]:
    """Return 1 for a label that is there, 0 for one that is not, -1 where nobody has looked.

    Examples
    --------
    >>> label_matrix([("1", None), (None, MISSING)], 2)
    array([[ 1,  0],
           [ 0, -1]])
    """
    marks = [[-1 if c is MISSING else int(c is not None) for c in row] for row in cells]
    return np.array(marks, dtype=np.int64).reshape(len(cells), n_columns)


def load_label_lists(
    data: Any, *, label_column: str = DEFAULT_LABEL, classes: Sequence[str] | None = None
) -> LabelTable:
    """Return images whose labels stand in one cell, as in ``cat|dog``.

    Parameters
    ----------
    data : str, os.PathLike, DataFrame or Samples
        As for `load_samples`. In a folder the names of sub-folders hold a plus where images have
        several labels: ``cat``, ``dog``, ``cat+dog``.
    label_column : str
        The column of labels.
    classes : sequence of str or None
        The labels there may be; None: those that are found, sorted.

    Raises
    ------
    InvalidParameterError
        If `data` is a folder without such names, and `classes` is None.
    InvalidDataError
        If a label is none of `classes`.

    Examples
    --------
    >>> samples = Samples(["1.jpg", "2.jpg"], ["dog | cat", None], [None] * 2, ["web"] * 2)
    >>> table = load_label_lists(samples)
    >>> table.columns, table.cells
    (('cat', 'dog'), (('1', '1'), (None, None)))
    """
    samples = load_samples(data, label_column=label_column)
    is_folder = isinstance(data, (str, os.PathLike)) and os.path.isdir(data)
    lists = [_split(label, PLUS if is_folder else BAR) for label in samples.labels]
    if is_folder and classes is None and not any(len(labels) > 1 for labels in lists):
        raise InvalidParameterError(
            f"The 'data' parameter must say which images have several labels. Got {str(data)!r} "
            "instead, a folder that gives each image one. Name folders like 'cat+dog', or write a "
            "CSV file with the columns path and label, and labels like cat|dog; or leave out "
            "'multi_label'."
        )
    found = sorted({label for labels in lists for label in labels})
    if classes is None:
        columns = tuple(found)
    else:
        columns = tuple(classes)
        check_known(found, columns, "labels")
    cells = tuple(tuple(MARK if name in labels else None for name in columns) for labels in lists)
    return LabelTable(_unmarked(samples), columns, cells)


def load_label_columns(data: Any, columns: Sequence[str], *, marks: bool) -> LabelTable:
    """Return images with a cell in each of several columns of a CSV file or DataFrame.

    Parameters
    ----------
    data : str, os.PathLike or DataFrame
        A table with a column "path", the given ones, and optionally "group" and "source".
    columns : sequence of str
        Names of the columns.
    marks : bool
        Whether each column is a label, and its cells say by 1 or 0 (or yes, no, true, false) if the
        image has it; else each column holds classes.

    Raises
    ------
    InvalidParameterError
        If there is no such file or column.
    InvalidDataError
        If a cell is no mark where it has to be one.

    Examples
    --------
    >>> import pandas
    >>> frame = pandas.DataFrame({"path": ["1.jpg", "2.jpg"], "cat": [1, 0], "dog": [1, None]})
    >>> load_label_columns(frame, ["cat", "dog"], marks=True).cells
    (('1', '1'), (None, <_Missing.MISSING: 'missing'>))
    """
    if isinstance(columns, str) or len(set(columns)) != len(columns) or not columns:
        raise InvalidParameterError(
            f"The 'label_columns' parameter must be different names. Got {columns!r} instead."
        )
    if isinstance(data, (str, os.PathLike)) and str(data).lower().endswith(TABLE_SUFFIXES):
        name, header, lines = open_csv(os.fspath(data))
        origin, root = os.path.splitext(name)[0], os.path.dirname(os.fspath(data))
        rows: Iterable[tuple[str, Sequence[object]]] = (
            (f"line {line} of {name}", [*cells, *[MISSING] * (len(header) - len(cells))])
            for line, cells in lines
        )
    elif hasattr(data, "columns"):
        header, rows = _frame_rows(cast("Frame", data))
        origin, root = "DataFrame", ""
    else:
        raise InvalidParameterError(
            "The 'data' parameter must be a .csv or .tsv file or a DataFrame, to have the columns "
            f"{', '.join(columns)}. Got {data!r} instead."
        )
    return _from_rows(header, rows, columns, root or None, origin, marks)


def check_known(found: Iterable[str], known: Sequence[str], what: str) -> None:
    """Refuse names that are not among those that a model knows.

    Raises
    ------
    InvalidDataError
        If there is one.
    """
    strange = sorted({*found} - {*known})
    if strange:
        raise InvalidDataError(
            f"There are {what} that the model does not know: {', '.join(strange)}. It knows "
            f"{', '.join(known)}. Give images of nothing it knows as unknown, without a label."
        )


def _from_rows(
    header: Sequence[str],
    rows: Iterable[tuple[str, Sequence[object]]],
    columns: Sequence[str],
    root: str | None,
    origin: str,
    marks: bool,
) -> LabelTable:
    found = find_columns(
        header,
        path_column=DEFAULT_PATH,
        label_column=DEFAULT_LABEL,
        group_column=DEFAULT_GROUP,
        source_column=DEFAULT_SOURCE,
    )
    for name in columns:
        if name not in header:
            listed = ", ".join(map(repr, header))
            raise InvalidParameterError(
                f"The 'label_columns' parameter must name columns, of {listed}. "
                f"Got {name!r} instead."
            )
    place = {name: i for i, name in reversed(list(enumerate(header)))}
    table: list[Row] = []
    cells: list[tuple[Cell, ...]] = []
    for where, row in rows:
        answers = tuple(_cell(row[place[name]], name, where, marks) for name in columns)
        looked_at = any(cell is not MISSING for cell in answers)
        group, source = (
            None if name is None else row[place[name]] for name in (found.group, found.source)
        )
        # what stands for a label here only says whether anybody has looked at the image
        table.append(
            Row(where, row[place[found.path]], MARK if looked_at else MISSING, group, source)
        )
        if looked_at:
            cells.append(answers)
    samples = samples_from_rows(table, root=root, origin=origin)
    return LabelTable(_unmarked(samples), tuple(columns), tuple(cells))


def _frame_rows(frame: Frame) -> tuple[list[str], Iterator[tuple[str, list[object]]]]:
    names = list(frame.columns)
    rows = zip(*(frame[name] for name in names), strict=True)
    return names, (
        (f"row {i}", [MISSING if cell is None else cell for cell in row])
        for i, row in enumerate(rows)
    )


def _cell(value: object, column: str, where: str, marks: bool) -> Cell:
    text = to_text(value, f"{column} ({where})")
    if not marks or text is None or text is MISSING:
        return text
    if text.lower() in YES | NO:
        return MARK if text.lower() in YES else None
    raise InvalidDataError(
        f"A cell of the label {column!r} must be 1 or 0, yes or no, true or false, or empty. Got "
        f"{text!r} in {where} instead. If the column holds classes, it is for multi-output."
    )


def _split(label: str | None, separator: str) -> set[str]:
    parts = (part.strip() for part in (label or "").split(separator))
    return {part for part in parts if part}


def _unmarked(samples: Samples) -> Samples:
    return replace(samples, labels=[None] * len(samples))
