"""How an image becomes a network's input, as data that travels with the weights."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from PIL import Image

from outgroup.errors import InvalidParameterError

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

# A manifest is not trusted: no network takes larger images, and memory grows with the square.
MAX_SIDE = 8192

# Part of every digest. Add one when the same file and settings begin to give other pixels, so that
# embeddings cached before are not mixed with new ones.
REVISION = 1


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a network's input: resize, centre crop, then ``(x - mean) / std``.

    Parameters
    ----------
    resize : int
        Length of the shorter side after resizing, in pixels; of both sides where `keep_aspect` is
        False.
    crop : int
        Side of the square cut from the centre, in pixels; at most `resize`.
    resample : str
        Filter: "nearest", "box", "bilinear", "hamming", "bicubic" or "lanczos".
    keep_aspect : bool
        Whether the aspect ratio is kept (a ``shortest_edge`` in Hugging Face's terms) or the image
        is squashed to a square (``height`` and ``width``).
    mean, std : tuple of 3 floats
        Of the R, G and B channels on the 0..255 scale.

    Raises
    ------
    InvalidParameterError
        If a field is not as described.

    Examples
    --------
    >>> Preprocessing(resize=224, keep_aspect=False).to_dict()["resize"]
    224
    >>> Preprocessing(crop=300)
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'crop' parameter must be an integer from 1 to
    'resize', which is 256. Got 300 instead.
    """

    resize: int = 256
    crop: int = 224
    resample: str = "bicubic"
    keep_aspect: bool = True
    mean: tuple[float, float, float] = (127.0, 127.0, 127.0)
    std: tuple[float, float, float] = (128.0, 128.0, 128.0)

    def __post_init__(self) -> None:
        if not _is_side(self.resize, MAX_SIDE):
            raise _invalid("resize", f"an integer from 1 to {MAX_SIDE}", self.resize)
        if not _is_side(self.crop, self.resize):
            must = f"an integer from 1 to 'resize', which is {self.resize}"
            raise _invalid("crop", must, self.crop)
        if self.resample not in RESAMPLING:
            raise _invalid("resample", f"one of {', '.join(map(repr, RESAMPLING))}", self.resample)
        if not isinstance(self.keep_aspect, bool):
            raise _invalid("keep_aspect", "True or False", self.keep_aspect)
        for name in ("mean", "std"):
            object.__setattr__(self, name, _three_floats(name, getattr(self, name)))
        if min(self.std) <= 0:
            raise _invalid("std", "three numbers above 0", self.std)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Return the preprocessing that `to_dict` described.

        Raises
        ------
        InvalidParameterError
            If a field is missing, unknown, or not as it must be.

        Examples
        --------
        >>> Preprocessing.from_dict(Preprocessing(crop=192).to_dict()).crop
        192
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(values, Mapping) or set(values) != set(names):
            got = sorted(map(str, values)) if isinstance(values, Mapping) else values
            raise _invalid("values", f"a mapping with the keys {', '.join(names)}", got)
        return cls(**values)

    def digest(self) -> str:
        """Return 32 hex digits that are the same exactly where the pixels would be."""
        text = json.dumps([REVISION, self.to_dict()], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _is_side(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest


def _three_floats(name: str, value: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise _invalid(name, "three numbers, one a channel", value)
    return numbers


def _invalid(name: str, must: str, got: object) -> InvalidParameterError:
    return InvalidParameterError(f"The {name!r} parameter must be {must}. Got {got!r} instead.")
