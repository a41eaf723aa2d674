"""Recursive random squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError
from outgroup.synthetic._checks import whole_numbers


def random_squares(
    n: int, size: int = 224, *, min_side: int = 8, p_split: float = 0.7, seed: int = 0
) -> NDArray[np.uint8]:
    """Draw images of squares in squares: a square is one colour, or four squares, and so on.

    Every level splits each of its squares with probability `p_split`, until they are barely
    visible. All images of a level are drawn at once.

    Parameters
    ----------
    n : int
        How many images.
    size : int, default=224
        Side in pixels.
    min_side : int, default=8
        Squares are not split below this side, in pixels.
    p_split : float, default=0.7
        Probability that a square is split.
    seed : int, default=0
        Seed of the drawing; the first images are the same for any `n`.

    Returns
    -------
    ndarray of shape (n, size, size, 3), uint8

    Raises
    ------
    InvalidParameterError
        If a number is out of range.

    Examples
    --------
    >>> random_squares(2, size=16).shape
    (2, 16, 16, 3)
    """
    whole_numbers(n=(n, 0), size=(size, 1), min_side=(min_side, 1), seed=(seed, 0))
    if not 0.0 <= p_split <= 1.0:
        raise InvalidParameterError(
            f"The 'p_split' parameter must be between 0 and 1. Got {p_split!r} instead."
        )
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    for i in range(n):
        images[i] = _one(np.random.default_rng([seed, i]), size, min_side, p_split)
    return images


def _one(rng: np.random.Generator, size: int, min_side: int, p_split: float) -> NDArray[np.uint8]:
    colours = rng.integers(0, 256, (1, 1, 3), dtype=np.uint8)
    split = np.ones((1, 1), dtype=bool)  # an image of one colour would be no squares at all
    cells = 1
    while size // (2 * cells) >= min_side and split.any():
        cells *= 2
        split = split.repeat(2, axis=0).repeat(2, axis=1)
        new = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        old = colours.repeat(2, axis=0).repeat(2, axis=1)
        colours = np.where(split[..., np.newaxis], new, old)
        # the four parts of a square decide one by one whether they go on
        split &= rng.random((cells, cells)) < p_split
    index = np.arange(size) * cells // size
    return colours[index][:, index]
