"""Whatever the user has, as samples."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, cast

from outgroup.data.csv_files import from_csv
from outgroup.data.folders import from_folder, from_images
from outgroup.data.frames import Frame, from_frame
from outgroup.data.samples import Samples
from outgroup.data.tables import DEFAULT_LABEL, DEFAULT_PATH
from outgroup.errors import InvalidParameterError
from outgroup.images import ImageSource

TABLE_SUFFIXES = (".csv", ".tsv")


def load_samples(
    data: Samples | str | os.PathLike[str] | Frame | Iterable[ImageSource],
    *,
    root: str | os.PathLike[str] | None = None,
    path_column: str = DEFAULT_PATH,
    label_column: str = DEFAULT_LABEL,
    group_column: str | None = None,
    source_column: str | None = None,
) -> Samples:
    """Return samples from a folder, a CSV file, a DataFrame, a list, or samples.

    Parameters
    ----------
    data : Samples, str, os.PathLike, DataFrame or iterable of ImageSource
        A folder with one sub-folder a class (see `from_folder`), a ``.csv`` or ``.tsv`` file
        (`from_csv`), a DataFrame (`from_frame`), or images without labels (`from_images`: they are
        others). Samples are returned as they are.
    root, path_column, label_column, group_column, source_column
        Of CSV files and DataFrames, as described there.

    Raises
    ------
    InvalidParameterError, InvalidDataError
        As the function that loads them does, or if `data` is none of these.

    Examples
    --------
    >>> load_samples("fotos")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'data' parameter must be a folder, a .csv or .tsv
    file, a DataFrame or a list of images. Got 'fotos', which is not there.
    """
    if isinstance(data, Samples):
        return data
    table: dict[str, Any] = {
        "root": root,
        "path_column": path_column,
        "label_column": label_column,
        "group_column": group_column,
        "source_column": source_column,
    }
    if isinstance(data, (str, os.PathLike)):
        if os.path.isdir(data):
            return from_folder(data)
        if os.fspath(data).lower().endswith(TABLE_SUFFIXES):
            return from_csv(data, **table)
    elif hasattr(data, "columns"):
        return from_frame(cast("Frame", data), **table)
    elif isinstance(data, Iterable) and not isinstance(data, bytes):
        return from_images(data)
    got = f"{type(data).__name__} instead"
    if isinstance(data, (str, os.PathLike)):
        there = os.path.exists(data)
        got = f"{os.fspath(data)!r}{' instead' if there else ', which is not there'}"
    raise InvalidParameterError(
        "The 'data' parameter must be a folder, a .csv or .tsv file, a DataFrame or a list of "
        f"images. Got {got}."
    )
