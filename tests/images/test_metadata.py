"""Metadata turns the image the right way up and does nothing else, least of all harm."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from outgroup.images import decode

STORED_AS = {  # what a camera that writes this orientation did to the picture
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exif_block(orientation: int, order: str = "<") -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + start + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def stored(photo: Image.Image, orientation: int) -> Image.Image:
    turn = STORED_AS.get(orientation)
    return photo if turn is None else photo.transpose(turn)


def difference(one: Image.Image, other: Image.Image) -> float:
    assert one.size == other.size
    return float(np.abs(np.asarray(one, int) - np.asarray(other, int)).mean())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_orientations_come_out_upright(photo, encode, orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored(photo, orientation), format, exif=exif)
    assert difference(decode(data), photo) < 2


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_are_read(photo, encode, order):
    data = encode(stored(photo, 6), "JPEG", exif=exif_block(6, order))
    assert difference(decode(data), photo) < 2


def test_a_pillow_image_is_turned_once(photo, encode, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encode(stored(photo, 8), "JPEG", exif=exif_block(8)))
    with Image.open(tmp_path / "photo.jpg") as image:
        upright = decode(image)
        assert difference(upright, photo) < 2
        assert difference(decode(upright), photo) < 2
        assert image.size == (240, 320)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_impossible_orientation_is_upright(photo, encode, orientation):
    assert difference(decode(encode(photo, "JPEG", exif=exif_block(orientation))), photo) < 2


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        exif_block(6)[:-10],
        b"Exif\0\0MM\0*" + b"\xff" * 40,
        b"Exif\0\0garbage",
        b"not exif at all",
        # A resolution whose value lies beyond the end: Pillow warns about it.
        b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x011A, 5, 1, 9999, 0),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_costs_no_pixels(photo, encode, exif, format):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, while it writes the file
        data = encode(photo, format, exif=exif)
    assert difference(decode(data), photo) < 3


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_broken_colour_profile_costs_no_pixels(photo, encode, format):
    data = encode(photo, format, icc_profile=b"no profile" * 9000)
    assert difference(decode(data), photo) < 3


def png_chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


@pytest.mark.parametrize(
    ("kind", "start"), [(b"zTXt", b"key\0\0"), (b"iTXt", b"key\0\1\0\0\0"), (b"iCCP", b"key\0\0")]
)
def test_a_text_that_unpacks_to_gigabytes_is_never_unpacked(photo, encode, kind, start):
    data = encode(photo, "PNG")
    bomb = png_chunk(kind, start + zlib.compress(bytes(100_000_000), 1))
    assert difference(decode(data[:33] + bomb + data[33:]), photo) == 0


def test_a_text_of_megabytes_costs_no_pixels(photo, encode):
    notes = PngInfo()
    notes.add_text("workflow", "x" * 3_000_000, zip=True)
    assert difference(decode(encode(photo, "PNG", pnginfo=notes)), photo) == 0


def test_broken_animation_control_costs_no_pixels(photo, encode):
    data = encode(photo, "PNG")
    control = png_chunk(b"acTL", bytes(8))  # no frames: Pillow warns about it
    assert difference(decode(data[:33] + control + data[33:]), photo) == 0


def test_a_broken_preview_index_costs_no_pixels(photo, encode):
    data = encode(photo, "JPEG")
    preview = b"MPF\0II*\0" + struct.pack("<IH", 8, 0xFFFF)
    segment = b"\xff\xe2" + struct.pack(">H", len(preview) + 2) + preview
    assert difference(decode(data[:2] + segment + data[2:]), photo) < 2


def test_fill_bytes_between_jpeg_segments_are_allowed(photo, encode):
    data = encode(photo, "JPEG", exif=exif_block(1))
    assert difference(decode(data[:2] + b"\xff\xff\xff" + data[2:]), photo) < 2
