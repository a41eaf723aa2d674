"""What can be given as an image, and how a file is read: once, bounded, never blocking."""

from __future__ import annotations

import os
import stat
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.errors import InvalidParameterError, UnreadableImageError
from outgroup.images.reasons import file_reason

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]"  # a path or the image itself
)

# Above any photograph, below what would push a laptop into swapping.
MAX_BYTES = 256 * 2**20


def is_one_image(images: Any) -> bool:
    """Say whether this is a single image, and not a folder or many images.

    Examples
    --------
    >>> is_one_image("new.jpg"), is_one_image(["new.jpg"]), is_one_image(".")
    (True, False, False)
    """
    if isinstance(images, np.ndarray):
        return images.ndim < 4 and images.dtype.kind not in "OU"
    if isinstance(images, (bytes, Image.Image)):
        return True
    return isinstance(images, (str, os.PathLike)) and not os.path.isdir(images)


def read_source(
    source: ImageSource, *, max_bytes: int = MAX_BYTES
) -> bytes | Image.Image | npt.NDArray[Any]:
    """Return the source with a path replaced by the bytes of its file.

    What comes back is itself an `ImageSource` that needs no disk any more. Hash and decode that,
    and the file is read only once.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or numpy.ndarray
        A path, or an image in memory, which is returned as it is.
    max_bytes : int
        Largest file that is read.

    Raises
    ------
    UnreadableImageError
        If there is no such file, or it is empty, too large, not a regular file (nothing is opened
        that could block, such as a pipe), or can't be read.
    InvalidParameterError
        If `source` is nothing that could be an image.

    Examples
    --------
    >>> read_source("no/such/photo.jpg")
    Traceback (most recent call last):
    outgroup.errors.UnreadableImageError: no such file
    """
    if isinstance(source, (bytes, Image.Image, np.ndarray)):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidParameterError(
            "The 'source' parameter must be a path, bytes, a Pillow image or a NumPy array. "
            f"Got {type(source).__name__} instead."
        )
    try:
        return _read_regular_file(os.fspath(source), max_bytes)
    except OSError as error:
        raise UnreadableImageError(file_reason(error)) from error
    except MemoryError as error:
        raise UnreadableImageError("not enough memory to read the file") from error
    except UnreadableImageError:
        raise
    except ValueError as error:  # a null byte, or a character that no file name can hold
        raise UnreadableImageError("not a valid file name") from error


def _read_regular_file(path: str, max_bytes: int) -> bytes:
    # Looked at before it is opened: opening a pipe waits for a writer, and a device may act on it.
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImageError("a folder, not an image file")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImageError("not a regular file (a pipe, a socket or a device)")
    if status.st_size == 0:
        raise UnreadableImageError("the file is empty")
    if status.st_size > max_bytes:
        raise UnreadableImageError(
            f"the file has {status.st_size:,} bytes, more than the {max_bytes:,} that are read"
        )
    with open(path, "rb", buffering=0) as file:
        # Bounded even where the file grows meanwhile; one call may return less than asked for.
        parts = []
        left = status.st_size
        while left and (part := file.read(left)):
            parts.append(part)
            left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
