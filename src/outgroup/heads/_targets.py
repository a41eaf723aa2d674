"""What rows are to be, and how much each weighs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError
from outgroup.heads._checks import require

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

BALANCED = "balanced"
OVERSAMPLE = "oversample"


def valid_class_weight(value: Any, *more: str) -> str | None:
    """Return "balanced", None or one of `more`, or raise."""
    allowed = (BALANCED, *more)
    named = ", ".join(repr(name) for name in allowed)
    require(value is None or value in allowed, "class_weight", f"{named} or None", value)
    return None if value is None else str(value)


def one_hot(y: Labels, n_classes: int, class_weight: str | None) -> tuple[Array, Array]:
    """Return one-hot rows and their weights, both (n, K), which add up to 1 in each column.

    Balanced, each class that is there weighs the same; else each row.

    Raises
    ------
    InvalidDataError
        If there are negatives: a softmax over the known classes has no place for them; or if a row
        may have several labels.
    """
    if y.ndim != 1:
        raise InvalidDataError("A softmax gives each image one class, and can't learn several.")
    if (y < 0).any():
        raise InvalidDataError("A softmax over the known classes can't learn from negatives.")
    targets = np.eye(n_classes)[y]
    weights = row_weights(y, class_weight)
    return targets, np.repeat(weights[:, np.newaxis], n_classes, axis=1)


def one_against_rest(y: Labels, n_classes: int, class_weight: str | None) -> tuple[Array, Array]:
    """Return 0/1 rows, all zero for negatives, and weights that add up to 1 in each column.

    `y` holds class indices, or it is a matrix (n, K) of 1, 0 and -1 for cells that nobody knows,
    which weigh nothing. Balanced, the positives of a column weigh as much as everything else
    together; else each row the same.
    """
    marks = y if y.ndim == 2 else (y[:, np.newaxis] == np.arange(n_classes)).astype(np.int64)
    yes, no = marks == 1, marks == 0
    if class_weight is None:
        weights = (yes | no) / np.maximum((yes | no).sum(axis=0), 1.0)
    else:
        weights = sum(0.5 * side / np.maximum(side.sum(axis=0), 1.0) for side in (yes, no))
    return yes.astype(np.float64), weights


def row_weights(y: Labels, class_weight: str | None) -> Array:
    """Return the weight of each row; they add up to 1.

    Balanced, each class that is there weighs the same, the negatives counting as one; else each
    row.

    Examples
    --------
    >>> row_weights(np.array([0, 0, 1, -1]), "balanced").round(3)
    array([0.167, 0.167, 0.333, 0.333])
    """
    if class_weight is None:
        return np.full(len(y), 1.0 / max(len(y), 1))
    present, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    weights: Array = 1.0 / (counts[index] * max(len(present), 1))
    return weights


def oversampled(y: Labels) -> NDArray[np.int64]:
    """Return rows of which every class has as many: those of rare classes more than once.

    Every row of a class is there as often as any other, or once more.

    Examples
    --------
    >>> oversampled(np.array([0, 0, 0, 1, 1, -1]))
    array([0, 1, 2, 3, 3, 4, 5, 5, 5])
    """
    present, counts = np.unique(y, return_counts=True)
    most = counts.max(initial=0)
    rows = [np.resize(np.flatnonzero(y == k), most) for k in present]
    return np.sort(np.concatenate(rows)) if rows else np.empty(0, dtype=np.int64)
