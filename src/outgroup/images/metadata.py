"""A file's pixels without its metadata, and the one fact in there that matters: which way is up.

Metadata changes no pixel but the orientation, and it is where files are most often broken or
hostile: text and colour profiles that unpack to gigabytes, EXIF that Pillow complains about through
`warnings` (which can't be silenced in one thread alone). So JPEG and PNG, the formats that nearly
all of it comes in, are handed on without it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from PIL import Image

UPRIGHT = {  # EXIF orientation -> what makes it upright; 1 already is
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # orientations whose width becomes the height
ORIENTATION_TAG = 0x0112

# JPEG markers (ITU T.81, table B.1). JFIF (APP0) and Adobe (APP14) say how colours are coded.
JPEG_START_OF_SCAN = 0xDA
JPEG_BASELINE_FRAMES = (0xC0, 0xC1)
JPEG_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}
JPEG_EXIF = 0xE1

# PNG chunks (ISO 15948) that make pixels.
PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


@dataclass(frozen=True)
class Bare:
    """A file without its metadata.

    Parameters
    ----------
    data : bytes
        The file to decode.
    exif : bytes
        The EXIF block that was in it; empty if there was none.
    one_scan : bool
        Whether it is a JPEG that is decoded in one go, so that decoding it at reduced size takes
        memory for the reduced size only.
    """

    data: bytes
    exif: bytes = b""
    one_scan: bool = False


def strip_jpeg(data: bytes) -> Bare:
    """Return a JPEG without comments, EXIF, XMP, colour profile and previews."""
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
    return Bare(b"".join([*kept, data[at:]]), exif, one_scan)


def strip_png(data: bytes) -> Bare:
    """Return a PNG without text, colour profile, EXIF and the further frames of an animation."""
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
    return Bare(b"".join(kept), exif)


STRIPPERS = {"JPEG": strip_jpeg, "PNG": strip_png}


def orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, that an EXIF block states; 1 where it is silent or broken.

    Examples
    --------
    >>> orientation(b"Exif garbage")
    1
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
            if tag == ORIENTATION_TAG:
                return int(value) if value in UPRIGHT else 1
    except struct.error:  # it points past its own end
        pass
    return 1


def make_upright(image: Image.Image, exif: bytes) -> Image.Image:
    """Return the image turned and mirrored as its EXIF block says."""
    turn = UPRIGHT.get(orientation(exif))
    if turn is None:
        return image
    upright = image.transpose(turn)
    upright.info.pop("exif", None)  # else it would be turned again when given back to us
    return upright
