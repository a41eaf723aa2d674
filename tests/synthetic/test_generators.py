"""What holds for every registered generator of synthetic negatives."""

from __future__ import annotations

import numpy as np
import pytest

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.synthetic import GENERATORS, draw, made_from_nothing

NAMES = GENERATORS.names()
KNOWN = np.random.default_rng(0).integers(0, 256, (5, 40, 52, 3), dtype=np.uint8)


def drawn(name: str, n: int, size: int = 32, seed: int = 0) -> np.ndarray:
    generator = GENERATORS.get(name)()
    return generator.draw(n, size, seed=seed, images=KNOWN if generator.needs_images else None)


def test_some_generators_need_images_and_some_do_not() -> None:
    assert NAMES == ["gradients", "inverted-crops", "noise", "shuffled-patches", "squares"]
    assert made_from_nothing() == ["gradients", "noise", "squares"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [2, 3, 7, 32, 37])
def test_images_have_the_requested_size(name: str, size: int) -> None:
    for n in (0, 1, 19):
        images = drawn(name, n, size)
        assert images.shape == (n, size, size, 3)
        assert images.dtype == np.uint8


@pytest.mark.parametrize("name", NAMES)
def test_first_images_are_the_same_for_any_number(name: str) -> None:
    many = drawn(name, 41)
    for n in (1, 2, 5, 16, 17, 40):
        np.testing.assert_array_equal(drawn(name, n), many[:n])
    np.testing.assert_array_equal(drawn(name, 41), many)


@pytest.mark.parametrize("name", NAMES)
def test_every_image_and_every_seed_differs(name: str) -> None:
    images = drawn(name, 20)
    assert len(np.unique(images.reshape(20, -1), axis=0)) == 20
    assert not any((a == b).all() for a, b in zip(images, drawn(name, 20, seed=1), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_images_use_the_whole_range_of_values(name: str) -> None:
    images = drawn(name, 60)
    assert images.min() <= 5
    assert images.max() >= 250
    assert 100 < images.mean() < 156


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "Invalid `n`: must be a whole number from 0 up, got -1"),
        ({"n": True}, "Invalid `n`: must be a whole number"),
        ({"n": 1, "size": 0}, "Invalid `size`: must be a whole number from"),
        ({"n": 1, "seed": -1}, "Invalid `seed`: must be a whole number from 0 up"),
    ],
)
def test_a_number_out_of_range_is_refused(name: str, options: dict[str, int], message: str) -> None:
    generator = GENERATORS.get(name)()
    with pytest.raises(InvalidParameterError, match=message):
        generator.draw(**options, images=KNOWN)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted({*NAMES} - {*made_from_nothing()}))
def test_invalid_images_are_refused(name: str) -> None:
    generator = GENERATORS.get(name)()
    for images, message in (
        (None, "must be an array of uint8 of shape .* got None"),
        (KNOWN / 255, "got float64"),
        (KNOWN[0], "got uint8"),
        (KNOWN[..., :1], "must be colour images"),
        (KNOWN[:, :30], "of 32 pixels a side or more"),
    ):
        with pytest.raises(InvalidParameterError, match=f"Invalid `images`: .*{message}"):
            generator.draw(1, 32, images=images)  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match="no images"):
        generator.draw(1, 32, images=KNOWN[:0])


def test_kinds_take_turns() -> None:
    images, names = draw(7, 32, seed=4)
    assert names == ["gradients", "noise", "squares", "gradients", "noise", "squares", "gradients"]
    np.testing.assert_array_equal(images[1::3], drawn("noise", 2, seed=4))
    np.testing.assert_array_equal(draw(5, 32, seed=4)[0], images[:5])
    assert draw(3, 32, images=KNOWN)[1] == made_from_nothing()  # others have to be asked for
    images, names = draw(5, 32, kinds=NAMES, images=KNOWN, seed=4)
    assert names == NAMES
    for image, name in zip(images, names, strict=True):
        np.testing.assert_array_equal(image, drawn(name, 1, seed=4)[0])
    images, names = draw(3, 32, kinds=["squares"])
    assert names == ["squares"] * 3
    np.testing.assert_array_equal(images, drawn("squares", 3))
    assert draw(0, 32)[0].shape == (0, 32, 32, 3)


def test_kinds_must_be_names() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"Invalid `generator`: .* Did you mean 'squares'"
    ):
        draw(1, kinds=["square"])
    for kinds in ("squares", []):
        with pytest.raises(InvalidParameterError, match="Invalid `kinds`: must be a list"):
            draw(1, kinds=kinds)
    with pytest.raises(InvalidParameterError, match="Invalid `images`"):
        draw(1, kinds=["inverted-crops"])
