"""From cells to what the network reads; learned from training rows, the same ever after."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError
from outgroup.multi_input.cells import as_image, as_name, as_number
from outgroup.multi_input.columns import Code, NameCode, NumberCode, fit_name, fit_number
from outgroup.multi_input.declarations import Bands, Inputs, Numeric
from outgroup.multi_input.frames import Frame
from outgroup.multi_input.scaling import Scaling, fit_scaling


@dataclass(frozen=True, eq=False)
class Cells:
    """The inputs of n rows as arrays, not yet scaled.

    Parameters
    ----------
    images : tuple of ndarray of shape (n, C, H, W), float32
        One for each image input; zeros where it is missing.
    present : ndarray of shape (n, n_images), bool
        Which images are there.
    columns : tuple of (ndarray of shape (n,), float64, or tuple of (str or None))
        Numbers (NaN missing) or names (None missing) of each table column.
    errors : tuple of (str or None)
        Why a row could not be read.
    """

    images: tuple[NDArray[np.float32], ...]
    present: NDArray[np.bool_]
    columns: tuple[Any, ...]
    errors: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.errors)

    def take(self, rows: NDArray[np.int64]) -> Cells:
        """Return some of the rows."""
        return Cells(
            tuple(images[rows] for images in self.images),
            self.present[rows],
            tuple(
                tuple(column[i] for i in rows) if isinstance(column, tuple) else column[rows]
                for column in self.columns
            ),
            tuple(self.errors[i] for i in rows),
        )

    def digests(self) -> list[str]:
        """Return a hash of the content of each row."""
        found = []
        for i in range(len(self)):
            digest = hashlib.blake2b(self.present[i].tobytes(), digest_size=16)
            for images in self.images:
                digest.update(images[i].tobytes())
            digest.update(repr([column[i] for column in self.columns]).encode())
            found.append(digest.hexdigest())
        return found


@dataclass(frozen=True, eq=False)
class Rows:
    """What the network reads of n rows.

    Parameters
    ----------
    images : tuple of ndarray of shape (n, C, H, W), float32
        Scaled; zeros where missing.
    present : ndarray of shape (n, n_images), float32
        1 for an image that is there.
    table : ndarray of shape (n, T), float32
        Encoded columns.
    """

    images: tuple[NDArray[np.float32], ...]
    present: NDArray[np.float32]
    table: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Any) -> Rows:
        """Return some of the rows."""
        return Rows(
            tuple(images[rows] for images in self.images), self.present[rows], self.table[rows]
        )

    def without_image(self, index: int) -> Rows:
        """Return the rows as they are if one image is missing in all of them."""
        present = self.present.copy()
        present[:, index] = 0.0
        images = tuple(
            np.zeros_like(one) if i == index else one for i, one in enumerate(self.images)
        )
        return replace(self, images=images, present=present)


@dataclass(frozen=True)
class Encoder:
    """How cells become what the network reads.

    Parameters
    ----------
    inputs : Inputs
        What was declared, every size stated.
    scalings : tuple of Scaling
        One for each image input.
    codes : tuple of (NumberCode or NameCode)
        One for each table column.
    complete : tuple of str
        Inputs that no training row was without.
    """

    inputs: Inputs
    scalings: tuple[Scaling, ...]
    codes: tuple[Code, ...]
    complete: tuple[str, ...] = ()

    @property
    def table_width(self) -> int:
        """Columns that the network gets."""
        return sum(code.width for code in self.codes)

    def encode(self, cells: Cells) -> Rows:
        """Return what the network reads; rows with an error are as if all were missing."""
        images = []
        for scaling, raw, there in zip(self.scalings, cells.images, cells.present.T, strict=True):
            scaled = scaling.apply(raw)
            scaled[~there] = 0.0
            images.append(scaled)
        table = [
            code.encode(column) for code, column in zip(self.codes, cells.columns, strict=True)
        ]
        width = np.concatenate(table, axis=1) if table else np.zeros((len(cells), 0), np.float32)
        return Rows(tuple(images), cells.present.astype(np.float32), width)

    def missing_table(self) -> NDArray[np.float32]:
        """Return the table columns of a row of which no column is there."""
        rows = [code.missing_row() for code in self.codes]
        return np.concatenate(rows) if rows else np.zeros(0, dtype=np.float32)

    def whole(self, cells: Cells) -> NDArray[np.bool_]:
        """Return which rows lack nothing that every training row had."""
        found = np.ones(len(cells), dtype=bool)
        for bands, there in zip(self.inputs.images, cells.present.T, strict=True):
            if bands.name in self.complete:
                found &= there
        for one, values in zip(self.inputs.table, cells.columns, strict=True):
            if one.name in self.complete:
                found &= ~_missing(values)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "inputs": self.inputs.to_dict(),
            "scalings": [scaling.to_dict() for scaling in self.scalings],
            "codes": [code.to_dict() for code in self.codes],
            "complete": list(self.complete),
        }


def fit_encoder(inputs: Inputs, cells: Cells, known: NDArray[np.bool_] | None = None) -> Encoder:
    """Learn scalings and codes from training rows.

    Parameters
    ----------
    inputs : Inputs
        What was declared, every size stated.
    cells : Cells
        Training rows.
    known : ndarray of shape (n,), bool, or None
        Which rows say what is usual of pixels and numbers, since negatives may be anything; None:
        all.
    """
    usual = np.ones(len(cells), dtype=bool) if known is None else known
    scalings = [
        fit_scaling(bands.scaling, images[there & usual])
        for bands, images, there in zip(inputs.images, cells.images, cells.present.T, strict=True)
    ]
    codes: list[Code] = [
        fit_number(one.name, values[usual], one.missing == "indicator")
        if isinstance(one, Numeric)
        else fit_name(one.name, values)
        for one, values in zip(inputs.table, cells.columns, strict=True)
    ]
    images = zip(inputs.images, cells.present.T, strict=True)
    table = zip(inputs.table, cells.columns, strict=True)
    complete = [bands.name for bands, there in images if there.all()]
    complete += [one.name for one, values in table if not _missing(values).any()]
    return Encoder(inputs, tuple(scalings), tuple(codes), tuple(complete))


def read_cells(inputs: Inputs, frame: Frame, lenient: bool = False) -> Cells:
    """Read the inputs of a frame.

    Parameters
    ----------
    inputs : Inputs
        What to read; a size that is not stated is that of the first image that can be read.
    frame : Frame
        The data.
    lenient : bool, default=False
        Whether a column that is not there is missing in all rows, as when predicting.

    Raises
    ------
    InvalidDataError
        If a column is not there, or no row has an image of an input.
    """
    errors: list[str | None] = [None] * frame.n
    images, present = [], np.zeros((frame.n, len(inputs.images)), dtype=bool)
    for index, bands in enumerate(inputs.images):
        given = _column(frame, bands.name, lenient)
        found, there = _read_images(bands, given, frame, errors)
        images.append(found)
        present[:, index] = there
    columns: list[Any] = []
    for one in inputs.table:
        given = _column(frame, one.name, lenient)
        if isinstance(one, Numeric):
            columns.append(_read_numbers(one, given, errors))
        else:
            columns.append(tuple(as_name(cell) for cell in given))
    for row in range(frame.n):
        nothing = not present[row].any() and all(_empty(column[row]) for column in columns)
        if errors[row] is None and nothing:
            errors[row] = "all inputs are missing"
    return Cells(tuple(images), present, tuple(columns), tuple(errors))


def with_sizes(inputs: Inputs, cells: Cells) -> Inputs:
    """Return the declaration with the size of every image stated, as it was found."""
    images = [
        replace(bands, size=(found.shape[2], found.shape[3]))
        for bands, found in zip(inputs.images, cells.images, strict=True)
    ]
    return Inputs(images, inputs.table, inputs.fusion)


def encoder_from_dict(given: Any) -> Encoder:
    """Build an encoder from what `Encoder.to_dict` returned.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is anything else.
    """
    inputs = Inputs.from_dict(given["inputs"])
    scalings = []
    for one, bands in zip(given["scalings"], inputs.images, strict=True):
        centre, spread = (tuple(_numbers(one[key], bands.channels)) for key in ("centre", "spread"))
        if one["kind"] != bands.scaling or bands.size is None or min(spread, default=1.0) <= 0:
            raise ValueError("'scalings' is not what it must be")
        scalings.append(Scaling(bands.scaling, centre, spread, *_numbers([one["floor"]], 1)))
    codes: list[Code] = []
    for one, column in zip(given["codes"], inputs.table, strict=True):
        if one["kind"] != column.kind or one["name"] != column.name:
            raise ValueError("'codes' is not what it must be")
        if isinstance(column, Numeric):
            middle, spread_of = _numbers([one["centre"], one["spread"]], 2)
            codes.append(NumberCode(column.name, middle, spread_of, one["indicator"] is True))
        else:
            if not all(isinstance(name, str) for name in one["known"]):
                raise ValueError("'known' is not what it must be")
            codes.append(NameCode(column.name, tuple(one["known"])))
    complete = tuple(name for name in inputs.names if name in given["complete"])
    return Encoder(inputs, tuple(scalings), tuple(codes), complete)


def _numbers(values: Any, n: int) -> list[float]:
    fine = isinstance(values, list) and len(values) == n
    if not fine or not all(type(v) in (int, float) and abs(v) < 1e300 for v in values):
        raise ValueError("a scale is not what it must be")
    return [float(value) for value in values]


def _column(frame: Frame, name: str, lenient: bool) -> Sequence[Any]:
    if lenient and name not in frame.columns:
        return [None] * frame.n
    return frame.column(name)


def _read_images(
    bands: Bands, given: Sequence[Any], frame: Frame, errors: list[str | None]
) -> tuple[NDArray[np.float32], list[bool]]:
    size, kept = bands.size, []
    for row, cell in enumerate(given):
        image = None
        try:
            image = as_image(cell, bands.channels, size, frame.root)
        except ValueError as error:
            errors[row] = errors[row] or f"{bands.name}: {error}"
        if image is not None and size is None:
            size = (image.shape[1], image.shape[2])
        kept.append(image)
    if size is None:
        first = next((error for error in errors if error), "all of them are missing")
        raise InvalidDataError(f"No image of {bands.name!r} can be read. The first: {first}.")
    found = np.zeros((len(kept), bands.channels, *size), dtype=np.float32)
    for row, image in enumerate(kept):
        if image is not None:
            found[row] = image
    return found, [image is not None for image in kept]


def _read_numbers(
    one: Numeric, given: Sequence[Any], errors: list[str | None]
) -> NDArray[np.float64]:
    found = np.full(len(given), np.nan)
    for row, cell in enumerate(given):
        try:
            found[row] = as_number(cell)
        except ValueError as error:
            errors[row] = errors[row] or f"{one.name}: {error}"
        if one.missing == "error" and np.isnan(found[row]):
            errors[row] = errors[row] or f"{one.name}: is missing"
    return found


def _missing(values: Any) -> NDArray[np.bool_]:
    """Return which of the numbers, or names, of a column are missing."""
    return np.array([_empty(value) for value in values], dtype=bool)


def _empty(value: Any) -> bool:
    return value is None or value != value
