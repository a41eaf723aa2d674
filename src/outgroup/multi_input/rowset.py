"""Rows that can be learned from: read, labelled, grouped, and put in the order of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.data import Skipped
from outgroup.errors import InvalidDataError
from outgroup.multi_input.cells import as_name
from outgroup.multi_input.encoding import Cells
from outgroup.multi_input.targets import class_indices


@dataclass(frozen=True, eq=False)
class RowSet:
    """Readable rows with what is known about them.

    Parameters
    ----------
    cells : Cells
        The inputs.
    Y : ndarray of shape (n,) or (n, K), int64
        Class indices, -1 for negatives; or 1, 0 and -1 (unknown) for each label.
    classes : tuple of str
        Names, sorted.
    units : ndarray of shape (n,), str
        What is never split, and what a bound counts: the group, or all copies of one row.
    paths : tuple of (str or None)
        What the rows are called.
    fingerprint : str
        Hash of content and label of every row.
    unreadable : tuple of Skipped
        Rows that were left out, with the reason.
    """

    cells: Cells
    Y: NDArray[np.int64]
    classes: tuple[str, ...]
    units: NDArray[np.str_]
    paths: tuple[str | None, ...]
    fingerprint: str
    unreadable: tuple[Skipped, ...]

    def __len__(self) -> int:
        return len(self.Y)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a class or a label."""
        result: NDArray[np.bool_] = self.Y >= 0 if self.Y.ndim == 1 else (self.Y == 1).any(axis=1)
        return result

    @property
    def strata(self) -> NDArray[np.int64]:
        """What is spread evenly over folds: the class, or the set of labels."""
        if self.Y.ndim == 1:
            return self.Y
        return np.unique(self.Y, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    @property
    def class_counts(self) -> dict[str, int]:
        """Rows of each class or label."""
        marks = (
            self.Y == 1
            if self.Y.ndim == 2
            else np.eye(len(self.classes), dtype=bool)[self.Y[self.known]]
        )
        return dict(zip(self.classes, marks.sum(axis=0).tolist(), strict=True))


def one_class_labels(
    given: Sequence[Any], classes: Sequence[str] | None = None
) -> tuple[list[str | None], tuple[str, ...]]:
    """Return labels as texts, None being other, and their names, sorted.

    Examples
    --------
    >>> one_class_labels([1, 0, None])
    (['1', '0', None], ('0', '1'))
    """
    labels = [as_name(label) for label in given]
    there = {label for label in labels if label is not None}
    names = tuple(sorted(there if classes is None else classes))
    strange = sorted(there - {*names})
    if strange:
        raise InvalidDataError(f"Label {strange[0]!r} is none of the classes {', '.join(names)}.")
    return labels, names


def several_labels(
    given: Any, classes: Sequence[str] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return marks (n, K) and names, sorted, from lists of labels or from a matrix of 1 and 0.

    Examples
    --------
    >>> several_labels([["ice"], [], ["ship", "ice"]])[0].tolist()
    [[1, 0], [0, 0], [1, 1]]
    """
    names: tuple[str, ...]
    if isinstance(given, np.ndarray) and given.ndim == 2:
        if classes is None or len(classes) != given.shape[1]:
            raise InvalidDataError("A matrix of labels needs 'classes', a name for each column.")
        order = np.argsort(np.array(classes, dtype=object))
        marks = given[:, order].astype(np.int64)
        names = tuple(classes[i] for i in order)
    else:
        lists = [
            [] if labels is None else labels.split("|") if isinstance(labels, str) else labels
            for labels in given
        ]
        texts = [{str(label).strip() for label in labels} - {""} for labels in lists]
        there = {label for labels in texts for label in labels}
        names = tuple(sorted(there if classes is None else classes))
        if there - {*names}:
            raise InvalidDataError(
                f"Label {sorted(there - {*names})[0]!r} is none of the classes {', '.join(names)}."
            )
        marks = np.array([[name in labels for name in names] for labels in texts], dtype=np.int64)
        marks = marks.reshape(len(texts), len(names))
    if not np.isin(marks, (-1, 0, 1)).all():
        raise InvalidDataError("A matrix of labels must hold 1, 0 and -1 (unknown) alone.")
    return marks, names


def make_rowset(
    cells: Cells,
    given: Any,
    classes: Sequence[str] | None,
    target: str,
    groups: Sequence[Any] | None,
    paths: Sequence[str | None] | None,
) -> RowSet:
    """Check rows, leave out those that could not be read, and order them by content.

    Raises
    ------
    InvalidDataError
        If lengths differ, nothing is left, a class has fewer than three units, or the number of
        classes does not suit the target.
    """
    n = len(cells)
    for what, there in (("labels", given), ("groups", groups), ("paths", paths)):
        if there is not None and len(there) != n:
            raise InvalidDataError(f"There must be {what} for {n} rows. Got {len(there)}.")
    if target == "multi-label":
        Y, names = several_labels(given, classes)
    else:
        labels, names = one_class_labels(given, classes)
        Y = class_indices(labels, names)
    least = {"binary": 2, "multi-class": 2, "multi-label": 1}[target]
    if len(names) < least or (target == "binary" and len(names) != 2):
        wanted = "two" if target == "binary" else "at least two" if least == 2 else "at least one"
        raise InvalidDataError(
            f"A {target} target must have {wanted} classes. Got {', '.join(names) or 'none'}."
        )
    called = [None] * n if paths is None else list(paths)
    unreadable = tuple(
        Skipped(called[i] or f"#{i}", error) for i, error in enumerate(cells.errors) if error
    )
    readable = np.flatnonzero([error is None for error in cells.errors])
    if not len(readable):
        raise InvalidDataError(
            f"None of the {n} rows can be read. The first: {unreadable[0].reason}."
        )
    cells = cells.take(readable)
    digests = cells.digests()
    named = [None] * n if groups is None else [as_name(group) for group in groups]
    keys = [
        (digests[at], str(Y[row].tolist()), named[row] or "", called[row] or "")
        for at, row in enumerate(readable.tolist())
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    chosen = readable[order]
    units = _units([digests[i] for i in order], [named[row] for row in chosen])
    digest = hashlib.blake2b(digest_size=16)
    for i in order:
        digest.update(repr(keys[i][:2]).encode())
    found = RowSet(
        cells=cells.take(np.array(order)),
        Y=Y[chosen],
        classes=names,
        units=units,
        paths=tuple(called[row] for row in chosen),
        fingerprint=digest.hexdigest(),
        unreadable=unreadable,
    )
    _check_classes(found)
    return found


def _units(digests: list[str], groups: list[str | None]) -> NDArray[np.str_]:
    """Return the group of each row; copies of one row are one, with the group of the first."""
    first: dict[str, str] = {}
    for digest, group in zip(digests, groups, strict=True):
        first.setdefault(digest, f"row {digest}" if group is None else f"group {group}")
    return np.array(
        [
            first[digest] if group is None else f"group {group}"
            for digest, group in zip(digests, groups, strict=True)
        ]
    )


def _check_classes(found: RowSet) -> None:
    for k, name in enumerate(found.classes):
        rows = found.Y[:, k] == 1 if found.Y.ndim == 2 else k == found.Y
        n_units = len(np.unique(found.units[rows]))
        if n_units < 3:
            raise InvalidDataError(
                f"Class {name!r} has {n_units} different rows or groups that can be read. At least "
                "3 are needed to learn from one and hold two out, and some 30 for a good model: "
                "add rows, or leave the class out."
            )
