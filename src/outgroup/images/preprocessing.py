"""How an image becomes a network's input, as data that travels with the weights."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup._numeric import require

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

#: Images this many times larger than needed are first shrunk by whole-pixel averages, which is much
#: faster; from 3 on Pillow calls the result "almost indistinguishable".
REDUCING_GAP = 3.0

#: The longest side that a model file may ask for: memory grows with its square.
MAX_SIDE = 8192

# Part of every digest. To be raised when the same file and settings give other pixels, so that
# embeddings cached before are not mixed with new ones.
REVISION = 1


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a network's input: resize, centre crop, then ``(x - mean) / std``.

    Parameters
    ----------
    resize : int
        Length of the shorter side after resizing, in pixels; of both sides if `keep_aspect` is
        False.
    crop : int
        Side of the square cut from the centre, in pixels; at most `resize`.
    resample : str
        Filter: "nearest", "box", "bilinear", "hamming", "bicubic" or "lanczos".
    keep_aspect : bool
        Whether the aspect ratio is kept (``shortest_edge`` in Hugging Face's terms) or the image
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
    outgroup.errors.InvalidParameterError: Invalid `crop`: must be an integer from 1 to `resize`,
    which is 256, got 300.
    """

    resize: int = 256
    crop: int = 224
    resample: str = "bicubic"
    keep_aspect: bool = True
    mean: tuple[float, float, float] = (127.0, 127.0, 127.0)
    std: tuple[float, float, float] = (128.0, 128.0, 128.0)

    def __post_init__(self) -> None:
        resize, crop, names = self.resize, self.crop, ", ".join(map(repr, RESAMPLING))
        fine = _is_side(resize, MAX_SIDE)
        require(fine, "resize", f"an integer from 1 to {MAX_SIDE}", resize)
        fine = _is_side(crop, resize)
        require(fine, "crop", f"an integer from 1 to `resize`, which is {resize}", crop)
        require(self.resample in RESAMPLING, "resample", f"one of {names}", self.resample)
        fine = isinstance(self.keep_aspect, bool)
        require(fine, "keep_aspect", "True or False", self.keep_aspect)
        for name in ("mean", "std"):
            object.__setattr__(self, name, _three_floats(name, getattr(self, name)))
        require(min(self.std) > 0, "std", "three numbers above 0", self.std)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Return the preprocessing that `to_dict` described."""
        names = [field.name for field in fields(cls)]
        is_mapping = isinstance(values, Mapping)
        got = sorted(map(str, values)) if is_mapping else values
        fine = is_mapping and set(values) == set(names)
        require(fine, "values", f"a mapping with the keys {', '.join(names)}", got)
        return cls(**values)

    def digest(self) -> str:
        """Return 32 hex digits that are equal exactly if the pixels are."""
        text = json.dumps([REVISION, self.to_dict()], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) after resizing, before the crop."""
        if not self.keep_aspect:
            return self.resize, self.resize
        width, height = size
        return self.resize * width // min(size), self.resize * height // min(size)


def resize_and_crop(image: Image.Image, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """Return the centre crop of the resized RGB image, uint8 of shape (crop, crop, 3)."""
    whole, crop = preprocessing.resized(image.size), preprocessing.crop
    return np.array(resized_centre(image, whole, (crop, crop), preprocessing.resample))


def resized_centre(
    image: Image.Image, whole: tuple[int, int], kept: tuple[int, int], resample: str
) -> Image.Image:
    """Return the centre, of size `kept`, of the image resized to the size `whole`.

    Only pixels that are kept are computed, so that a sliver of 1 x 10,000 pixels costs no more than
    a square. Up to rounding the result is the same as resizing the whole image and cropping it.
    """
    box: list[float] = []
    for original, resized, side in zip(image.size, whole, kept, strict=True):
        start = round((resized - side) / 2)
        box += [start * original / resized, (start + side) * original / resized]
    left, right, top, bottom = box
    return image.resize(
        kept, RESAMPLING[resample], box=(left, top, right, bottom), reducing_gap=REDUCING_GAP
    )


def _is_side(value: object, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest


def _three_floats(name: str, value: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in value)
    except (TypeError, ValueError):
        numbers = ()
    fine = len(numbers) == 3 and all(map(math.isfinite, numbers))
    require(fine, name, "three numbers, one per channel", value)
    return numbers
