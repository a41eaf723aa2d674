"""Negatives made of known images: what is left of them without what they show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Images are cut into this many tiles along each side.
TILES = 3

#: The border of an image is this part of each side wide.
BORDER = 5

Images = list[NDArray[np.float32]]


def make_others(images: Images, draws: np.random.Generator) -> Images:
    """Return as many images of nothing, each made of one known row.

    Half of them are backgrounds, as `make_backgrounds` has them. The others have nine tiles in
    another order: the parts without the whole. All image inputs of a row are treated alike.

    Parameters
    ----------
    images : list of ndarray of shape (n, C, H, W), float32
        The image inputs of n rows.
    draws : numpy.random.Generator
        What chooses.
    """
    n = len(images[0])
    orders = np.stack([draws.permutation(TILES * TILES) for _ in range(n)])
    empty = draws.random(n) < 0.5
    made = make_backgrounds(images, draws)
    for row in np.flatnonzero(~empty):
        for one, new in zip(images, made, strict=True):
            new[row] = _shuffled(one[row], orders[row])
    return made


def make_backgrounds(images: Images, draws: np.random.Generator) -> Images:
    """Return images of which only the border is left: its patches cover what it surrounds.

    What an image shows is taken to be near its middle. The middle of every other one, or the whole
    of it, is covered with square patches of its own border, a fifth of a side wide, from random
    places and mirrored at random. All image inputs of a row, if they are of one size, are treated
    alike.

    Parameters
    ----------
    images : list of ndarray of shape (n, C, H, W), float32
        The image inputs of n rows.
    draws : numpy.random.Generator
        What chooses.

    Examples
    --------
    >>> image = np.zeros((1, 1, 9, 9), dtype=np.float32)
    >>> image[:, :, 3:6, 3:6] = 1.0
    >>> make_backgrounds([image], np.random.default_rng(0))[0].max()
    np.float32(0.0)
    """
    made = [one.copy() for one in images]
    for row in range(len(images[0])):
        whole = draws.random() < 0.5
        seed = int(draws.integers(2**31))
        places = {
            (height, width): _of_border(height, width, whole, np.random.default_rng(seed))
            for height, width in {one.shape[2:] for one in images}
        }
        for one, new in zip(images, made, strict=True):
            down, right = places[one.shape[2:]]
            new[row] = one[row][:, down, right]
    return made


def _of_border(
    height: int, width: int, whole: bool, draws: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which pixel of an image stands at each place of its background, (H, W) each."""
    high, wide = max(height // BORDER, 1), max(width // BORDER, 1)
    y, x = np.mgrid[0:height, 0:width]
    down, right = y + draws.integers(high), x + draws.integers(wide)  # the grid lies anywhere
    i, j = down // high, right // wide
    shape = (int(i.max()) + 1, int(j.max()) + 1)
    side = draws.integers(4, size=shape)
    top = draws.integers(height - high + 1, size=shape)
    left = draws.integers(width - wide + 1, size=shape)
    top = np.where(side == 0, 0, np.where(side == 1, height - high, top))
    left = np.where(side == 2, 0, np.where(side == 3, width - wide, left))
    down, right = down % high, right % wide
    down = np.where((draws.random(shape) < 0.5)[i, j], high - 1 - down, down)
    right = np.where((draws.random(shape) < 0.5)[i, j], wide - 1 - right, right)
    covered = (y >= high) & (y < height - high) & (x >= wide) & (x < width - wide)
    covered |= whole
    return np.where(covered, top[i, j] + down, y), np.where(covered, left[i, j] + right, x)


def _shuffled(image: NDArray[np.float32], order: NDArray[Any]) -> NDArray[np.float32]:
    new = image.copy()
    height, width = (max(side // TILES, 1) for side in image.shape[1:])
    if TILES * height > image.shape[1] or TILES * width > image.shape[2]:
        return new
    for to, origin in enumerate(order.tolist()):
        (i, j), (k, m) = divmod(to, TILES), divmod(origin, TILES)
        new[:, i * height : (i + 1) * height, j * width : (j + 1) * width] = image[
            :, k * height : (k + 1) * height, m * width : (m + 1) * width
        ]
    return new
