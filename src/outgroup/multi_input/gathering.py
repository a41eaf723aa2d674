"""Rows to learn from, gathered from the table of known ones and that of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from outgroup.errors import InvalidParameterError
from outgroup.multi_input.cells import as_name
from outgroup.multi_input.declarations import Inputs
from outgroup.multi_input.encoding import Cells, read_cells
from outgroup.multi_input.frames import Frame, as_frame
from outgroup.multi_input.rowset import RowSet, make_rowset


def gather_rows(
    inputs: Inputs,
    target: str,
    data: Any,
    y: Any,
    groups: Any = None,
    other: Any = None,
    classes: Sequence[str] | None = None,
    id: str | None = None,
    names: Mapping[str, str] | None = None,
) -> RowSet:
    """Read rows, and join those that are none of the classes to them.

    Parameters
    ----------
    inputs, target
        As for `MultiInputClassifier`.
    data, y, groups, other, classes, id, names
        As for its `fit`.

    Raises
    ------
    InvalidDataError
        If nothing can be learned from them.
    InvalidParameterError
        If `y` is neither a column nor labels.
    """
    frame = as_frame(data)
    cells = read_cells(inputs, frame)
    labels = labels_of(frame, y, names)
    own = frame.column(groups) if isinstance(groups, str) else groups
    paths = None if id is None else [as_name(cell) for cell in frame.column(id)]
    if other is None:
        return make_rowset(cells, labels, classes, target, own, paths)
    more = as_frame(other)
    n = more.n
    if isinstance(labels, np.ndarray):
        labels = np.concatenate([labels, np.zeros((n, labels.shape[1]), dtype=labels.dtype)])
    else:
        labels = [*labels, *([None] * n)]
    if own is not None:
        there = groups if isinstance(groups, str) and groups in more.columns else None
        # a group of negatives is none of the known ones, whatever it is called
        of_other = [
            None if as_name(cell) is None else f"other {as_name(cell)}"
            for cell in (more.column(there) if there else [None] * n)
        ]
        own = [*own, *of_other]
    if paths is not None:
        there = id if id in more.columns else None
        paths += [as_name(cell) for cell in (more.column(there) if there else [None] * n)]
    sized = [
        replace(bands, size=images.shape[2:])
        for bands, images in zip(inputs.images, cells.images, strict=True)
    ]
    of_more = read_cells(Inputs(sized, inputs.table, inputs.fusion), more)
    return make_rowset(_joined(cells, of_more), labels, classes, target, own, paths)


def labels_of(frame: Frame, y: Any, names: Mapping[str, str] | None = None) -> Any:
    """Return labels as a list, or as the matrix they were given as.

    Examples
    --------
    >>> labels_of(as_frame({"kind": [0, 1, None]}), "kind", {"0": "ship"})
    ['ship', '1', None]
    """
    labels = frame.column(y) if isinstance(y, str) else y
    if labels is None or isinstance(labels, (int, float)):
        raise InvalidParameterError(
            f"The 'y' parameter must be a column or labels. Got {labels!r} instead."
        )
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        return labels
    if not names:
        return list(labels)
    return [_named(cell, names) for cell in labels]


def _named(cell: Any, names: Mapping[str, str]) -> Any:
    if isinstance(cell, (list, tuple)):
        return [_named(one, names) for one in cell]
    if isinstance(cell, str) and "|" in cell:
        return [_named(one.strip(), names) for one in cell.split("|")]
    name = as_name(cell)
    return None if name is None else names.get(name, name)


def _joined(first: Cells, second: Cells) -> Cells:
    return Cells(
        tuple(np.concatenate(pair) for pair in zip(first.images, second.images, strict=True)),
        np.concatenate([first.present, second.present]),
        tuple(
            (*one, *two) if isinstance(one, tuple) else np.concatenate([one, two])
            for one, two in zip(first.columns, second.columns, strict=True)
        ),
        (*first.errors, *second.errors),
    )
