"""The same image gives the same pixels, whichever way it comes and however it is stored."""

from __future__ import annotations

import concurrent.futures

import numpy as np
import pytest
from PIL import Image

from outgroup.images import Preprocessing, decode, load_image

PREPROCESSING = Preprocessing(resize=64, crop=56)
LOSSLESS = [
    ("PNG", {}),
    ("WEBP", {"lossless": True, "quality": 0}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("PPM", {}),
    ("JPEG2000", {"irreversible": False}),
]


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_path_bytes_pillow_and_array_agree(photo, encode, tmp_path, format, options):
    data = encode(photo, format, **options)
    path = tmp_path / "photo.with.a.wrong.ending.txt"
    path.write_bytes(data)
    expected = load_image(np.asarray(photo), PREPROCESSING)
    for source in (path, str(path), data, photo, Image.open(path)):
        np.testing.assert_array_equal(load_image(source, PREPROCESSING), expected)


def test_the_result_is_contiguous_rgb_that_may_be_written_to(photo):
    pixels = load_image(photo, PREPROCESSING)
    assert pixels.shape == (56, 56, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


@pytest.mark.parametrize("size", [(320, 240), (240, 321), (227, 227), (2000, 1500), (40, 30)])
@pytest.mark.parametrize("resample", ["bicubic", "bilinear", "lanczos", "box", "hamming"])
def test_it_equals_resizing_all_and_cropping_then(photo, size, resample):
    image = photo.resize(size, Image.Resampling.BICUBIC)
    filter = Image.Resampling[resample.upper()]
    width, height = (64 * side // min(size) for side in size)
    left, top = round((width - 56) / 2), round((height - 56) / 2)
    plain = image.resize((width, height), filter).crop((left, top, left + 56, top + 56))
    pixels = load_image(image, Preprocessing(resize=64, crop=56, resample=resample))
    assert np.abs(pixels.astype(int) - np.asarray(plain)).max() <= 2


def test_squashing_shows_the_whole_image():
    image = np.zeros((100, 400, 3), np.uint8)
    image[:, :40] = 255
    squashed = load_image(image, Preprocessing(resize=50, crop=50, keep_aspect=False))
    kept = load_image(image, Preprocessing(resize=50, crop=50))
    assert squashed[25, 0, 0] == 255
    assert kept[25, 0, 0] == 0


def test_nearest_invents_no_colours():
    image = np.random.default_rng(0).choice([0, 255], (100, 90)).astype(np.uint8)
    pixels = load_image(image, Preprocessing(resize=64, crop=56, resample="nearest"))
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1), (1, 1), (3, 60_000)])
def test_slivers_take_no_more_than_their_share(size):
    pixels = load_image(Image.new("RGB", size, (10, 20, 30)), Preprocessing())
    assert (pixels == (10, 20, 30)).all()


def test_threads_give_the_same_pixels(photo, encode):
    files = [encode(photo.rotate(angle), "JPEG") for angle in range(40)]
    alone = [load_image(file, PREPROCESSING) for file in files]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda file: load_image(file, PREPROCESSING), files))
    np.testing.assert_array_equal(together, alone)


class TestReducedJPEG:
    @pytest.mark.parametrize("size", [(1601, 1200), (500, 1999), (512, 512), (511, 700), (90, 70)])
    @pytest.mark.parametrize("progressive", [False, True])
    def test_it_is_never_smaller_than_needed(self, photo, encode, size, progressive):
        data = encode(photo.resize(size), "JPEG", progressive=progressive)
        reduced = decode(data, min_side=256)
        assert min(reduced.size) >= min(256, *size)
        assert reduced.width <= size[0]
        assert decode(data).size == size

    def test_it_looks_like_the_full_one(self, photo, encode):
        data = encode(photo.resize((1600, 1200), Image.Resampling.BICUBIC), "JPEG", quality=95)
        reduced = load_image(data, Preprocessing()).astype(int)
        full = load_image(decode(data), Preprocessing())
        assert decode(data, min_side=256).size == (400, 300)
        assert np.abs(reduced - full).mean() < 2
