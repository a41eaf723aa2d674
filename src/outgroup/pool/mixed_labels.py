"""The labels of negatives in a batch: one more class, None, or a row of zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.pool import arrays

#: Takes labels, the number of negatives and of classes; returns the labels of all.
Labeller = Callable[[Any, int, "int | None"], Any]


def index(labels: Any, n: int, n_classes: int | None) -> Any:
    """Add class ``n_classes``, the one behind the known ones, to whole numbers or one-hot rows."""
    assert n_classes is not None
    if isinstance(labels, (list, tuple)):
        if not all(isinstance(label, (int, np.integer)) for label in labels):
            raise _no_numbers(labels)
        _check_range(max(labels, default=0), n_classes)
        return type(labels)([*labels, *[n_classes] * n])
    _check_array(labels)
    if arrays.kind(labels) == "other":
        raise _no_numbers(labels)
    if labels.ndim == 2:
        if labels.shape[1] != n_classes + 1:
            raise InvalidDataError(
                f"One-hot labels with a class for negatives must have {n_classes + 1} columns, one "
                f"more than there are classes. Got {labels.shape[1]}. Add a column, or give "
                "target='zeros' for a row of zeros."
            )
        rows = np.zeros((n, n_classes + 1), dtype=np.float32)
        rows[:, n_classes] = 1
        return arrays.join(labels, rows)
    if labels.ndim != 1 or arrays.kind(labels) == "bool":
        raise _no_numbers(labels)
    if len(labels):
        _check_range(arrays.span(labels)[1], n_classes)
    if arrays.kind(labels) == "integer" and n_classes > arrays.largest(labels):
        raise InvalidDataError(
            f"Labels of type {labels.dtype} can't hold {n_classes}, the index of the negatives. "
            "Give them as int64."
        )
    return arrays.join(labels, np.full(n, n_classes, dtype=np.int64))


def none(labels: Any, n: int, n_classes: int | None) -> Any:
    """Add None: to a list it is added, an array becomes one of objects, a tensor a list."""
    if isinstance(labels, (list, tuple)):
        return type(labels)([*labels, *[None] * n])
    _check_array(labels)
    values = labels.tolist()
    if arrays.is_tensor(labels):
        return [*values, *[None] * n]
    joined = np.empty(len(values) + n, dtype=object)
    joined[: len(values)] = values if labels.ndim == 1 else [list(row) for row in values]
    return joined


def zeros(labels: Any, n: int, n_classes: int | None) -> Any:
    """Add rows of zeros to one-hot or multi-hot labels."""
    _check_array(labels)
    if labels.ndim != 2 or (n_classes is not None and labels.shape[1] != n_classes):
        columns = "a column" if n_classes is None else f"{n_classes} columns, one"
        raise InvalidDataError(
            f"With target='zeros' labels must be one-hot or multi-hot: {columns} a class. Got "
            f"shape {tuple(labels.shape)}. Give target='index' for labels that are whole numbers."
        )
    return arrays.join(labels, np.zeros((n, labels.shape[1]), dtype=np.uint8))


LABELLERS: dict[str, Labeller] = {"index": index, "none": none, "zeros": zeros}


def labeller(target: Any, n_classes: Any) -> Labeller:
    """Return what adds the labels of negatives.

    Raises
    ------
    InvalidParameterError
        If there is no such target, or it needs the number of classes and there is none.
    """
    if not isinstance(target, str) or target not in LABELLERS:
        raise InvalidParameterError(
            f"The 'target' parameter must be one of {', '.join(map(repr, LABELLERS))}. "
            f"Got {target!r} instead."
        )
    whole = isinstance(n_classes, (int, np.integer)) and not isinstance(n_classes, bool)
    if n_classes is not None and not (whole and n_classes >= 1):
        raise InvalidParameterError(
            "The 'n_classes' parameter must be a whole number from 1 up, or None. "
            f"Got {n_classes!r} instead."
        )
    if target == "index" and n_classes is None:
        raise InvalidParameterError(
            "The 'n_classes' parameter must be the number of known classes with target='index'. "
            "Got None instead. Negatives get that number as their label."
        )
    return LABELLERS[target]


def _check_array(labels: Any) -> None:
    if not arrays.is_array(labels):
        raise InvalidDataError(
            "Labels must be a list, a NumPy array or a PyTorch tensor. "
            f"Got {type(labels).__name__}."
        )


def _check_range(highest: float, n_classes: int) -> None:
    if highest >= n_classes:
        raise InvalidDataError(
            f"Labels go up to {highest:g}, and with n_classes={n_classes} the last known class is "
            f"{n_classes - 1}; {n_classes} is for the negatives. Give the right n_classes."
        )


def _no_numbers(labels: Any) -> InvalidDataError:
    got = type(labels).__name__ if isinstance(labels, (list, tuple)) else str(labels.dtype)
    return InvalidDataError(
        "With target='index' labels must be whole numbers from 0, or one-hot rows. "
        f"Got {got}. Give target='none' for labels that are names."
    )
