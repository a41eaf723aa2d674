from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.errors import InvalidParameterError
from outgroup.synthetic import random_squares


@settings(max_examples=50, deadline=None)
@given(n=st.integers(0, 3), size=st.integers(1, 70), min_side=st.integers(1, 90))
def test_any_size_is_filled(n: int, size: int, min_side: int) -> None:
    images = random_squares(n, size, min_side=min_side)
    assert images.shape == (n, size, size, 3)
    assert images.dtype == np.uint8


def test_seed_decides_and_number_does_not() -> None:
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


def test_always_split_goes_down_to_the_smallest_squares() -> None:
    (image,) = random_squares(1, 64, min_side=8, p_split=1.0)
    cells = image.reshape(8, 8, 8, 8, 3)
    np.testing.assert_array_equal(cells, cells[:, :1, :, :1].repeat(8, 1).repeat(8, 3))
    assert colours(image) == 64


def test_squares_of_several_sizes_stand_side_by_side() -> None:
    counts = [colours(image) for image in random_squares(50, 64, min_side=4)]
    assert 4 <= min(counts) < max(counts) <= 256
    assert len(set(counts)) > 10


def test_a_square_that_is_not_split_stays_whole() -> None:
    """Each 4 x 4 block is uniform if its quarter stopped above that level."""
    for image in random_squares(20, 64, min_side=2, p_split=0.4):
        blocks = image.reshape(8, 8, 8, 8, 3).swapaxes(1, 2).reshape(64, 64, 3)
        whole = sum(len(np.unique(block, axis=0)) == 1 for block in blocks)
        assert whole > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "'n' parameter must be a whole number from 0 up. Got -1"),
        ({"n": 1.5}, "'n' parameter must be a whole number"),
        ({"n": 1, "size": 0}, "'size' parameter must be a whole number from 1 up"),
        ({"n": 1, "min_side": 0}, "'min_side' parameter"),
        ({"n": 1, "seed": -1}, "'seed' parameter"),
        ({"n": 1, "p_split": 1.1}, "'p_split' parameter must be between 0 and 1. Got 1.1"),
        ({"n": 1, "p_split": float("nan")}, "'p_split' parameter"),
    ],
)
def test_number_out_of_range_is_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        random_squares(**options)  # type: ignore[arg-type]
