"""The inputs of a network: images of one or more bands, and columns of a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from numpy.typing import NDArray

from outgroup._numeric import require, whole_number
from outgroup.errors import InvalidParameterError

#: What replaces a missing number; see `Numeric`.
MISSING = ("indicator", "median", "error")


@dataclass(frozen=True)
class Bands:
    """An image input: one column of the data, one branch of the network.

    Parameters
    ----------
    name : str
        The column. A cell is a file (``.npy`` or an image), an array, or a list of numbers: nested
        or flat, row by row, channel after channel.
    channels : int, default=1
        Number of channels; they are the first or the last axis of an array.
    size : (int, int) or None
        Height and width in pixels; None: those of the training images, a flat list being a square.
    units : str, default="unstated"
        Unit of the numbers, such as "dB"; kept in the model file.
    scaling : {"robust", "dB", "none"}, default="robust"
        "robust" subtracts the median of the training pixels of each channel and divides by their
        spread; "dB" first turns intensities into decibels; "none" leaves the numbers as they are.

    Examples
    --------
    >>> Bands("band_1", units="dB")
    Bands(name='band_1', channels=1, size=None, units='dB', scaling='robust')
    >>> Bands("band_1", scaling="db")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: Invalid `scaling`: must be one of 'robust', 'dB',
    'none', got 'db'.
    """

    name: str
    channels: int = 1
    size: tuple[int, int] | None = None
    units: str = "unstated"
    scaling: str = "robust"

    def __post_init__(self) -> None:
        require_text("name", self.name)
        require_text("units", self.units)
        require_one_of("scaling", self.scaling, ("robust", "dB", "none"))
        whole_number("channels", self.channels)
        if self.size is not None:
            pair = isinstance(self.size, (tuple, list)) and len(self.size) == 2
            require(pair, "size", "height and width in pixels", self.size)
            sides = tuple(whole_number("size", side) for side in self.size)
            object.__setattr__(self, "size", sides)


@dataclass(frozen=True)
class Numeric:
    """A column of numbers, which joins the features of the images before the dense layers.

    Parameters
    ----------
    name : str
        The column. None, NaN, an empty text, "na", "nan" and "null" are missing.
    missing : {"indicator", "median", "error"}, default="indicator"
        A missing number becomes the median of the training rows. "indicator" adds a column that
        marks it; with "error" the row is one that could not be read.
    """

    kind: ClassVar[str] = "numeric"
    name: str
    missing: str = "indicator"

    def __post_init__(self) -> None:
        require_text("name", self.name)
        require_one_of("missing", self.missing, MISSING)


@dataclass(frozen=True)
class Categorical:
    """A column of names, one-hot encoded, with one more column for names not seen in training.

    A missing name is all zeros.
    """

    kind: ClassVar[str] = "categorical"
    name: str

    def __post_init__(self) -> None:
        require_text("name", self.name)


Column = Numeric | Categorical


@dataclass(frozen=True)
class Inputs:
    """All inputs of a network.

    Parameters
    ----------
    images : sequence of Bands
        Each has a convolutional branch of its own.
    table : sequence of Numeric and Categorical
        Columns that join before the dense layers.
    fusion : {"mean", "concat", "early"}, default="mean"
        Features of the branches are averaged or concatenated; "early" stacks all bands, which must
        then have one size, as the channels of a single branch.

    Raises
    ------
    InvalidParameterError
        If there are no inputs, or two have the same name.

    Examples
    --------
    >>> inputs = Inputs([Bands("band_1"), Bands("band_2")], [Numeric("inc_angle")], "concat")
    >>> inputs.names
    ('band_1', 'band_2', 'inc_angle')
    >>> Inputs.from_dict(inputs.to_dict()) == inputs
    True
    """

    images: Sequence[Bands] = ()
    table: Sequence[Column] = ()
    fusion: str = "mean"

    def __post_init__(self) -> None:
        for name, kinds in (("images", Bands), ("table", Column)):
            given = getattr(self, name)
            fine = isinstance(given, Sequence) and all(isinstance(one, kinds) for one in given)
            allowed = "Bands" if name == "images" else "Numeric and Categorical"
            require(fine, name, f"a list of {allowed}", given)
            object.__setattr__(self, name, tuple(given))
        require_one_of("fusion", self.fusion, ("mean", "concat", "early"))
        if not self.names or len({*self.names}) < len(self.names):
            raise InvalidParameterError(
                f"Invalid inputs: must be at least one, with different names, got {self.names!r}."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns that are read."""
        return tuple(one.name for one in (*self.images, *self.table))

    def only(self, names: Collection[str]) -> Inputs:
        """Return the inputs of these names."""
        images = [one for one in self.images if one.name in names]
        return replace(self, images=images, table=[o for o in self.table if o.name in names])

    def sized_as(self, images: Sequence[NDArray[Any]]) -> Inputs:
        """Return the inputs with the size of each image as in an array (n, C, H, W)."""
        sizes = [(array.shape[2], array.shape[3]) for array in images]
        sized = [replace(one, size=size) for one, size in zip(self.images, sizes, strict=True)]
        return replace(self, images=sized)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; `from_dict` reads them back."""
        return {
            "images": [asdict(one) for one in self.images],
            "table": [{"kind": one.kind, **asdict(one)} for one in self.table],
            "fusion": self.fusion,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Inputs:
        """Build inputs from what `to_dict` returned; an input may also be its name alone."""
        kinds = {one.kind: one for one in (Numeric, Categorical)}
        try:
            if strange := sorted({*given} - {"images", "table", "fusion"}):
                raise InvalidParameterError(f"Inputs have no {strange[0]!r}.")
            images = [
                Bands(one) if isinstance(one, str) else Bands(**one)
                for one in given.get("images", ())
            ]
            table = []
            for one in given.get("table", ()):
                options = {"name": one} if isinstance(one, str) else dict(one)
                kind = options.pop("kind", "numeric")
                require_one_of("kind", kind, tuple(kinds))
                table.append(kinds[kind](**options))
            return cls(images, table, given.get("fusion", "mean"))
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidParameterError(
                f"Invalid inputs: must be {{'images': [...], 'table': [...], 'fusion': 'mean'}}, "
                f"got {given!r} ({error})."
            ) from error


def require_text(name: str, value: object) -> None:
    """Raise `InvalidParameterError` unless the value is a text that is not empty."""
    require(isinstance(value, str) and value != "", name, "a text", value)


def require_one_of(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise `InvalidParameterError` unless the value is one of the choices."""
    require(value in choices, name, f"one of {', '.join(map(repr, choices))}", value)
