"""What the arguments of all generators have to be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError, InvalidParameterError


def whole_numbers(**numbers: tuple[object, int]) -> None:
    """Raise unless each value is a whole number from its least up; values by name."""
    for name, (value, least) in numbers.items():
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < least:  # type: ignore[operator]
            raise InvalidParameterError(
                f"The {name!r} parameter must be a whole number from {least} up. "
                f"Got {value!r} instead."
            )


def user_images(images: Any, size: int) -> NDArray[np.uint8]:
    """Return images as they were given, none of whose sides is under `size`.

    Raises
    ------
    InvalidParameterError
        If they are no array of images, or too small.
    InvalidDataError
        If there are none.
    """
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else repr(images)
        raise InvalidParameterError(
            "The 'images' parameter must be an array of uint8 of shape (n, height, width, 3). "
            f"Got {got:.80} instead."
        )
    if images.shape[3] != 3 or min(images.shape[1:3]) < size:
        raise InvalidParameterError(
            f"The 'images' parameter must hold colour images of {size} pixels a side or more, "
            f"shape (n, height, width, 3). Got {images.shape} instead."
        )
    if not len(images):
        raise InvalidDataError("There are no images to make others of. Give at least one.")
    return images
