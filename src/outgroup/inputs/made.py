"""Negatives made of known images: what is left of them without what they show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Images are cut into this many tiles along each side.
TILES = 3


def make_others(
    images: list[NDArray[np.float32]], draws: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Return as many images of nothing, each made of one known row.

    Half of them repeat a tile of the border, mirrored, over the whole image: a background without
    whatever stands in the middle. The others have the tiles in another order: the parts without the
    whole. All image inputs of a row are treated alike.

    Parameters
    ----------
    images : list of ndarray of shape (n, C, H, W), float32
        The image inputs of n rows.
    draws : numpy.random.Generator
        What chooses.
    """
    n = len(images[0])
    border = [i for i in range(TILES * TILES) if i != TILES * TILES // 2]
    tiles = draws.choice(border, size=n)
    orders = np.stack([draws.permutation(TILES * TILES) for _ in range(n)])
    repeat = draws.random(n) < 0.5
    made = [np.empty_like(one) for one in images]
    for row in range(n):
        for one, new in zip(images, made, strict=True):
            new[row] = (
                _repeated(one[row], int(tiles[row]))
                if repeat[row]
                else _shuffled(one[row], orders[row])
            )
    return made


def _repeated(image: NDArray[np.float32], tile: int) -> NDArray[np.float32]:
    """Return an image of which one tile, mirrored at its edges, fills the whole."""
    down, right = divmod(tile, TILES)
    rows, columns = _mirrored(image.shape[1], down), _mirrored(image.shape[2], right)
    result: NDArray[np.float32] = image[:, rows[:, np.newaxis], columns]
    return result


def _mirrored(side: int, at: int) -> NDArray[np.int64]:
    """Return which row of the tile stands in each row of the image."""
    length = max(side // TILES, 1)
    step = np.arange(side) % (2 * length)
    return min(at * length, side - length) + np.minimum(step, 2 * length - 1 - step)


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
