"""Scale and encode cells for a network; everything is learned from training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup.multi_input.inputs import Inputs, Numeric
from outgroup.multi_input.row_table import Cells, missing

#: Scaled pixels are clipped here: a saturated one stays odd, and products of it do not overflow.
PIXEL_LIMIT = 30.0

#: Standardised numbers are clipped here, so that no angle of 1e9 outweighs the images.
NUMBER_LIMIT = 5.0


@dataclass(frozen=True)
class Scaling:
    """How the pixels of one image input are scaled."""

    kind: str  #: as in `Bands`
    centre: tuple[float, ...]  #: of each channel, like `spread`
    spread: tuple[float, ...]
    floor: float = 0.0  #: lower intensities are raised to it before conversion to dB

    def apply(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return images (n, C, H, W) scaled, within +-30."""
        if self.kind == "none":
            return images
        values = _decibels(images, self.floor) if self.kind == "dB" else images
        centre, spread = np.array([self.centre, self.spread], np.float32)[..., None, None]
        return np.asarray(np.clip((values - centre) / spread, -PIXEL_LIMIT, PIXEL_LIMIT))


def fit_scaling(kind: str, images: NDArray[np.float32]) -> Scaling:
    """Learn the scaling of training images (n, C, H, W), without those that are missing."""
    n_channels = images.shape[1]
    if kind == "none" or not len(images):
        return Scaling(kind, (0.0,) * n_channels, (1.0,) * n_channels)
    floor = 0.0
    if kind == "dB":
        positive = images[images > 0]
        floor = float(positive.min()) if positive.size else 1.0
    found = []
    for channel in range(n_channels):
        values = images[:, channel].ravel()
        some = values[:: max(1, values.size // 2_000_000)].astype(np.float64)  # a sample is enough
        found.append(_centre_and_spread(_decibels(some, floor) if kind == "dB" else some))
    centre, spread = zip(*found, strict=True)
    return Scaling(kind, centre, spread, floor)


@dataclass(frozen=True)
class NumberCode:
    """How a number is encoded: standardised, and if `indicator` with a mark for a missing one."""

    kind: ClassVar[str] = "numeric"
    name: str
    centre: float
    spread: float
    indicator: bool

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return 1 + self.indicator

    def encode(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return (n, width) for numbers (n,), NaN being missing."""
        scaled = np.clip((values - self.centre) / self.spread, -NUMBER_LIMIT, NUMBER_LIMIT)
        columns = [np.nan_to_num(scaled, nan=0.0), *[np.isnan(values)] * self.indicator]
        return np.column_stack(columns).astype(np.float32)


@dataclass(frozen=True)
class NameCode:
    """How a name is encoded: a column for each of training, sorted, and one for all others."""

    kind: ClassVar[str] = "categorical"
    name: str
    known: tuple[str, ...]

    @property
    def width(self) -> int:
        """Number of encoded columns."""
        return len(self.known) + 1

    def encode(self, values: NDArray[np.object_]) -> NDArray[np.float32]:
        """Return (n, width) for names (n,), None being missing."""
        index = {name: i for i, name in enumerate(self.known)} | {None: self.width}
        columns = [index.get(name, len(self.known)) for name in values]
        return np.eye(self.width + 1, self.width, dtype=np.float32)[columns]


Code = NumberCode | NameCode


def fit_number(name: str, values: NDArray[np.float64], indicator: bool) -> NumberCode:
    """Learn the code of numbers (n,), NaN being missing."""
    there = values[~np.isnan(values)]
    centre, spread = _centre_and_spread(there) if len(there) else (0.0, 1.0)
    return NumberCode(name, centre, spread, indicator)


def fit_name(name: str, values: NDArray[np.object_]) -> NameCode:
    """Learn the code of names (n,), None being missing."""
    return NameCode(name, tuple(sorted({value for value in values if value is not None})))


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """What a network reads of n rows."""

    images: tuple[NDArray[np.float32], ...]  #: (n, C, H, W), scaled; zeros where missing
    present: NDArray[np.float32]  #: (n, n_images), 1 for an image that is there
    table: NDArray[np.float32]  #: (n, T), encoded columns

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Any) -> NetworkInputs:
        """Return some of the rows."""
        images = tuple(images[rows] for images in self.images)
        return NetworkInputs(images, self.present[rows], self.table[rows])


@dataclass(frozen=True)
class CellEncoder:
    """Turns cells into what a network reads."""

    inputs: Inputs  #: with the size of every image
    scalings: tuple[Scaling, ...]
    codes: tuple[Code, ...]
    complete: tuple[str, ...] = ()  #: inputs that no training row lacked

    @property
    def table_width(self) -> int:
        """Number of encoded columns."""
        return sum(code.width for code in self.codes)

    def encode(self, cells: Cells) -> NetworkInputs:
        """Return what a network reads."""
        images = []
        for scaling, raw, there in zip(self.scalings, cells.images, cells.present.T, strict=True):
            scaled = scaling.apply(raw)
            scaled[~there] = 0.0
            images.append(scaled)
        table = [np.zeros((len(cells), 0), np.float32)]
        table += [code.encode(own) for code, own in zip(self.codes, cells.columns, strict=True)]
        present = cells.present.astype(np.float32)
        return NetworkInputs(tuple(images), present, np.concatenate(table, axis=1))

    def missing_table(self) -> NDArray[np.float32]:
        """Return the encoded columns (T,) of a row that lacks all of them."""
        nothing = {"numeric": np.array([np.nan]), "categorical": np.array([None])}
        rows = [code.encode(nothing[code.kind])[0] for code in self.codes]
        return np.concatenate([np.zeros(0, np.float32), *rows])

    def whole(self, cells: Cells) -> NDArray[np.bool_]:
        """Return which rows lack nothing that every training row had."""
        found = np.ones(len(cells), dtype=bool)
        for name, there in presence(self.inputs, cells).items():
            found &= there | (name not in self.complete)
        return found


def presence(inputs: Inputs, cells: Cells) -> dict[str, NDArray[np.bool_]]:
    """Return for each input which rows have it."""
    there = [*cells.present.T, *(~missing(column) for column in cells.columns)]
    return dict(zip(inputs.names, there, strict=True))


def fit_cell_encoder(inputs: Inputs, cells: Cells, known: NDArray[np.bool_]) -> CellEncoder:
    """Learn scalings and codes from the rows that are `known` (n,); negatives may hold anything."""
    images = zip(inputs.images, cells.images, cells.present.T, strict=True)
    scalings = [fit_scaling(bands.scaling, own[there & known]) for bands, own, there in images]
    codes: list[Code] = [
        fit_number(one.name, values[known], one.missing == "indicator")
        if isinstance(one, Numeric)
        else fit_name(one.name, values)
        for one, values in zip(inputs.table, cells.columns, strict=True)
    ]
    complete = [name for name, there in presence(inputs, cells).items() if there.all()]
    return CellEncoder(inputs, tuple(scalings), tuple(codes), tuple(complete))


def _centre_and_spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median, and the quartile distance as a standard deviation; never 0."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    spread = (high - low) / 1.349 or float(values.std()) or 1.0  # 1.349: for normal values
    return float(middle), float(spread)


def _decibels(values: NDArray[Any], floor: float) -> NDArray[Any]:
    result: NDArray[Any] = 10.0 * np.log10(np.maximum(values, floor))
    return result
