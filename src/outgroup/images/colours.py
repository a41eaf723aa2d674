"""Any of Pillow's pixel formats as 8-bit RGB.

Pillow's own `Image.convert` is right for most of them. It is not for more than 8 bits, which it
clips to white, and it drops transparency, which leaves whatever colour happens to lie below.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

WHITE = (255, 255, 255)

# Numbers that don't say which one is white. The first of these that none exceeds is taken: shares,
# 8 bits, 16 bits.
POSSIBLE_WHITES = (1, 255, 65535)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image as 8-bit RGB, transparent parts over white as a page would show them.

    16-bit grey keeps its upper 8 bits. 32-bit integers and floats have no agreed white: it is 1,
    255 or 65535, the first that no pixel exceeds; others are stretched from their smallest to their
    largest value.

    Returns
    -------
    PIL.Image.Image
        Of mode RGB and the same size; the very same image if it is RGB already.

    Raises
    ------
    OSError, ValueError
        As Pillow does, if the pixels can't be decoded or converted.

    Examples
    --------
    >>> to_rgb(Image.new("RGBA", (1, 1), (9, 9, 9, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    image.load()
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        return _over_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # premultiplied grey; Pillow converts it to nothing else
        image = image.convert("LA")
    image = image.convert("RGBA")
    page = Image.new("RGB", image.size, WHITE)
    page.paste(image, mask=image)
    return page


def _to_8_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scale grey values, int32 or float32 of shape (height, width), to 0..255."""
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    black, largest = min(values.min(), 0.0), values.max()
    white = next((w for w in POSSIBLE_WHITES if black == 0 and largest <= w), None)
    if white is None:
        black, white = values.min(), largest
    scaled = (values - black) * (255.0 / max(white - black, 1e-300))
    return np.asarray(np.rint(scaled), dtype=np.uint8)
