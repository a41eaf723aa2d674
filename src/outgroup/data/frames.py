"""DataFrames: one image a row."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from outgroup.data.samples import Samples
from outgroup.data.tables import (
    DEFAULT_LABEL,
    DEFAULT_PATH,
    Columns,
    Row,
    find_columns,
    samples_from_rows,
)
from outgroup.data.values import MISSING


class Frame(Protocol):
    """A table as of pandas or Polars: names of columns, and a column by its name."""

    @property
    def columns(self) -> Iterable[Any]:
        """Names of the columns."""

    def __getitem__(self, column: str, /) -> Iterable[Any]: ...

    def __len__(self) -> int: ...


def from_frame(
    frame: Frame,
    *,
    root: str | os.PathLike[str] | None = None,
    path_column: str = DEFAULT_PATH,
    label_column: str = DEFAULT_LABEL,
    group_column: str | None = None,
    source_column: str | None = None,
) -> Samples:
    """Return the images that a DataFrame lists.

    Parameters
    ----------
    frame : DataFrame
        Of pandas, Polars or alike.
    root : str, os.PathLike or None
        The folder that relative paths start from; None for the working directory.
    path_column, label_column : str
        Names of the columns. Cells of paths may also hold images: bytes, Pillow images, arrays.
        An empty label means other, a missing one (NaN, NA, or None, which pandas turns into NaN)
        that the image is unlabelled, and so does the absence of a column "label". Note that
        ``pandas.read_csv`` makes empty cells missing unless told ``keep_default_na=False``.
    group_column, source_column : str or None
        Names of the columns; None for "group" and "source" where there are such columns. Without a
        source, the origin of an image is "DataFrame".

    Returns
    -------
    Samples
        In the order of the rows.

    Raises
    ------
    InvalidParameterError
        If there is no such column.
    InvalidDataError
        If there is no row, or a row holds no image or a label that is no text.

    Examples
    --------
    >>> import pandas
    >>> frame = pandas.DataFrame({"path": ["1.jpg", "2.jpg"], "label": ["cat", ""]})
    >>> from_frame(frame, root="photos").labels
    ('cat', None)
    """
    columns = find_columns(
        list(frame.columns),
        path_column=path_column,
        label_column=label_column,
        group_column=group_column,
        source_column=source_column,
    )
    return samples_from_rows(
        _rows(frame, columns), root=None if root is None else os.fspath(root), origin="DataFrame"
    )


def _rows(frame: Frame, columns: Columns) -> Iterator[Row]:
    absent = [MISSING] * len(frame)
    cells = [
        absent if column is None else frame[column]
        for column in (columns.path, columns.label, columns.group, columns.source)
    ]
    for number, (path, label, group, source) in enumerate(zip(*cells, strict=True)):
        yield Row(f"row {number}", path, MISSING if label is None else label, group, source)
