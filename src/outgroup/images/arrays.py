"""Arrays as images: one layout of numbers is taken, any other is refused with the fix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.errors import UnreadableImageError

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def image_from_array(array: npt.NDArray[Any]) -> Image.Image:
    """Return an array of pixels as a Pillow image.

    Parameters
    ----------
    array : numpy.ndarray
        uint8 of shape (height, width), or (height, width, channels) with 1 channel (grey),
        3 (RGB) or 4 (RGBA).

    Raises
    ------
    UnreadableImageError
        If the array is anything else. Nothing is guessed: floats may be on the 0..1 or 0..255
        scale, or already normalised.

    Examples
    --------
    >>> import numpy as np
    >>> image_from_array(np.zeros((2, 3), np.uint8)).size
    (3, 2)
    >>> image_from_array(np.zeros((2, 3)))
    Traceback (most recent call last):
    outgroup.errors.UnreadableImageError: an array of dtype float64; give uint8 from 0 to 255, for
    example (255 * x).astype('uint8') where x is on the 0..1 scale
    """
    if array.dtype != np.uint8:
        raise UnreadableImageError(
            f"an array of dtype {array.dtype}; give uint8 from 0 to 255, for example "
            "(255 * x).astype('uint8') where x is on the 0..1 scale"
        )
    if array.size == 0:
        raise UnreadableImageError(f"an empty array of shape {array.shape}")
    if array.ndim == 2:
        return Image.fromarray(array)
    if array.ndim == 3 and array.shape[2] in CHANNELS:
        return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    channels_first = array.ndim == 3 and array.shape[0] in CHANNELS
    fix = "; channels come last, try x.transpose(1, 2, 0)" if channels_first else ""
    raise UnreadableImageError(
        f"an array of shape {array.shape}; give (height, width) or (height, width, channels) "
        f"with 1, 3 or 4 channels{fix}"
    )
