"""Image files before decoding: read whole, recognised by their first bytes, stripped of metadata.

Pillow has decoders that start other programs (EPS) or that hardly anybody has tested against
hostile files; only the formats in `FORMATS` are handed to it. Metadata changes no pixel except
through the orientation, and it is where files are most often broken or hostile: text and colour
profiles that unpack to gigabytes, EXIF that makes Pillow warn. JPEG and PNG files are therefore
decoded without it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup._text import printable
from outgroup.errors import InvalidParameterError, UnreadableImageError

#: A path or the image itself.
ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]"

#: The largest file that is read: above any photograph, below what makes a laptop swap.
MAX_BYTES = 256 * 2**20

#: The longest reason, in characters: a decoder's message may quote the file.
LONGEST_REASON = 200

FILE_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "a folder, not an image file",
    errno.ELOOP: "a loop of symbolic links",
    errno.ENAMETOOLONG: "the file name is too long",
}


def is_one_image(images: Any) -> bool:
    """Tell a single image from a folder or a collection of images.

    >>> is_one_image("new.jpg"), is_one_image(["new.jpg"]), is_one_image(".")
    (True, False, False)
    """
    if isinstance(images, np.ndarray):
        return images.ndim < 4 and images.dtype.kind not in "OU"
    if isinstance(images, (bytes, Image.Image)):
        return True
    return isinstance(images, (str, os.PathLike)) and not os.path.isdir(images)


def read_source(source: ImageSource) -> bytes | Image.Image | npt.NDArray[Any]:
    """Return the source, a path replaced by the bytes of its file.

    The result is an `ImageSource` too: hash and decode that to read the file only once. An
    `UnreadableImageError` if there is no such file, or it is empty, too large, not a regular file
    (a pipe is never opened, since that could block), or can't be read.
    """
    if isinstance(source, (bytes, Image.Image, np.ndarray)):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise InvalidParameterError(
            "Invalid `source`: must be a path, bytes, a Pillow image or a NumPy array, "
            f"got {type(source).__name__}."
        )
    try:
        return _read_regular_file(os.fspath(source))
    except OSError as error:
        known = FILE_REASONS.get(error.errno or 0)
        other = one_line(f"can't be read: {error.strerror or type(error).__name__}")
        raise UnreadableImageError(known or other) from error
    except MemoryError as error:
        raise UnreadableImageError("not enough memory to read the file") from error
    except UnreadableImageError:
        raise
    except ValueError as error:  # a null byte, or a character that no file name can hold
        raise UnreadableImageError("not a valid file name") from error


def _read_regular_file(path: str) -> bytes:
    # Checked before opening: opening a pipe waits for a writer, and a device may act on it.
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImageError(FILE_REASONS[errno.EISDIR])
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImageError("not a regular file (a pipe, a socket or a device)")
    if status.st_size == 0:
        raise UnreadableImageError("the file is empty")
    if status.st_size > MAX_BYTES:
        raise UnreadableImageError(
            f"the file has {status.st_size:,} bytes, more than the {MAX_BYTES:,} that are read"
        )
    with open(path, "rb", buffering=0) as file:
        # Bounded even if the file grows meanwhile; one call may return less than asked for.
        parts = []
        left = status.st_size
        while left and (part := file.read(left)):
            parts.append(part)
            left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def one_line(text: str) -> str:
    """Return text as a short printable line."""
    line = printable(text)
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


class ImageFormat(NamedTuple):
    """A file format and Pillow's decoder for it."""

    name: str
    signature: bytes  # regular expression for the start of a file
    plugin: str = ""  # Pillow's name of the decoder; empty if the format is refused
    fix: str = ""  # what the user can do if it is refused, or Pillow lacks the decoder


AVIF_SIGNATURE = rb".{4}ftyp(avi[fs]|(mif1|msf1).{4,60}?avif)"
HEIC_FIX = "convert it to JPEG, or install pillow-heif and call pillow_heif.register_heif_opener()"
HTML_FIX = "a web page was saved instead of an image"

FORMATS = (
    ImageFormat("JPEG", rb"\xff\xd8\xff", "JPEG"),
    ImageFormat("PNG", rb"\x89PNG\r\n\x1a\n", "PNG"),
    ImageFormat("WebP", rb"RIFF.{4}WEBP", "WEBP", "install a Pillow built with WebP"),
    ImageFormat("GIF", rb"GIF8[79]a", "GIF"),
    ImageFormat("BMP", rb"BM", "BMP"),
    ImageFormat("TIFF", rb"II[*+]\x00|MM\x00[*+]", "TIFF"),
    ImageFormat("PPM", rb"P[1-6f]\s", "PPM"),
    ImageFormat("ICO", rb"\x00\x00\x01\x00", "ICO"),
    ImageFormat("JPEG 2000", rb"\xff\x4f\xff\x51|\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    ImageFormat("AVIF", AVIF_SIGNATURE, "AVIF", "install Pillow 11.3 or newer"),
    ImageFormat("HEIC", rb".{4}ftyp(he[iv][cmsx]|mif1|msf1)", "HEIF", HEIC_FIX),
    ImageFormat("video", rb".{4}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}AVI ", fix="extract its frames"),
    ImageFormat("PDF", rb"%PDF", fix="export its pages as PNG"),
    ImageFormat("PostScript", rb"%!PS", fix="export it as PNG"),
    ImageFormat("SVG", rb"\s*(<\?xml.{0,200})?<svg", fix="export it as PNG"),
    ImageFormat("Photoshop", rb"8BPS", fix="export it as PNG"),
    ImageFormat("HTML", rb"(?i)\s*<(!doctype )?html", fix=HTML_FIX),
)


def identify(data: bytes) -> ImageFormat:
    """Return the format of a file that Pillow may decode.

    An unknown or refused format, or one without a decoder here, is an `UnreadableImageError`.
    """
    found = next((row for row in FORMATS if re.match(row.signature, data[:512], re.DOTALL)), None)
    if found is None:
        raise UnreadableImageError("not a supported image format")
    if found.plugin not in Image.OPEN:
        Image.init()  # imports the rest of Pillow's decoders; does nothing the second time
    if found.plugin not in Image.OPEN:
        raise UnreadableImageError(f"not a supported image format ({found.name}: {found.fix})")
    return found


class BareFile(NamedTuple):
    """A file without its metadata."""

    data: bytes
    exif: bytes = b""  # the EXIF block that was in it, if any
    one_scan: bool = False  # a JPEG that decodes at reduced size in memory for the reduced size


# JPEG markers (ITU T.81, table B.1). JFIF (APP0) and Adobe (APP14) say how colours are coded.
JPEG_START_OF_SCAN = 0xDA
JPEG_BASELINE_FRAMES = (0xC0, 0xC1)
JPEG_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}
JPEG_EXIF = 0xE1

# PNG chunks (ISO 15948) that make pixels.
PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def strip_metadata(data: bytes, kind: ImageFormat) -> BareFile:
    """Return a file without metadata if it is JPEG or PNG, else as it is."""
    if kind.name == "JPEG":
        return _strip_jpeg(data)
    return _strip_png(data) if kind.name == "PNG" else BareFile(data)


def _strip_jpeg(data: bytes) -> BareFile:
    """Drop comments, EXIF, XMP, colour profile and previews."""
    kept = [data[:2]]
    exif = b""
    channels = 0
    at = 2
    while data[at : at + 1] == b"\xff" and len(data) >= at + 4:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == JPEG_START_OF_SCAN or length < 2:
            break
        end = at + 2 + length
        segment = data[at:end]
        if marker in JPEG_BASELINE_FRAMES:
            channels = segment[9] if len(segment) > 9 else 0
        if marker == JPEG_EXIF and segment[4:10] == b"Exif\0\0":
            exif = exif or segment[4:]
        if marker not in JPEG_METADATA:
            kept.append(segment)
        at = end
    in_first_scan = data[at + 4 : at + 5]
    one_scan = channels > 0 and in_first_scan == bytes([channels])
    return BareFile(b"".join([*kept, data[at:]]), exif, one_scan)


def _strip_png(data: bytes) -> BareFile:
    """Drop text, colour profile, EXIF and the further frames of an animation."""
    kept = [data[:8]]
    exif = b""
    at = 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        if kind in PNG_PIXELS:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            exif = exif or data[at + 8 : end - 4]
        at = end
    return BareFile(b"".join(kept), exif)


UPRIGHT = {  # EXIF orientation -> what makes the image upright; orientation 1 already is
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(exif: bytes) -> int:
    """Return the orientation in an EXIF block, 1 to 8; 1 if there is none or the block is broken.

    Pillow's own reader warns about broken blocks, and `warnings` can't be silenced in one thread.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(entries):
            at = directory + 2 + 12 * entry
            tag, _type, _count, value = struct.unpack_from(f"{order}HHIH", tiff, at)
            if tag == 0x0112:  # orientation
                return int(value) if value in UPRIGHT else 1
    except struct.error:  # it points past its own end
        pass
    return 1
