"""Rows of a table as samples; what CSV files and DataFrames have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from outgroup.data.samples import Samples
from outgroup.data.values import MISSING, to_name, to_text
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource

DEFAULT_PATH, DEFAULT_LABEL, DEFAULT_GROUP, DEFAULT_SOURCE = "path", "label", "group", "source"


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table; None where the table has no such column."""

    path: str
    label: str | None
    group: str | None
    source: str | None


def find_columns(
    present: Sequence[object],
    *,
    path_column: str,
    label_column: str,
    group_column: str | None,
    source_column: str | None,
) -> Columns:
    """Return which of the columns `present` are used.

    Only columns of the default names may be absent; another name was chosen, so its absence is
    taken for a typing mistake.

    Raises
    ------
    InvalidParameterError
        If there is no column of paths, or a column that was asked for is absent.

    Examples
    --------
    >>> find_columns(["path", "group"], path_column="path", label_column="label",
    ...              group_column=None, source_column=None)
    Columns(path='path', label=None, group='group', source=None)
    """

    def column(parameter: str, name: str, default: str | None) -> str | None:
        if name in present:
            return name
        if name == default:
            return None
        listed = ", ".join(map(repr, present))
        raise InvalidParameterError(
            f"The {parameter!r} parameter must be one of the columns, {listed}. "
            f"Got {name!r} instead."
        )

    column("path_column", path_column, None)
    return Columns(
        path_column,
        column("label_column", label_column, DEFAULT_LABEL),
        column("group_column", group_column or DEFAULT_GROUP, DEFAULT_GROUP),
        column("source_column", source_column or DEFAULT_SOURCE, DEFAULT_SOURCE),
    )


@dataclass(frozen=True)
class Row:
    """One row of a table; cells that are absent are `MISSING`.

    Parameters
    ----------
    place : str
        Where it is, for messages, such as "line 3 of photos.csv".
    path, label, group, source : object
        The cells.
    """

    place: str
    path: object
    label: object
    group: object
    source: object


def samples_from_rows(rows: Iterable[Row], *, root: str | None, origin: str) -> Samples:
    """Return the rows as samples.

    Parameters
    ----------
    rows : iterable of Row
        Empty labels mean other; `MISSING` ones put the row's source among the unlabelled.
    root : str or None
        The folder that relative paths start from; None for the working directory.
    origin : str
        The origin of rows that name none.

    Raises
    ------
    InvalidDataError
        If there is no row, or a row holds no image or a label that is no text.
    """
    sources: list[ImageSource] = []
    labels: list[str | None] = []
    groups: list[str | None] = []
    origins: list[str] = []
    unlabelled: list[ImageSource] = []
    for row in rows:
        source = _image(row, root)
        label = to_text(row.label, f"label ({row.place})")
        if label is MISSING:
            unlabelled.append(source)
            continue
        sources.append(source)
        labels.append(label)
        groups.append(to_name(row.group, f"group ({row.place})"))
        origins.append(to_name(row.source, f"source ({row.place})") or origin)
    if not sources and not unlabelled:
        raise InvalidDataError(f"There must be at least one image. Got none from {origin!r}.")
    return Samples(sources, labels, groups, origins, unlabelled)


def _image(row: Row, root: str | None) -> ImageSource:
    cell = row.path
    if isinstance(cell, (bytes, Image.Image, np.ndarray)):
        return cell
    if isinstance(cell, (str, os.PathLike)) and os.fspath(cell):
        path = str(os.fspath(cell))
        return path if root is None else os.path.join(root, path)
    raise InvalidDataError(f"Every row must name an image. There is none in {row.place}.")
