from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo() -> Image.Image:
    """A smooth, asymmetric picture: every corner has its own colour."""
    y, x = np.mgrid[0:240, 0:320]
    pixels = np.stack([x * 255 // 319, y * 255 // 239, 255 - (x + y) * 255 // 558], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Return a Pillow image as the bytes of a file."""

    def encoded(image: Image.Image, format: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return buffer.getvalue()

    return encoded
