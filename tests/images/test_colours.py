"""Whatever way colours are stored, they come out as the 8-bit RGB that a person would see."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from outgroup.images import decode

ORANGE = (250, 128, 10)


def colour_of(source) -> tuple[int, ...]:
    image = decode(source)
    assert image.mode == "RGB"
    return image.getpixel((image.width // 2, image.height // 2))


def solid(mode: str, colour) -> Image.Image:
    return Image.new(mode, (32, 24), colour)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (solid("RGB", ORANGE), ORANGE),
        (solid("L", 77), (77, 77, 77)),
        (solid("1", 1), (255, 255, 255)),
        (solid("RGBX", (*ORANGE, 0)), ORANGE),
        (solid("CMYK", (0, 255, 255, 0)), (255, 0, 0)),
        (solid("RGBA", (*ORANGE, 255)), ORANGE),
        (solid("RGBA", (*ORANGE, 0)), (255, 255, 255)),
        (solid("RGBA", (0, 0, 0, 51)), (204, 204, 204)),
        (solid("LA", (100, 0)), (255, 255, 255)),
        (solid("LA", (100, 255)), (100, 100, 100)),
        (solid("La", (100, 255)), (100, 100, 100)),
        (solid("RGBa", (*ORANGE, 255)), ORANGE),
        (solid("RGB", ORANGE).convert("P", palette=Image.Palette.ADAPTIVE), ORANGE),
        (solid("RGB", ORANGE).convert("HSV"), ORANGE),
        (solid("RGB", ORANGE).convert("YCbCr"), ORANGE),
        (solid("LAB", (255, 128, 128)), (255, 255, 255)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_every_mode_becomes_rgb(image, expected):
    assert np.abs(np.subtract(colour_of(image), expected)).max() <= 6


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bit_grey_keeps_its_upper_bits(dtype, encode):
    image = Image.fromarray(np.full((24, 32), 0x8012, dtype))
    assert colour_of(image) == (128, 128, 128)
    assert colour_of(encode(image, "TIFF")) == (128, 128, 128)


def test_a_16_bit_png_is_neither_black_nor_white(encode):
    data = encode(Image.fromarray(np.full((24, 32), 0x4000, np.uint16)), "PNG")
    assert colour_of(data) == (64, 64, 64)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 25700.0, 65535.0], [0, 100, 255]),
        ([-10.0, 0.0, 10.0], [0, 128, 255]),
        ([0.0, 0.0, 1e9], [0, 0, 255]),
        ([0.0, float("nan"), float("inf")], [0, 0, 0]),
        ([7e5, 7e5, 7e5], [0, 0, 0]),
    ],
)
def test_floats_find_their_white(values, expected, encode):
    image = Image.fromarray(np.array([values], np.float32))
    for source in (image, encode(image, "TIFF")):
        assert np.asarray(decode(source))[0, :, 0].tolist() == expected


def test_32_bit_integers_find_their_white():
    image = Image.fromarray(np.array([[0, 100, 255]], np.int32))
    assert np.asarray(decode(image))[0, :, 0].tolist() == [0, 100, 255]


class TestTransparency:
    def test_hidden_colours_don_t_matter(self, encode):
        colours = np.random.default_rng(0).integers(0, 256, (24, 32, 4), np.uint8)
        colours[..., 3] = 0
        for source in (colours, encode(Image.fromarray(colours), "PNG")):
            assert (np.asarray(decode(source)) == 255).all()

    @pytest.mark.parametrize("transparency", [0, b"\x00"])
    def test_a_transparent_palette_colour_is_white(self, encode, transparency):
        image = Image.new("P", (32, 24), 0)
        image.putpalette([*ORANGE, 0, 0, 0])
        data = encode(image, "PNG", transparency=transparency)
        assert colour_of(data) == (255, 255, 255)

    def test_a_transparent_rgb_colour_is_white(self, encode):
        data = encode(solid("RGB", ORANGE), "PNG", transparency=ORANGE)
        assert colour_of(data) == (255, 255, 255)

    def test_a_transparent_gif_is_white(self, encode):
        image = solid("RGB", ORANGE).convert("P", palette=Image.Palette.ADAPTIVE)
        data = encode(image, "GIF", transparency=image.getpixel((0, 0)))
        assert colour_of(data) == (255, 255, 255)


class TestCMYK:
    def test_adobe_files_are_not_inverted(self, encode):
        data = encode(solid("CMYK", (0, 255, 255, 0)), "JPEG", quality=95)
        assert b"Adobe" in data
        assert np.abs(np.subtract(colour_of(data), (255, 0, 0))).max() <= 8

    def test_tiff(self, encode):
        data = encode(solid("CMYK", (0, 255, 255, 0)), "TIFF")
        assert colour_of(data) == (255, 0, 0)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_it_is_the_first_frame(encode, format):
    first, second = solid("RGB", (255, 0, 0)), solid("RGB", (0, 0, 255))
    data = encode(first, format, save_all=True, append_images=[second])
    red, green, blue = colour_of(data)
    assert red > 240
    assert max(green, blue) < 15


def test_an_icon_is_its_largest_picture(encode):
    data = encode(solid("RGBA", (*ORANGE, 255)).resize((48, 48)), "ICO", sizes=[(16, 16), (48, 48)])
    assert decode(data).size == (48, 48)
    assert colour_of(data) == ORANGE
