"""Labels given as arrays or lists, one row an image, as a schema and class indices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from outgroup._component import OTHER, UNSEEN
from outgroup.data.values import is_missing
from outgroup.errors import InvalidDataError
from outgroup.label_schema import LabelSchema, label_targets

BOOLS = (bool, np.bool_)


class ArrayLabels(NamedTuple):
    """Labels as a schema and class indices (n, n_outputs), int64.

    `classes` are the classes as the user gave them: of the vector, of all labels, or of each of at
    least two columns.
    """

    classes: list[NDArray[Any]]
    schema: LabelSchema
    targets: NDArray[np.int64]


def is_vector(y: Any) -> bool:
    """Tell whether there is one class a row; a matrix of one column is such a vector, too."""
    if isinstance(y, np.ndarray) and y.ndim > 1:
        return bool(y.shape[1:] == (1,))
    rows = y if np.iterable(y) else [y]
    return not any(np.iterable(row) and not isinstance(row, (str, bytes)) for row in rows)


def known_of_vector(y: Any) -> tuple[NDArray[np.object_], NDArray[np.bool_]]:
    """Return one class a row as objects, and which of them are not None."""
    values = np.asarray(y, dtype=object).ravel()
    missing = [i for i, label in enumerate(values) if is_missing(label)]
    if missing:
        raise InvalidDataError(
            f"The labels of {len(missing)} rows are NaN, the first that of row {missing[0]}. "
            "Give None for what is none of the classes, and leave out what nobody has labelled."
        )
    known = np.array([label is not None for label in values], dtype=np.bool_)
    if len(known) and not known.any():
        raise InvalidDataError(
            "There are no known rows: every label is None, which means other. Label the rows of at "
            "least one class."
        )
    _refuse_mixed(values[known])
    return values, known


def vector_labels(labels: NDArray[Any], known: NDArray[np.bool_]) -> ArrayLabels:
    """Return the labels of n rows from those of the known ones."""
    classes, targets = _column(labels, known)
    return ArrayLabels([classes], LabelSchema.single([str(c) for c in classes]), targets[:, None])


def matrix_labels(y: Any, known: list[Any] | None = None) -> ArrayLabels:
    """Return labels given as marks or names, or columns of classes.

    Parameters
    ----------
    y : ndarray of shape (n, k), or sequence of n sequences
        Marks 1, 0 and -1 or NaN (not known); lists of names, of any length; or a class in each of
        several columns, where None is none of them and NaN not known.
    known : list or None
        All labels there are; None: those in `y`.
    """
    if (marks := _marks(y)) is not None:
        names = [f"{k:0{len(str(marks.shape[1]))}d}" for k in range(marks.shape[1])]
        return _several_labels(np.arange(len(names)), names, marks)
    if not _is_names(y):
        return _columns(y)
    for row in y:
        if isinstance(row, str) or not all(isinstance(name, str) for name in row):
            raise InvalidDataError(
                "Invalid `y`: must be a matrix of 1, 0 and -1, or a list of labels for each row, "
                f"got a row {row!r}."
            )
    found = sorted({str(name) for row in y for name in row})
    names = found if known is None else known
    if unknown := sorted({*found} - {*names}):
        raise InvalidDataError(f"There are labels that were not learned: {', '.join(unknown)}.")
    marks = np.array([[int(name in {*row}) for name in names] for row in y], dtype=np.int64)
    return _several_labels(np.array(names, dtype=object), names, marks.reshape(len(y), -1))


def _several_labels(
    classes: NDArray[Any], names: list[str], marks: NDArray[np.int64]
) -> ArrayLabels:
    if not names:
        raise InvalidDataError("There must be at least one label, got none.")
    return ArrayLabels([classes], LabelSchema.multi_label(names), label_targets(marks))


def _is_names(y: Any) -> bool:
    """Tell whether rows are lists of names, and not those of a table."""
    if isinstance(y, np.ndarray) and y.ndim > 1:
        return False
    cells = [cell for row in y for cell in (row if np.iterable(row) else [row])]
    return not cells or (isinstance(cells[0], str) and None not in cells)


def _marks(y: Any) -> NDArray[np.int64] | None:
    """Return a matrix of 1, 0 and -1, which NaN becomes; None if `y` is no such matrix."""
    values = np.asarray(y, dtype=None if isinstance(y, np.ndarray) else object)
    if values.ndim != 2:
        return None
    if values.dtype == object:
        values = np.array([[np.nan if is_missing(v) else v for v in row] for row in values])
    if values.dtype.kind not in "biuf":
        return None
    values = np.where(np.isnan(values.astype(np.float64)), -1, values)
    return values.astype(np.int64) if np.isin(values, (-1, 0, 1)).all() else None


def _columns(y: Any) -> ArrayLabels:
    values = np.asarray(y, dtype=object)
    if values.ndim != 2:
        raise InvalidDataError(
            "Invalid `y`: must have one dimension, or a row for each row of X and a column for "
            f"each output, got shape {values.shape}."
        )
    targets = np.full(values.shape, UNSEEN, dtype=np.int64)
    classes = []
    for o, column in enumerate(values.T):
        seen = np.array([not is_missing(value) for value in column])
        known = np.array([value is not None for value in column[seen]])
        if not known.any():
            raise InvalidDataError(f"Column {o}: no row has a class. Leave the column out.")
        named = column[seen][known]
        _refuse_mixed(named)
        if type_of_target(labels := np.array(named.tolist())) == "continuous":
            raise InvalidDataError(
                f"Column {o} of `y` must hold classes, got fractions such as {labels.min()}."
            )
        own, targets[seen, o] = _column(labels, known)
        classes.append(own)
    schema = LabelSchema.columns({str(o): [str(c) for c in own] for o, own in enumerate(classes)})
    return ArrayLabels(classes, schema, targets)


def _column(
    labels: NDArray[Any], known: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes, and the index of each row's, given the labels of the known rows."""
    check_classification_targets(labels)
    classes, index = np.unique(labels, return_inverse=True)
    targets = np.full(len(known), OTHER, dtype=np.int64)
    targets[known] = index
    return classes, targets


def _refuse_mixed(labels: NDArray[np.object_]) -> None:
    """Refuse labels of several kinds: 7 and "7" may be one class or two, 1 and True as well."""
    kinds = {
        "strings" if isinstance(x, str) else "truth values" if isinstance(x, BOOLS) else "numbers"
        for x in labels
    }
    if len(kinds) > 1:
        raise InvalidDataError(
            "Labels must all be strings, all numbers or all truth values, besides None for other, "
            f"got both {' and '.join(sorted(kinds))}. Write them all as strings."
        )
