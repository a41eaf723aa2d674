"""Negatives that are made out of the user's own images."""

from __future__ import annotations

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.synthetic import inverted_crops, shuffled_patches

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 24, 36, 3), dtype=np.uint8)


def patches(image: np.ndarray, grid: int) -> list[bytes]:
    side = len(image) // grid
    return [
        image[y : y + side, x : x + side].tobytes()
        for y in range(0, grid * side, side)
        for x in range(0, grid * side, side)
    ]


@pytest.mark.parametrize("grid", [2, 3, 4])
def test_patches_are_all_there_and_none_in_its_place(grid: int) -> None:
    squares = IMAGES[:, :, :24]
    before = [patches(image, grid) for image in squares]
    for image in shuffled_patches(squares, 200, grid=grid):
        after = patches(image, grid)
        (source,) = (old for old in before if set(old) == set(after))
        assert not any(a == b for a, b in zip(source, after, strict=True))


def test_every_order_of_patches_without_a_fixed_one_comes() -> None:
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


def test_a_side_that_is_no_multiple_of_the_grid_gets_smaller() -> None:
    assert shuffled_patches(IMAGES, 3, 23, grid=4).shape == (3, 20, 20, 3)


def test_inverted_crops_are_pieces_in_the_opposite_colours() -> None:
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


def test_images_stay_as_they_were() -> None:
    before = IMAGES.copy()
    inverted_crops(IMAGES, 5)[...] = 0
    shuffled_patches(IMAGES, 5)[...] = 0
    np.testing.assert_array_equal(IMAGES, before)


def test_grid_has_to_be_two_at_least_and_fit() -> None:
    with pytest.raises(InvalidParameterError, match=r"'grid' parameter .* from 2 up. Got 1"):
        shuffled_patches(IMAGES, 1, grid=1)
    with pytest.raises(InvalidParameterError, match=r"'size' parameter .* from 4 up. Got 3"):
        shuffled_patches(IMAGES, 1, 3, grid=4)
    with pytest.raises(InvalidParameterError, match=r"'images' parameter .* 25 pixels a side"):
        shuffled_patches(IMAGES, 1, grid=25)
