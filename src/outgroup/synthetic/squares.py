"""Recursive random squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError
from outgroup.synthetic._checks import whole_numbers
from outgroup.synthetic._stream import Stream, blocks
from outgroup.synthetic.base import GENERATORS, Generator

BLOCK = 16


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
    levels = [1]  # squares a side
    while size // (2 * levels[-1]) >= min_side:
        levels.append(2 * levels[-1])
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    stream = Stream(seed)
    place = np.arange(size) * levels[-1] // size
    for block in blocks(n, BLOCK):
        colours = _colours(stream, block.stop - block.start, levels, p_split)
        rows = colours.take(place, axis=2).reshape(len(colours), levels[-1], size * 3)
        images[block] = rows.take(place, axis=1).reshape(-1, size, size, 3)
    return images


def _colours(stream: Stream, n: int, levels: list[int], p_split: float) -> NDArray[np.uint8]:
    """Return the colours of the smallest squares, (n, side, side, 3)."""
    drawn = stream.take(n, sum(5 * side * side for side in levels))
    colours = drawn[:, :3].reshape(n, 1, 1, 3)
    split = np.ones((n, 1, 1), dtype=bool)  # an image of one colour would be no squares at all
    at = 5
    for side in levels[1:]:
        area = side * side
        new = drawn[:, at : at + 3 * area].reshape(n, side, side, 3)
        chance = drawn[:, at + 3 * area : at + 5 * area].astype(np.uint32).reshape(n, side, side, 2)
        at += 5 * area
        split = split.repeat(2, axis=1).repeat(2, axis=2)
        old = colours.repeat(2, axis=1).repeat(2, axis=2)
        colours = np.where(split[..., np.newaxis], new, old)
        # the four parts of a square decide one by one whether they go on
        split &= chance[..., 0] * 256 + chance[..., 1] < p_split * 65536
    return colours


@GENERATORS.register("squares")
class Squares(Generator):
    """Recursive random squares, see `random_squares`."""

    name = "squares"
    summary = "squares in squares, down to barely visible ones"
    reference = "recursive subdivision, as in quadtrees (Finkel, Bentley 1974)"

    def draw(
        self,
        n: int,
        size: int = 224,
        *,
        images: NDArray[np.uint8] | None = None,
        seed: int = 0,
    ) -> NDArray[np.uint8]:
        """Draw images; see `Generator.draw`."""
        return random_squares(n, size, seed=seed)
