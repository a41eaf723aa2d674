"""Damaged files either decode or give a reason; nothing else ever comes out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from outgroup.errors import UnreadableImageError
from outgroup.images import Preprocessing, load_image

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "ICO", "JPEG2000")
PREPROCESSING = Preprocessing(resize=32, crop=28)


def flip_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for at in rng.integers(0, len(data), rng.integers(1, 9)):
        damaged[at] = rng.integers(256)
    return bytes(damaged)


def flip_bytes_of_the_header(data: bytes, rng: np.random.Generator) -> bytes:
    return flip_bytes(data[:200], rng) + data[200:]


def cut_the_end(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(len(data))]


def cut_out_a_part(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(rng.integers(0, len(data), 2))
    return data[:start] + data[end:]


def check(data: bytes) -> None:
    try:
        shape = load_image(data, PREPROCESSING, max_pixels=10**6).shape
        reason = ""
    except UnreadableImageError as error:
        shape = None
        reason = str(error)
    assert shape == (28, 28, 3) or reason
    assert reason.isprintable()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "damage", [flip_bytes, flip_bytes_of_the_header, cut_the_end, cut_out_a_part]
)
def test_damaged_files(photo, encode, format, damage):
    data = encode(photo.resize((40, 36)), format)
    rng = np.random.default_rng(0)
    for _ in range(12):
        check(damage(data, rng))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_swapped_headers(photo, encode, format, other):
    if format != other:
        head, body = encode(photo, other)[:24], encode(Image.new("L", (40, 36)), format)[24:]
        with pytest.raises(UnreadableImageError):
            load_image(head + body, PREPROCESSING, max_pixels=10**6)
