"""Read images of one class, of several labels, or of a class in each of several columns.

Several labels are written in one cell, or as one column for each label::

    path,label                      path,cat,dog
    1.jpg,cat|dog                   1.jpg,1,1
    2.jpg,cat                       2.jpg,1,0
    3.jpg,                          3.jpg,0,0          3.jpg shows neither

Several columns hold one class each::

    path,animal,colour
    1.jpg,cat,black
    2.jpg,dog,                      2.jpg is a dog of none of the colours

An empty cell means *none of these*; a missing one (the line ends before it, or NaN) *not known*.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup._numeric import require
from outgroup.data.samples import Samples
from outgroup.data.tables import DEFAULT_LABEL, find_column, load_samples, open_table, read_rows
from outgroup.data.values import MISSING, Cell, to_text
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.label_schema import LabelSchema

#: Separators of labels, in a cell and in the name of a folder.
BAR, PLUS = "|", "+"

YES, NO = {"1", "true", "yes"}, {"0", "false", "no"}
MARK = "1"

NOTHING_KNOWN = (
    "There are no known images: every label is empty, which means none of these. Label the images "
    "of at least one class."
)

#: One class an image, any number of labels, or a class in each of several columns.
Kind = Literal["single", "labels", "columns"]


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Images with a cell in each of several columns.

    Parameters
    ----------
    kind : {"single", "labels", "columns"}
        One nameless column of classes; a column for each label; or several columns of classes.
    columns : tuple of str
        Names of the columns.
    cells : tuple of tuple of Cell
        For each image, a class, or "1" for a label, in each column; None for none of the classes or
        not this label; `MISSING` if it is not known.
    """

    samples: Samples
    kind: Kind
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.cells} - {len(self.columns)}
        if len(self.cells) != len(self.samples) or widths:
            raise InvalidDataError(
                f"There must be a row for each of {len(self.samples)} images with a cell for each "
                f"of {len(self.columns)} columns, got {len(self.cells)} rows."
            )

    def with_others(self, others: Samples) -> LabelTable:
        """Return these images followed by others, which have no class or label."""
        nothing: tuple[Cell, ...] = (None,) * len(self.columns)
        samples = Samples.concatenate([self.samples, others])
        return replace(self, samples=samples, cells=self.cells + (nothing,) * len(others))

    def subset(self, rows: Sequence[int]) -> LabelTable:
        """Return some of the images, without anything unlabelled or skipped."""
        cells = tuple(self.cells[i] for i in rows)
        return replace(self, samples=self.samples.subset(rows), cells=cells)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which images have a class or label, (n,)."""
        return np.array([bool(self._texts(row)) for row in self.cells], dtype=np.bool_)

    def name(self, row: int) -> str | None:
        """Return the labels of an image, joined by bars; None if none of them is known."""
        cells = self.cells[row]
        return "|".join(self._texts(cells)) or (None if MISSING in cells else "")

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class or label, sorted by its text."""
        return dict(
            sorted(Counter(text for row in self.cells for text in self._texts(row)).items())
        )

    def _texts(self, cells: tuple[Cell, ...]) -> list[str]:
        """Return the text of each class or label of a row."""
        form = {"single": "{1}", "labels": "{0}", "columns": "{0}={1}"}[self.kind]
        return [
            form.format(column, cell)
            for column, cell in zip(self.columns, cells, strict=True)
            if cell is not None and cell is not MISSING
        ]

    def schema(self) -> LabelSchema:
        """Return the schema of the labels, or of the classes found, sorted by name."""
        if self.kind == "labels":
            if not self.columns:
                raise InvalidDataError(NOTHING_KNOWN)
            return LabelSchema.multi_label(self.columns)
        classes = {
            column: sorted({cell for row in self.cells if isinstance(cell := row[i], str)})
            for i, column in enumerate(self.columns)
        }
        single = self.kind == "single"
        for column, found in classes.items():
            if not found:
                more = f"Column {column!r}: {NOTHING_KNOWN} Or leave the column out."
                raise InvalidDataError(NOTHING_KNOWN if single else more)
        if single:
            return LabelSchema.single(classes[self.columns[0]])
        return LabelSchema.columns(classes)

    def targets(self, schema: LabelSchema) -> NDArray[np.int64]:
        """Return the class index of each image in each output, (n, n_outputs)."""
        targets = np.empty((len(self.cells), len(schema.outputs)), dtype=np.int64)
        for o, output in enumerate(schema.outputs):
            classes = [MARK] if self.kind == "labels" else output.classes
            index: dict[Cell, int] = {name: k for k, name in enumerate(classes)}
            index |= {None: OTHER, MISSING: UNSEEN}
            if strange := {row[o] for row in self.cells} - index.keys():
                where = f"The column {output.name!r} has" if output.name else "There are"
                raise InvalidDataError(
                    f"{where} classes that the model does not know: "
                    f"{', '.join(sorted(map(str, strange)))}. It knows "
                    f"{', '.join(output.classes)}. Leave the label empty where an image shows none "
                    "of these, or give such images as unknown."
                )
            targets[:, o] = [index[row[o]] for row in self.cells]
        return targets


@dataclass(frozen=True)
class LabelReader:
    """Read images with one class, any number of labels, or a class in each of several columns."""

    kind: Kind = "single"
    columns: tuple[str, ...] | None = None

    @classmethod
    def chosen(
        cls, multi_label: bool, multi_output: bool, label_columns: Sequence[str] | None
    ) -> LabelReader:
        """Return the reader for the options of a classifier."""
        columns: tuple[str, ...] | None = None
        if label_columns is not None:
            listed = not isinstance(label_columns, str)
            require(listed, "label_columns", "a sequence of names", label_columns)
            columns = tuple(label_columns)
        both = multi_label and multi_output
        require(not both, "multi_label", "False if `multi_output` is True", multi_label)
        if multi_output:
            needed = "the columns for `multi_output`, such as ['animal', 'colour']"
            require(bool(columns), "label_columns", needed, label_columns)
            return cls("columns", columns)
        if multi_label:
            return cls("labels", columns)
        single = columns is None or len(columns) == 1
        needed = "one name or None without `multi_label` and `multi_output`"
        require(single, "label_columns", needed, label_columns)
        return cls("single", columns)

    def read(self, data: Any, schema: LabelSchema | None = None) -> LabelTable:
        """Read labelled images, given as for `load_samples`.

        If images have labels, the name of a sub-folder may join several by a plus: ``cat``,
        ``dog``, ``cat+dog``. `schema` has the labels there may be; None: those found, sorted.
        """
        known = None if schema is None else tuple(output.name for output in schema.outputs)
        if self.kind == "columns":
            return _read_columns(data, self.columns or (), "columns")
        if self.kind == "labels" and self.columns is not None and len(self.columns) > 1:
            table = _read_columns(data, self.columns, "labels")
            return _reordered(table, known or tuple(sorted(table.columns)))
        samples = load_samples(data, DEFAULT_LABEL if self.columns is None else self.columns[0])
        if self.kind == "labels":
            return _read_lists(samples, data, known)
        return LabelTable(samples, "single", ("",), tuple((label,) for label in samples.labels))


def _read_lists(samples: Samples, data: Any, known: tuple[str, ...] | None) -> LabelTable:
    """Return images whose labels are in one cell, such as ``cat|dog``."""
    is_folder = isinstance(data, (str, os.PathLike)) and os.path.isdir(data)
    lists = [_split(label, PLUS if is_folder else BAR) for label in samples.labels]
    if is_folder and known is None and not any(len(labels) > 1 for labels in lists):
        raise InvalidParameterError(
            f"Invalid `data`: must say which images have several labels, got {str(data)!r}, a "
            "folder that gives each image one. Name folders like 'cat+dog', or write a CSV file "
            "with the columns path and label, and labels like cat|dog; or leave out `multi_label`."
        )
    found = sorted({label for labels in lists for label in labels})
    columns = tuple(found) if known is None else known
    if strange := sorted({*found} - {*columns}):
        raise InvalidDataError(
            f"There are labels that the model does not know: {', '.join(strange)}. It knows "
            f"{', '.join(columns)}. Give images of nothing it knows as unknown, without a label."
        )
    cells = tuple(tuple(MARK if name in labels else None for name in columns) for labels in lists)
    return LabelTable(samples, "labels", columns, cells)


def _split(label: str | None, separator: str) -> set[str]:
    parts = (part.strip() for part in (label or "").split(separator))
    return {part for part in parts if part}


def _read_columns(data: Any, columns: tuple[str, ...], kind: Kind) -> LabelTable:
    """Return images with a cell in each of several columns of a CSV file or DataFrame."""
    different = 0 < len(columns) == len(set(columns))
    require(different, "label_columns", "different names", columns)
    table = open_table(data)
    if table is None:
        needed = f"a .csv or .tsv file or a DataFrame with the columns {', '.join(columns)}"
        raise InvalidParameterError(f"Invalid `data`: must be {needed}, got {data!r}.")
    names = [find_column(table, "label_columns", name) for name in columns]
    samples, cells = read_rows(table, names, _mark if kind == "labels" else to_text)
    return LabelTable(samples, kind, columns, tuple(cells))


def _reordered(table: LabelTable, columns: tuple[str, ...]) -> LabelTable:
    """Return the given columns; the cells of columns that are not there are missing."""
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.cells)
    cells = tuple(tuple(row.get(name, MISSING) for name in columns) for row in rows)
    return replace(table, columns=columns, cells=cells)


def _mark(value: object, what: str) -> Cell:
    """Return `MARK` for yes, None for no."""
    text = to_text(value, what)
    if text is None or text is MISSING:
        return text
    if text.lower() in YES | NO:
        return MARK if text.lower() in YES else None
    raise InvalidDataError(
        f"Invalid {what}: must be 1 or 0, yes or no, true or false, or empty, got {text!r}. "
        "If the column holds classes, it is for multi-output."
    )
