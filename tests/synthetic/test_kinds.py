"""What each generator of synthetic negatives draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.errors import InvalidParameterError
from outgroup.synthetic import (
    SPECTRA,
    inverted_crops,
    random_gradients,
    random_noise,
    random_squares,
    shuffled_patches,
)

SIZE = 128
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 24, 36, 3), dtype=np.uint8)


@settings(max_examples=50, deadline=None)
@given(n=st.integers(0, 3), size=st.integers(1, 70), min_side=st.integers(1, 90))
def test_squares_fill_any_size(n: int, size: int, min_side: int) -> None:
    images = random_squares(n, size, min_side=min_side)
    assert images.shape == (n, size, size, 3)
    assert images.dtype == np.uint8


def test_the_first_squares_of_a_seed_are_the_same_for_any_number() -> None:
    five = random_squares(5, 32, seed=1)
    np.testing.assert_array_equal(random_squares(3, 32, seed=1), five[:3])
    assert not np.array_equal(random_squares(5, 32, seed=2), five)
    assert len(np.unique(five, axis=0)) == 5


def colours(image: np.ndarray) -> int:
    return len(np.unique(image.reshape(-1, 3), axis=0))


def test_without_splits_there_are_four_squares() -> None:
    for image in random_squares(5, 64, p_split=0.0):
        quarters = image.reshape(2, 32, 2, 32, 3)
        np.testing.assert_array_equal(quarters, quarters[:, :1, :, :1].repeat(32, 1).repeat(32, 3))
        assert colours(image) == 4


def test_with_a_probability_of_1_all_squares_are_of_the_smallest_size() -> None:
    (image,) = random_squares(1, 64, min_side=8, p_split=1.0)
    cells = image.reshape(8, 8, 8, 8, 3)
    np.testing.assert_array_equal(cells, cells[:, :1, :, :1].repeat(8, 1).repeat(8, 3))
    assert colours(image) == 64


def test_squares_of_several_sizes_occur_together() -> None:
    counts = [colours(image) for image in random_squares(50, 64, min_side=4)]
    assert 4 <= min(counts) < max(counts) <= 256
    assert len(set(counts)) > 10


def test_a_square_that_is_not_split_has_one_colour() -> None:
    """Each 4 x 4 block is uniform if its quarter stopped above that level."""
    for image in random_squares(20, 64, min_side=2, p_split=0.4):
        blocks = image.reshape(8, 8, 8, 8, 3).swapaxes(1, 2).reshape(64, 64, 3)
        whole = sum(len(np.unique(block, axis=0)) == 1 for block in blocks)
        assert whole > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "Invalid `n`: must be a whole number from 0 up, got -1"),
        ({"n": 1.5}, "Invalid `n`: must be a whole number"),
        ({"n": 1, "size": 0}, "Invalid `size`: must be a whole number from 1 up"),
        ({"n": 1, "min_side": 0}, "Invalid `min_side`"),
        ({"n": 1, "seed": -1}, "Invalid `seed`"),
        ({"n": 1, "p_split": 1.1}, "Invalid `p_split`: must be between 0 and 1, got 1.1"),
        ({"n": 1, "p_split": float("nan")}, "Invalid `p_split`"),
    ],
)
def test_squares_refuse_a_number_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        random_squares(**options)  # type: ignore[arg-type]


def test_colours_change_evenly_between_two_corners() -> None:
    for image in random_gradients(50, 33).astype(float):
        corners = np.array([image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]])
        # opposite corners add up to the same, and the middle of the image is half of that
        np.testing.assert_allclose(corners[0] + corners[3], corners[1] + corners[2], atol=2)
        np.testing.assert_allclose(2 * image[16, 16], corners[0] + corners[3], atol=2)
        for steps in (np.diff(image, axis=0), np.diff(image, axis=1)):
            assert np.ptp(steps, axis=(0, 1)).max() <= 1
        assert np.ptp(image, axis=(0, 1)).tolist() == np.ptp(corners, axis=0).tolist()


def test_gradients_have_all_directions() -> None:
    images = random_gradients(200, 9).astype(float)
    down = (images[:, -1] - images[:, 0]).mean(axis=1)
    across = (images[:, :, -1] - images[:, :, 0]).mean(axis=1)
    strongest = np.abs(down).argmax(axis=1)
    rows = np.arange(200)
    angles = np.arctan2(down[rows, strongest], across[rows, strongest])
    counts, _ = np.histogram(angles, bins=8, range=(-np.pi, np.pi))
    assert counts.min() >= 10


def slope(images: np.ndarray, upto: float) -> float:
    """Return the exponent of the amplitude spectrum, from octaves of frequencies."""
    values = images.astype(float) - images.mean(axis=(1, 2), keepdims=True)
    window = np.outer(np.hanning(SIZE), np.hanning(SIZE))
    power = np.abs(np.fft.fft2(values * window[..., np.newaxis], axes=(1, 2))) ** 2
    power = power.mean(axis=(0, 3))
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, np.newaxis], np.fft.fftfreq(SIZE))
    edges = np.geomspace(3 / SIZE, upto, 7)
    octaves = [(frequency >= low) & (frequency < high) for low, high in itertools.pairwise(edges)]
    x = [np.log(frequency[octave]).mean() for octave in octaves]
    y = [np.log(power[octave].mean()) / 2 for octave in octaves]
    return -float(np.polyfit(x, y, 1)[0])


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_the_amplitude_of_noise_falls_with_the_frequency(exponent: float) -> None:
    images = random_noise(60, SIZE, exponent=exponent)
    assert slope(images, upto=0.25) == pytest.approx(exponent, abs=0.1)


def test_spectra_take_turns() -> None:
    images = random_noise(90, SIZE)
    for turn, exponent in enumerate(SPECTRA.values()):
        assert slope(images[turn::3], upto=0.25) == pytest.approx(exponent, abs=0.15)


def test_each_image_of_noise_fills_the_range_of_values() -> None:
    for image in random_noise(9, 50):
        assert (image.min(), image.max()) == (0, 255)


def test_noise_is_equally_strong_everywhere() -> None:
    """Points that are put between others have no less noise than these."""
    for exponent in SPECTRA.values():
        values = random_noise(400, 32, exponent=exponent).astype(float)
        strength = values[:, 4:-4, 4:-4].std(axis=(0, 3))
        for axis in (0, 1):
            even, odd = strength.take(range(0, 24, 2), axis), strength.take(range(1, 24, 2), axis)
            assert even.mean() == pytest.approx(odd.mean(), rel=0.05)


def test_the_colours_of_noise_are_independent() -> None:
    white = random_noise(20, 64, exponent=0).reshape(-1, 3).astype(float)
    assert abs(np.corrcoef(white.T)[np.triu_indices(3, 1)]).max() < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 1}, "Invalid `size`: must be a whole number from 2 up"),
        ({"exponent": -0.1}, "Invalid `exponent`: must be from 0 to 2, or None, got -0.1"),
        ({"exponent": float("nan")}, "Invalid `exponent`"),
        ({"exponent": "white"}, "Invalid `exponent`"),
    ],
)
def test_noise_refuses_a_parameter_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        random_noise(1, **options)  # type: ignore[arg-type]


def patches(image: np.ndarray, grid: int) -> list[bytes]:
    side = len(image) // grid
    return [
        image[y : y + side, x : x + side].tobytes()
        for y in range(0, grid * side, side)
        for x in range(0, grid * side, side)
    ]


@pytest.mark.parametrize("grid", [2, 3, 4])
def test_all_patches_are_kept_and_none_in_its_place(grid: int) -> None:
    squares = IMAGES[:, :, :24]
    before = [patches(image, grid) for image in squares]
    for image in shuffled_patches(squares, 200, grid=grid):
        after = patches(image, grid)
        (source,) = (old for old in before if set(old) == set(after))
        assert not any(a == b for a, b in zip(source, after, strict=True))


def test_every_cyclic_order_of_patches_occurs() -> None:
    (one,) = RNG.integers(0, 256, (1, 2, 2, 3), dtype=np.uint8)
    orders = {image.tobytes() for image in shuffled_patches(one[np.newaxis], 300, grid=2)}
    assert len(orders) == 6  # the cyclic permutations of four


def test_any_square_of_an_image_may_be_shuffled() -> None:
    drawn = shuffled_patches(IMAGES[:1], 300, 20, grid=2)
    assert drawn.shape == (300, 20, 20, 3)
    wanted = {
        frozenset(patches(IMAGES[0, y : y + 20, x : x + 20], 2))
        for y in range(5)
        for x in range(17)
    }
    found = {frozenset(patches(image, 2)) for image in drawn}
    assert found <= wanted
    assert len(found) > 75


def test_a_side_is_rounded_down_to_a_multiple_of_the_grid() -> None:
    assert shuffled_patches(IMAGES, 3, 23, grid=4).shape == (3, 20, 20, 3)


def test_inverted_crops_are_crops_with_inverted_colours() -> None:
    drawn = inverted_crops(IMAGES, 400, 20)
    wanted = {
        (255 - image[y : y + 20, x : x + 20]).tobytes(): (k, y, x)
        for k, image in enumerate(IMAGES)
        for y in range(5)
        for x in range(17)
    }
    found = {wanted[image.tobytes()] for image in drawn}
    for axis, number in enumerate((6, 5, 17)):
        assert {place[axis] for place in found} == {*range(number)}
    assert inverted_crops(IMAGES, 1).shape == (1, 17, 17, 3)


def test_the_given_images_are_not_changed() -> None:
    before = IMAGES.copy()
    inverted_crops(IMAGES, 5)[...] = 0
    shuffled_patches(IMAGES, 5)[...] = 0
    np.testing.assert_array_equal(IMAGES, before)


def test_the_grid_must_be_at_least_two_and_fit() -> None:
    with pytest.raises(InvalidParameterError, match=r"Invalid `grid`: .* from 2 up, got 1"):
        shuffled_patches(IMAGES, 1, grid=1)
    with pytest.raises(InvalidParameterError, match=r"Invalid `size`: .* from 4 up, got 3"):
        shuffled_patches(IMAGES, 1, 3, grid=4)
    with pytest.raises(InvalidParameterError, match=r"Invalid `images`: .* 25 pixels a side"):
        shuffled_patches(IMAGES, 1, grid=25)
