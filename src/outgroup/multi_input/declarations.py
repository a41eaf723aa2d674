"""What a network with several inputs is told of its data: images, table columns, how they meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from outgroup.errors import InvalidParameterError

#: How pixels are brought to a scale; each is fitted on training rows alone (see `scaling`).
SCALINGS = ("robust", "dB", "none")

#: Where the branches meet: features averaged, features side by side, or all bands in one branch.
FUSIONS = ("mean", "concat", "early")

#: What becomes of a number that is missing: the median and a column that says so, the median, or an
#: error.
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
        How many; an array may have them first or last.
    size : (int, int) or None
        Height and width in pixels; None: those of the training images, a flat list being a square.
    units : str, default="unstated"
        What the numbers are, such as "dB"; kept in the model file and named in messages.
    scaling : {"robust", "dB", "none"}, default="robust"
        "robust" takes the median of training pixels off each channel and divides by their spread;
        "dB" first turns intensities into decibels; "none" takes the numbers as they are.

    Examples
    --------
    >>> Bands("band_1", units="dB")
    Bands(name='band_1', channels=1, size=None, units='dB', scaling='robust')
    >>> Bands("band_1", scaling="db")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'scaling' parameter must be one of 'robust', 'dB',
    'none'. Got 'db' instead.
    """

    kind: ClassVar[str] = "images"
    name: str
    channels: int = 1
    size: tuple[int, int] | None = None
    units: str = "unstated"
    scaling: str = "robust"

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_text("units", self.units)
        check_one_of("scaling", self.scaling, SCALINGS)
        check_count("channels", self.channels)
        if self.size is not None:
            if not isinstance(self.size, (tuple, list)) or len(self.size) != 2:
                raise InvalidParameterError(
                    "The 'size' parameter must be height and width in pixels. "
                    f"Got {self.size!r} instead."
                )
            for side in self.size:
                check_count("size", side)
            object.__setattr__(self, "size", tuple(self.size))


@dataclass(frozen=True)
class Numeric:
    """A column of numbers, joined before the dense layers.

    Parameters
    ----------
    name : str
        The column. None, NaN, an empty text, "na", "nan" and "null" are missing.
    missing : {"indicator", "median", "error"}, default="indicator"
        Missing numbers become the median of the training rows; "indicator" adds a column that says
        so, and "error" makes the row one that could not be read.
    """

    kind: ClassVar[str] = "numeric"
    name: str
    missing: str = "indicator"

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_one_of("missing", self.missing, MISSING)


@dataclass(frozen=True)
class Categorical:
    """A column of names, one slot each; one that training never had goes to a slot "unseen".

    Parameters
    ----------
    name : str
        The column. What is missing is all zeros.
    """

    kind: ClassVar[str] = "categorical"
    name: str

    def __post_init__(self) -> None:
        check_text("name", self.name)


Column = Numeric | Categorical


@dataclass(frozen=True)
class Inputs:
    """All inputs of a network.

    Parameters
    ----------
    images : sequence of Bands
        A convolutional branch each.
    table : sequence of Numeric and Categorical
        Columns that join before the dense layers.
    fusion : {"mean", "concat", "early"}, default="mean"
        Features of the branches are averaged or put side by side; "early" puts all bands, which
        must then be of one size, into one branch.

    Raises
    ------
    InvalidParameterError
        If there are no inputs, or two of one name.

    Examples
    --------
    >>> inputs = Inputs([Bands("band_1"), Bands("band_2")], [Numeric("inc_angle")], "concat")
    >>> inputs.names
    ('band_1', 'band_2', 'inc_angle')
    >>> Inputs.from_dict(inputs.to_dict()) == inputs
    True
    """

    images: tuple[Bands, ...] = ()
    table: tuple[Column, ...] = ()
    fusion: str = "mean"

    def __init__(
        self, images: Sequence[Bands] = (), table: Sequence[Column] = (), fusion: str = "mean"
    ) -> None:
        for what, given, kinds in (("images", images, Bands), ("table", table, Column)):
            fine = isinstance(given, Sequence) and not isinstance(given, str)
            if not fine or not all(isinstance(one, kinds) for one in given):
                made_of = "Bands" if what == "images" else "Numeric and Categorical"
                raise InvalidParameterError(
                    f"The {what!r} parameter must be a list of {made_of}. Got {given!r} instead."
                )
        check_one_of("fusion", fusion, FUSIONS)
        object.__setattr__(self, "images", tuple(images))
        object.__setattr__(self, "table", tuple(table))
        object.__setattr__(self, "fusion", fusion)
        if not self.names or len({*self.names}) < len(self.names):
            raise InvalidParameterError(
                f"There must be at least one input, each of another name. Got {self.names!r}."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns that are read."""
        return tuple(one.name for one in (*self.images, *self.table))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; `from_dict` reads them back."""
        return {
            "images": [asdict(one) for one in self.images],
            "table": [{"kind": one.kind, **asdict(one)} for one in self.table],
            "fusion": self.fusion,
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Inputs:
        """Build inputs from what `to_dict` returned, or what a user wrote by hand.

        Raises
        ------
        InvalidParameterError
            If something in it is not known.
        """
        kinds = {one.kind: one for one in (Numeric, Categorical)}
        try:
            strange = {*given} - {"images", "table", "fusion"}
            if strange:
                raise InvalidParameterError(f"Inputs have no {sorted(strange)[0]!r}.")
            images = [
                Bands(one) if isinstance(one, str) else Bands(**one)
                for one in given.get("images", ())
            ]
            table = []
            for one in given.get("table", ()):
                options = {"name": one} if isinstance(one, str) else dict(one)
                kind = options.pop("kind", "numeric")
                check_one_of("kind", kind, tuple(kinds))
                table.append(kinds[kind](**options))
            return cls(images, table, given.get("fusion", "mean"))
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidParameterError(
                "Inputs must be given as {'images': [...], 'table': [...], 'fusion': 'mean'}: "
                f"{error}"
            ) from error


def check_text(name: str, value: object) -> None:
    """Refuse what is no text."""
    if not isinstance(value, str) or not value:
        raise InvalidParameterError(
            f"The {name!r} parameter must be a text. Got {value!r} instead."
        )


def check_count(name: str, value: object) -> None:
    """Refuse what is no whole number from 1 up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidParameterError(
            f"The {name!r} parameter must be a whole number from 1 up. Got {value!r} instead."
        )


def check_one_of(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices."""
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise InvalidParameterError(
            f"The {name!r} parameter must be one of {listed}. Got {value!r} instead."
        )
