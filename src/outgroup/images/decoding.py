"""From an image source to upright RGB pixels."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.errors import UnreadableImageError
from outgroup.images.arrays import image_from_array
from outgroup.images.colours import to_rgb
from outgroup.images.formats import identify
from outgroup.images.metadata import SIDEWAYS, STRIPPERS, Bare, make_upright, orientation
from outgroup.images.preprocessing import Preprocessing
from outgroup.images.reasons import decoder_reasons
from outgroup.images.resizing import resize_and_crop
from outgroup.images.sources import ImageSource, read_source

# About 400 MB of memory while decoding, and more than cameras make. It does not count what is never
# held: a JPEG that is decoded at reduced size counts by that.
MAX_PIXELS = 100_000_000


def load_image(
    source: ImageSource, preprocessing: Preprocessing, *, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Return the pixels that a network is given, not yet normalised.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or numpy.ndarray
        A path, the bytes of a file, or an image in memory. Arrays are uint8 of shape
        (height, width) or (height, width, 1, 3 or 4 channels).
    preprocessing : Preprocessing
        Sizes and filter. Its mean and std are not applied here but inside the network.
    max_pixels : int
        Largest image that memory is taken for, in pixels.

    Returns
    -------
    numpy.ndarray
        uint8 of shape (crop, crop, 3), RGB, C-contiguous. The same image by path, bytes, Pillow
        image or array gives the same pixels, with one exception: a JPEG file larger than needed is
        decoded at reduced size, which differs by a few grey levels from decoding it in full.

    Raises
    ------
    UnreadableImageError
        If the image can't be read; the message is the reason.
    InvalidParameterError
        If `source` is nothing that could be an image.

    Examples
    --------
    >>> load_image(Image.new("RGB", (640, 480), "red"), Preprocessing())[0, 0]
    array([255,   0,   0], dtype=uint8)
    >>> load_image(b"not an image", Preprocessing())
    Traceback (most recent call last):
    outgroup.errors.UnreadableImageError: not a supported image format
    """
    image = decode(source, min_side=preprocessing.resize, max_pixels=max_pixels)
    with decoder_reasons("image"):
        return resize_and_crop(image, preprocessing)


def decode(
    source: ImageSource, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Return an image as 8-bit RGB, the right way up.

    Of an animation it is the first frame. Transparent parts are put over white. Colour profiles are
    ignored.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or numpy.ndarray
        As in `load_image`.
    min_side : int or None
        The shorter side that is needed, in pixels. A JPEG file may then come back reduced, by 2, 4
        or 8, with both sides still at least this long. None decodes in full.
    max_pixels : int
        Largest image that memory is taken for, in pixels.

    Returns
    -------
    PIL.Image.Image
        Of mode RGB. A Pillow image that is RGB and upright is returned itself, not copied.

    Raises
    ------
    UnreadableImageError, InvalidParameterError
        As in `load_image`.

    Examples
    --------
    >>> decode(np.zeros((480, 640), np.uint8))
    <PIL.Image.Image image mode=RGB size=640x480 at 0x...>
    """
    return decode_with_size(source, min_side=min_side, max_pixels=max_pixels)[0]


def decode_with_size(
    source: ImageSource, *, min_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[Image.Image, tuple[int, int]]:
    """Return an image as `decode` does, and the width and height it would have in full.

    Examples
    --------
    >>> decode_with_size(np.zeros((480, 640), np.uint8))[1]
    (640, 480)
    """
    data = read_source(source)
    if isinstance(data, bytes):
        return _decode_file(data, min_side, max_pixels)
    with decoder_reasons("image"):
        image = image_from_array(data) if isinstance(data, np.ndarray) else data
        _check_pixels(image.size, max_pixels)
        upright = make_upright(to_rgb(image), image.info.get("exif", b""))
        return upright, upright.size


def _decode_file(
    data: bytes, min_side: int | None, max_pixels: int
) -> tuple[Image.Image, tuple[int, int]]:
    kind = identify(data)
    with decoder_reasons(kind.name):
        bare = STRIPPERS.get(kind.name, Bare)(data)
        # Not Image.open: beyond a global limit it warns or refuses before a JPEG can be reduced.
        factory, _accept = Image.OPEN[kind.plugin]
        image = factory(io.BytesIO(bare.data), "")
        if min_side is None or not bare.one_scan:
            _check_pixels(image.size, max_pixels)
        size = image.size
        if min_side is not None:
            image.draft(None, (min_side, min_side))
            _check_pixels(image.size, max_pixels)
        exif = bare.exif or image.info.get("exif", b"")
        turned = orientation(exif) in SIDEWAYS
        return make_upright(to_rgb(image), exif), size[::-1] if turned else size


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise UnreadableImageError(
            f"{width} x {height} pixels, more than the {max_pixels:,} that are decoded"
        )
    if width * height == 0:
        raise UnreadableImageError("an image without pixels")
