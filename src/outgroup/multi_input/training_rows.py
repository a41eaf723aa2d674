"""Rows to learn from: read, labelled, grouped, ordered by content, and split."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup.calibration import assign_folds
from outgroup.data import Skipped
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.multi_input.cells import as_name
from outgroup.multi_input.inputs import Inputs
from outgroup.multi_input.row_table import Cells, RowTable, as_row_table, read_cells

#: What can be learned: one of two classes, one of several, or any number of labels.
TARGETS = ("binary", "multi-class", "multi-label")

#: One part in so many calibrates, and no network learns from it.
PARTS = 5

#: The other rows are split into so many folds; each network learns from all of them but one.
FOLDS = 8


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Readable rows with what is known about them."""

    cells: Cells
    targets: NDArray[np.int64]  #: (n, n_outputs), class indices as in `TrainingSet`
    schema: LabelSchema
    units: NDArray[np.str_]  #: (n,) what is never split: the group, or all copies of a row
    paths: tuple[str | None, ...]  #: what the rows are called
    fingerprint: str  #: hash of content and label of every row
    unreadable: tuple[Skipped, ...]  #: rows that were left out

    def __len__(self) -> int:
        return len(self.targets)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a class or a label."""
        return np.asarray((self.targets >= 0).any(axis=1))

    @cached_property
    def has(self) -> NDArray[np.bool_]:
        """Which rows are of each class, or have each label, (n, K)."""
        return np.asarray(self.schema.indicator(self.targets) == 1)

    @property
    def class_counts(self) -> dict[str, int]:
        """Rows of each class or label."""
        return dict(zip(self.schema.class_names, self.has.sum(axis=0).tolist(), strict=True))


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
) -> TrainingRows:
    """Read rows and negatives, leave out those that can't be read, and order them by content."""
    table = as_row_table(data)
    cells, given = read_cells(inputs, table), given_labels(table, y, names)
    named = table.names(groups) if isinstance(groups, str) else groups
    named = [None] * table.n if named is None else [as_name(group) for group in named]
    no_paths: list[str | None] = [None] * table.n
    paths = no_paths if id is None else table.names(id)
    for what, there in (("labels", given), ("groups", named)):
        if len(there) != table.n:
            raise InvalidDataError(f"There must be {what} for {table.n} rows. Got {len(there)}.")
    targets, schema = encode_labels(given, target, classes)
    if other is not None:
        more = as_row_table(other)
        of_more = read_cells(inputs.sized_as(cells.images), more)
        cells = Cells.joined(cells, of_more)
        targets = np.pad(targets, ((0, more.n), (0, 0)), constant_values=OTHER)
        own = more.names(groups, lenient=True) if isinstance(groups, str) else [None] * more.n
        # a group of negatives is never one of known rows, whatever its name
        named += [None if name is None else f"other {name}" for name in own]
        paths += [None] * more.n if id is None else more.names(id, lenient=True)
    return _ordered(cells, targets, schema, named, paths)


def given_labels(table: RowTable, y: Any, names: Mapping[str, str] | None = None) -> Any:
    """Return labels, renamed if there are `names`, as a list, or as the matrix given."""
    labels = table.column(y) if isinstance(y, str) else y
    if labels is None or isinstance(labels, (int, float)):
        raise InvalidParameterError(f"Invalid `y`: must be a column or labels, got {labels!r}.")
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        return labels
    return [_renamed(cell, names) if names else cell for cell in labels]


def _renamed(cell: Any, names: Mapping[str, str]) -> Any:
    if isinstance(cell, str) and "|" in cell:
        cell = [one.strip() for one in cell.split("|")]
    if isinstance(cell, (list, tuple)):
        return [_renamed(one, names) for one in cell]
    name = as_name(cell)
    return None if name is None else names.get(name, name)


def encode_labels(
    given: Any, target: str, classes: Sequence[str] | None = None
) -> tuple[NDArray[np.int64], LabelSchema]:
    """Return targets (n, n_outputs), and the schema with the classes in order of their names."""
    several = target == "multi-label"
    if several and isinstance(given, np.ndarray) and given.ndim == 2:
        if classes is None or len(classes) != given.shape[1]:
            raise InvalidDataError("A matrix of labels needs 'classes', a name for each column.")
        if not np.isin(given, (-1, 0, 1)).all():
            raise InvalidDataError("A matrix of labels must hold 1, 0 and -1 (unknown) alone.")
        order = sorted(range(len(classes)), key=classes.__getitem__)
        names, marks = tuple(classes[i] for i in order), given[:, order].astype(np.int64)
    else:
        lists = [_label_list(labels) if several else [as_name(labels)] for labels in given]
        there = {label for labels in lists for label in labels if label is not None}
        names = tuple(sorted(there if classes is None else classes))
        if strange := sorted(there - {*names}):
            raise InvalidDataError(
                f"Label {strange[0]!r} is none of the classes {', '.join(names)}."
            )
        marks = np.array([[name in labels for name in names] for labels in lists], dtype=np.int64)
    least = 1 if several else 2
    if len(names) < least or (target == "binary" and len(names) != 2):
        wanted = "two" if target == "binary" else "at least two" if least == 2 else "at least one"
        raise InvalidDataError(
            f"A {target} target must have {wanted} classes. Got {', '.join(names) or 'none'}."
        )
    if several:
        return label_targets(marks), LabelSchema.multi_label(names)
    y = np.where(marks.any(axis=1), marks.argmax(axis=1), OTHER)
    return y[:, np.newaxis], LabelSchema.single(names)


def _label_list(labels: Any) -> list[str]:
    listed = [] if labels is None else labels.split("|") if isinstance(labels, str) else labels
    return [text for label in listed if (text := str(label).strip())]


def _ordered(
    cells: Cells,
    targets: NDArray[np.int64],
    schema: LabelSchema,
    groups: list[str | None],
    paths: list[str | None],
) -> TrainingRows:
    """Leave out rows that can't be read, and order the others by content, label, group and path."""
    unreadable = tuple(
        Skipped(paths[i] or f"#{i}", error) for i, error in enumerate(cells.errors) if error
    )
    readable = np.flatnonzero([error is None for error in cells.errors])
    if not len(readable):
        raise InvalidDataError(
            f"None of the {len(cells)} rows can be read. The first: {unreadable[0].reason}."
        )
    labels = (targets[:, 0] if schema.is_single else schema.indicator(targets)).tolist()
    digests = dict(zip(readable.tolist(), cells.take(readable).digests(), strict=True))
    keys = {row: (digests[row], str(labels[row])) for row in digests}
    order = sorted(keys, key=lambda row: (*keys[row], groups[row] or "", paths[row] or ""))
    fingerprint = hashlib.blake2b(digest_size=16)
    # copies of a row are one unit, with the group of the first
    unit_of: dict[str, str] = {}
    for row in order:
        fingerprint.update(repr(keys[row]).encode())
        own = f"row {digests[row]}" if groups[row] is None else f"group {groups[row]}"
        unit_of.setdefault(digests[row], own)
    units = [unit_of[digests[i]] if groups[i] is None else f"group {groups[i]}" for i in order]
    rows = TrainingRows(
        cells.take(np.array(order)),
        targets[order],
        schema,
        np.array(units),
        tuple(paths[row] for row in order),
        fingerprint.hexdigest(),
        unreadable,
    )
    for name, own in zip(schema.class_names, rows.has.T, strict=True):
        n_units = len(np.unique(rows.units[own]))
        if n_units < 3:
            raise InvalidDataError(
                f"Class {name!r} has {n_units} different rows or groups that can be read. At least "
                "3 are needed to learn from one and hold two out, and some 30 for a good model: "
                "add rows, or leave the class out."
            )
    return rows


@dataclass(frozen=True, eq=False)
class RowSplit:
    """Which rows each network learns from; no group is split."""

    folds: NDArray[np.int64]  #: (n,) -1 for rows that calibrate
    members: tuple[int, ...]  #: the fold that each network does not learn from

    @property
    def calibration(self) -> NDArray[np.int64]:
        """Rows that calibrate."""
        return np.flatnonzero(self.folds < 0)

    @property
    def training(self) -> NDArray[np.int64]:
        """Rows that do not calibrate."""
        return np.flatnonzero(self.folds >= 0)

    def learned(self, member: int) -> NDArray[np.int64]:
        """Return the rows that the network without this fold learns from."""
        return np.flatnonzero((self.folds >= 0) & (self.folds != member))

    def held_out(self, member: int) -> NDArray[np.int64]:
        """Return the rows of this fold."""
        return np.flatnonzero(self.folds == member)


def split_rows(data: TrainingRows, members: int, seed: int) -> RowSplit:
    """Split rows for so many networks, classes and labels spread as evenly as groups allow."""
    strata = np.unique(data.targets, axis=0, return_inverse=True)[1].reshape(-1)
    parts = assign_folds(strata, PARTS, data.units, seed)
    counts = np.array([data.has[parts == part].sum(axis=0) for part in range(PARTS)])
    # the part with most rows of its rarest class calibrates; this looks at labels, not at scores
    rest = np.flatnonzero(parts != np.argmax(counts.min(axis=1)))
    folds = np.full(len(data), -1)
    if len(rest):
        folds[rest] = assign_folds(strata[rest], FOLDS, data.units[rest], seed)
    there = [fold for fold in range(FOLDS) if (folds == fold).any()]
    split = RowSplit(folds, tuple(there[:members]))
    needed = [split.learned(member) for member in split.members]
    if data.schema.is_multi_label:  # each label has a threshold; classes share one
        needed.append(split.calibration)
    for name, own in zip(data.schema.class_names, data.has.T, strict=True):
        if not split.members or any(not own[rows].any() for rows in needed):
            n_units = len(np.unique(data.units[own]))
            raise InvalidDataError(
                f"Class {name!r} has {n_units} different rows or groups that can be read, too few "
                "to learn from some and calibrate with others. Add rows (some 30 make a good "
                "model), or leave the class out."
            )
    return split
