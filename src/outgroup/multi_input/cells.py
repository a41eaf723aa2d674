"""Read one cell at a time: an image, a number, a name, or nothing."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.data.values import is_missing
from outgroup.errors import UnreadableImageError
from outgroup.images import decode

#: Texts that stand for a missing value, whatever their case.
MISSING_TEXTS = frozenset({"", "na", "n/a", "nan", "null", "none"})

#: Most numbers of an image; a longer array file is not read.
MAX_NUMBERS = 64_000_000


def is_empty(cell: Any) -> bool:
    """Return whether a cell holds nothing.

    >>> [is_empty(cell) for cell in (None, float("nan"), "na", "", [], 0, "0")]
    [True, True, True, True, True, False, False]
    """
    if isinstance(cell, np.ndarray) and not cell.ndim:
        cell = cell.item()
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING_TEXTS
    if isinstance(cell, (list, tuple, np.ndarray)):
        return len(cell) == 0
    return cell is None or is_missing(cell)


def as_number(cell: Any) -> float:
    """Return a cell as a number, NaN if it is missing; raise `ValueError` if it is not finite."""
    if is_empty(cell):
        return math.nan
    try:
        value = float(cell)
    except (TypeError, ValueError):
        text = repr(cell)
        shown = text if len(text) <= 40 else f"{text[:37]}..."
        raise ValueError(f"{shown} is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"{value} is no finite number")
    return value


def as_name(cell: Any) -> str | None:
    """Return a cell as a name, None if it is missing.

    A column of whole numbers is read as floats if one is missing; their names stay the same.

    >>> as_name(3.0), as_name("3"), as_name(None)
    ('3', '3', None)
    """
    if is_empty(cell):
        return None
    whole = isinstance(cell, (float, np.floating)) and float(cell).is_integer()
    return str(int(cell) if whole else cell)


def as_image(
    cell: Any, channels: int, size: tuple[int, int] | None, root: Path | None = None
) -> NDArray[np.float32] | None:
    """Return a cell (see `Bands`) as an image (channels, height, width), None if it is missing.

    Relative paths start from `root`. The message of the `ValueError` says what is wrong.
    """
    if is_empty(cell):
        return None
    values = cell
    if isinstance(cell, (str, os.PathLike)):
        file = Path(cell) if root is None else root / cell
        is_array = file.suffix.lower() == ".npy"
        values = _read_npy(file) if is_array else _read_picture(file, channels)
    try:
        image = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        lists = isinstance(values, (list, tuple))
        ragged = lists and any(isinstance(row, (list, tuple)) for row in values)
        raise ValueError("its rows differ in length" if ragged else "no image of numbers") from None
    image = _channels_first(image, channels, size)
    bad = int((~np.isfinite(image)).sum())
    if bad:
        raise ValueError(f"{bad} of its {image.size} pixels are NaN or infinite")
    return image


def _channels_first(
    image: NDArray[np.float32], channels: int, size: tuple[int, int] | None
) -> NDArray[np.float32]:
    height, width = size or (0, 0)
    if image.ndim == 1:
        if size is None:
            height = width = math.isqrt(image.size // channels)
        if image.size != channels * height * width or not image.size:
            wanted = f"{channels} x {height} x {width}" if size else "a square"
            raise ValueError(f"{image.size} numbers are not {wanted}")
        return image.reshape(channels, height, width)
    if image.ndim == 2 and channels == 1:
        image = image[np.newaxis]
    if image.ndim != 3:
        raise ValueError(f"its shape is {image.shape}, not {channels} channels of height and width")
    if image.shape[0] != channels and image.shape[2] == channels:
        image = np.ascontiguousarray(np.moveaxis(image, 2, 0))
    if image.shape[0] != channels or (size and image.shape[1:] != size):
        wanted = f"({channels}, {height}, {width})" if size else f"({channels}, height, width)"
        fewest = min(image.shape[0], image.shape[2])
        told = f"; an image of {fewest} channels is declared with channels={fewest}"
        more = told if size is None and fewest != channels else ""
        raise ValueError(f"its shape is {image.shape}, not {wanted}{more}")
    if not image.size:
        raise ValueError("an image without pixels")
    return image


def _read_picture(file: Path, channels: int) -> NDArray[Any]:
    try:
        image = decode(file)
    except UnreadableImageError as error:
        raise ValueError(str(error)) from error
    if channels not in (1, 3):
        raise ValueError(f"an image file has 1 or 3 channels, not {channels}; give .npy files")
    return np.asarray(image.convert("L") if channels == 1 else image)


def _read_npy(file: Path) -> NDArray[Any]:
    try:
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise ValueError("no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"can't be read as an array ({error})") from error
    if not isinstance(mapped, np.ndarray) or mapped.dtype.kind not in "fiub":
        raise ValueError("is no array of numbers")
    if mapped.size > MAX_NUMBERS:
        raise ValueError(f"{mapped.size:,} numbers, more than the {MAX_NUMBERS:,} that are read")
    return np.array(mapped)
