from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from outgroup.images import Preprocessing, load_image
from outgroup.pool.fingerprints import fingerprint
from outgroup.pool.stored_images import StoredForm

LITE0 = Preprocessing()


def grain(width: int, height: int) -> Image.Image:
    """A picture with detail of all sizes."""
    rng = np.random.default_rng(width * height)
    field = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    pixels = np.asarray(field.resize((width, height), Image.Resampling.BICUBIC), float)
    pixels += rng.normal(0, 25, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "size", [(640, 480), (481, 640), (1000, 301), (257, 256), (256, 999), (777, 775), (513, 320)]
)
def test_network_sees_the_same_pixels_as_in_the_original(size: tuple[int, int]) -> None:
    image = grain(*size)
    small = StoredForm.for_network(LITE0).shrink(image)
    assert min(small.size) == 256
    assert max(small.size) <= 320
    before = load_image(image, LITE0).astype(int)
    after = load_image(small, LITE0).astype(int)
    assert np.abs(before - after).max() <= 1


@pytest.mark.parametrize("size", [(100, 80), (80, 300), (227, 227), (200, 1000)])
def test_small_image_is_not_enlarged(size: tuple[int, int], bag: SimpleNamespace) -> None:
    image = bag.picture(1, *size)
    small = StoredForm.for_network(LITE0).shrink(image)
    assert small.size == (min(size[0], 320), min(size[1], 320))
    if small.size == image.size:
        assert small is image
    before = load_image(image, LITE0).astype(int)
    after = load_image(small, LITE0).astype(int)
    assert np.abs(before - after).mean() < 2


def test_network_that_squeezes_sees_the_same_shape() -> None:
    squeeze = Preprocessing(resize=224, keep_aspect=False)
    form = StoredForm.for_network(squeeze)
    image = grain(1200, 400)
    small = form.shrink(image)
    assert small.size == (320, 106)
    before = load_image(image, squeeze).astype(float)
    after = load_image(small, squeeze).astype(float)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9


def test_large_networks_get_larger_images() -> None:
    assert StoredForm.for_network(Preprocessing(resize=288, crop=288)).shorter == 288
    assert StoredForm.for_network(Preprocessing(resize=512, crop=512)).shorter == 320
    assert StoredForm.for_network(Preprocessing(resize=64, crop=64)).shorter == 256


def test_encoding_is_the_same_every_time_and_close_to_the_image() -> None:
    form = StoredForm()
    image = form.shrink(grain(640, 480))
    data = form.encode(image)
    assert data == form.encode(image.copy())
    decoded = np.asarray(Image.open(io.BytesIO(data)), float)
    assert np.abs(decoded - np.asarray(image, float)).mean() < 5
    assert StoredForm.from_dict(form.to_dict()) == form


def test_hash_is_the_same_for_small_and_blurred_copies(bag: SimpleNamespace) -> None:
    def bits(a: int | None, b: int | None) -> int:
        assert a is not None
        assert b is not None
        return bin(a ^ b).count("1")

    hashes = []
    for number in range(30):
        image = bag.picture(number, 600, 450)
        one = fingerprint(image)
        hashes.append(one)
        assert bits(one, fingerprint(image.resize((200, 150)))) <= 3
        file = io.BytesIO()
        image.save(file, "JPEG", quality=75)
        assert bits(one, fingerprint(Image.open(file))) <= 3
    apart = [bits(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(apart) > 6
