"""From an image source to upright 8-bit RGB pixels, or to the reason why it can't be decoded."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.errors import UnreadableImageError
from outgroup.images.image_files import (
    UPRIGHT,
    ImageSource,
    identify,
    one_line,
    orientation,
    read_source,
    strip_metadata,
)
from outgroup.images.preprocessing import Preprocessing, resize_and_crop

#: The largest image that memory is taken for: about 400 MB while decoding, and more pixels than
#: cameras make. A JPEG that is decoded at reduced size counts by its reduced size.
MAX_PIXELS = 100_000_000

DECODER_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (MemoryError, "not enough memory to decode it"),
    (Image.DecompressionBombError, "too many pixels"),
    (RecursionError, "damaged: nested too deeply"),
)

# Values that may stand for white where the file does not say. The first that no pixel exceeds is
# used: shares, 8 bits, 16 bits.
POSSIBLE_WHITES = (1, 255, 65535)

CHANNELS = (1, 3, 4)  # grey, RGB, RGBA


def load_image(source: ImageSource, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """Return the pixels that a network is given, before normalisation: uint8 (crop, crop, 3), RGB.

    The same image by path, bytes, Pillow image or array gives the same pixels, with one exception:
    a JPEG file larger than needed is decoded at reduced size, which differs by a few grey levels.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or numpy.ndarray
        A path, the bytes of a file, or an image in memory. Arrays are uint8 of shape
        (height, width) or (height, width, 1, 3 or 4 channels).
    preprocessing : Preprocessing
        Sizes and filter. Its mean and std are applied inside the network.

    Raises
    ------
    UnreadableImageError
        If the image can't be read; the message is the reason.
    InvalidParameterError
        If `source` is of another type.

    Examples
    --------
    >>> load_image(b"not an image", Preprocessing())
    Traceback (most recent call last):
    outgroup.errors.UnreadableImageError: not a supported image format
    """
    image = decode(source, min_side=preprocessing.resize)
    with decoder_reasons("image"):
        return resize_and_crop(image, preprocessing)


def decode(source: ImageSource, *, min_side: int | None = None) -> Image.Image:
    """Return an image as 8-bit RGB, upright, transparent parts over white.

    Of an animation it is the first frame. Colour profiles are ignored. A Pillow image that is RGB
    and upright is returned itself, not copied.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or numpy.ndarray
        As in `load_image`, also for what is raised.
    min_side : int or None
        The shorter side that is needed, in pixels. A JPEG file may then come back reduced by 2, 4
        or 8, with both sides still at least this long. None decodes in full.
    """
    return decode_with_size(source, min_side=min_side)[0]


def decode_with_size(
    source: ImageSource, *, min_side: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """Return an image as `decode` does, and its width and height in full."""
    data = read_source(source)
    if isinstance(data, bytes):
        return _decode_file(data, min_side)
    with decoder_reasons("image"):
        image = image_from_array(data) if isinstance(data, np.ndarray) else data
        _check_pixels(image.size)
        upright = _make_upright(to_rgb(image), image.info.get("exif", b""))
        return upright, upright.size


def _decode_file(data: bytes, min_side: int | None) -> tuple[Image.Image, tuple[int, int]]:
    kind = identify(data)
    with decoder_reasons(kind.name):
        bare = strip_metadata(data, kind)
        # Not Image.open: above a global limit it warns or refuses before a JPEG can be reduced.
        factory, _accept = Image.OPEN[kind.plugin]
        image = factory(io.BytesIO(bare.data), "")
        if min_side is None or not bare.one_scan:
            _check_pixels(image.size)
        width, height = image.size
        if min_side is not None:
            image.draft(None, (min_side, min_side))
            _check_pixels(image.size)
        exif = bare.exif or image.info.get("exif", b"")
        sideways = orientation(exif) >= 5
        size = (height, width) if sideways else (width, height)
        return _make_upright(to_rgb(image), exif), size


def _check_pixels(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise UnreadableImageError(
            f"{width} x {height} pixels, more than the {MAX_PIXELS:,} that are decoded"
        )
    if width * height == 0:
        raise UnreadableImageError("an image without pixels")


def _make_upright(image: Image.Image, exif: bytes) -> Image.Image:
    turn = UPRIGHT.get(orientation(exif))
    if turn is None:
        return image
    upright = image.transpose(turn)
    upright.info.pop("exif", None)  # otherwise decoding the result would turn it again
    return upright


def image_from_array(array: npt.NDArray[Any]) -> Image.Image:
    """Return pixels, uint8 of shape (height, width[, channels]), as a Pillow image.

    There must be 1 (grey), 3 (RGB) or 4 channels (RGBA). Floats are refused, since their scale is
    ambiguous.
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


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image as 8-bit RGB; itself if it is RGB already.

    Unlike Pillow's `convert`, transparent parts become white, 16-bit grey keeps its upper 8 bits,
    and 32-bit integers and floats are scaled by the first of `POSSIBLE_WHITES` that no pixel
    exceeds, or else from their smallest to their largest value.
    """
    image.load()
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    if image.mode == "La":  # premultiplied grey; Pillow converts it to nothing else
        image = image.convert("LA")
    image = image.convert("RGBA")
    page = Image.new("RGB", image.size, "white")
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


def content_digest(source: ImageSource) -> str:
    """Return the hash (32 hex digits) that identifies an image: equal digests mean equal pixels.

    A file is hashed by its bytes. A Pillow image is hashed as the upright RGB image that it decodes
    to, since mode, palette, transparency and orientation all change the pixels.

    >>> content_digest(b"abc")
    'cf4ab791c62b8d2b2109c90275287816'
    """
    data = read_source(source)
    if isinstance(data, bytes):
        return hashlib.blake2b(data, digest_size=16).hexdigest()
    # `person` keeps pixels apart from files that hold the same bytes.
    if isinstance(data, np.ndarray):
        kind = f"array {data.dtype.str} {data.shape}"
    else:
        data = decode(data)
        kind = f"image {data.size}"
    digest = hashlib.blake2b(data.tobytes(), digest_size=16, person=b"pixels")
    digest.update(kind.encode())
    return digest.hexdigest()


@contextmanager
def decoder_reasons(kind: str) -> Iterator[None]:
    """Turn any exception of a decoder into `UnreadableImageError`.

    Damaged files make decoders raise almost any exception. KeyboardInterrupt and SystemExit pass.
    `kind` is what is being decoded, such as "JPEG".
    """
    try:
        yield
    except UnreadableImageError:
        raise
    except Exception as error:
        for exception, reason in DECODER_REASONS:
            if isinstance(error, exception):
                raise UnreadableImageError(reason) from error
        # The message of a LookupError is only the key that was not found.
        message = "" if isinstance(error, LookupError) else str(error)
        message = message or type(error).__name__
        raise UnreadableImageError(one_line(f"damaged {kind}: {message}")) from error
