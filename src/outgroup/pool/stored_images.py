"""The images that a pool keeps: small, and to the network the same as the originals."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image

from outgroup.errors import PoolError
from outgroup.images import Preprocessing
from outgroup.images.preprocessing import RESAMPLING
from outgroup.images.resizing import REDUCING_GAP


@dataclass(frozen=True)
class StoredForm:
    """How images are kept: scaled as the network scales them, cropped around what it sees, as JPEG.

    Nothing is ever enlarged, so a small image stays as it is. What the network sees is the centre
    of the scaled image; the crop leaves it untouched. A network that squeezes the whole image into
    a square sees all of it, so for that nothing is cropped.

    Parameters
    ----------
    shorter : int
        The shorter side is at most this long, in pixels.
    longest : int
        The longer side is at most this long.
    crop : bool
        Whether the longer side is cropped to `longest`, or the image scaled until it fits.
    resample : str
        Filter, one of those of `Preprocessing`.
    quality : int
        Of the JPEG, from 1 to 95.
    subsampling : str
        Of the JPEG's colours: "4:4:4" keeps them all.

    Examples
    --------
    >>> form = StoredForm()
    >>> form.shrink(Image.new("RGB", (4000, 2000))).size
    (320, 256)
    >>> form.shrink(Image.new("RGB", (100, 80))).size
    (100, 80)
    """

    shorter: int = 256
    longest: int = 320
    crop: bool = True
    resample: str = "bicubic"
    quality: int = 95
    subsampling: str = "4:4:4"

    @classmethod
    def for_network(cls, preprocessing: Preprocessing) -> StoredForm:
        """Return the form that keeps what a network with this preprocessing sees."""
        shorter = min(max(preprocessing.resize, cls.shorter), cls.longest)
        return cls(shorter, crop=preprocessing.keep_aspect, resample=preprocessing.resample)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> StoredForm:
        """Return the form that `to_dict` described.

        Raises
        ------
        TypeError
            If a field is missing or unknown.
        """
        return cls(**{name: values[name] for name in values})

    def shrink(self, image: Image.Image) -> Image.Image:
        """Return the image at the size at which it is kept.

        Parameters
        ----------
        image : PIL.Image.Image
            Of mode RGB, upright.

        Returns
        -------
        PIL.Image.Image
            The very same one if it is small enough.
        """
        whole = self._scaled_size(image.size)
        kept = (min(whole[0], self.longest), min(whole[1], self.longest))
        if kept == image.size:
            return image
        box: list[float] = []
        for original, scaled, side in zip(image.size, whole, kept, strict=True):
            start = round((scaled - side) / 2)
            box += [start * original / scaled, (start + side) * original / scaled]
        left, right, top, bottom = box
        return image.resize(
            kept,
            RESAMPLING[self.resample],
            box=(left, top, right, bottom),
            reducing_gap=REDUCING_GAP,
        )

    def encode(self, image: Image.Image) -> bytes:
        """Return the shrunk image as the bytes of a JPEG file, always the same for one image."""
        file = io.BytesIO()
        image.save(file, "JPEG", quality=self.quality, subsampling=self.subsampling)
        return file.getvalue()

    def _scaled_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return width and height of the scaled image before it is cropped."""
        limit, side = (self.shorter, min(size)) if self.crop else (self.longest, max(size))
        if side <= limit:
            return size
        width, height = size
        return max(1, limit * width // side), max(1, limit * height // side)


def decoded(data: bytes, row: int) -> Image.Image:
    """Return a kept image, the one of that row in its pool.

    Raises
    ------
    PoolError
        If it is damaged.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        image.load()
    except OSError as error:
        raise PoolError(
            f"Image {row} of the pool is damaged. `outgroup pool verify` lists what is."
        ) from error
    return image
