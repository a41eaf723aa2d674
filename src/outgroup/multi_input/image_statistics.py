"""Describe images without a network, and make negatives of known ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from outgroup._numeric import median_and_mad

#: Sides of the blocks that `describe_images` averages, and of the squares of `describe_contrast`;
#: one that does not fit into an image is left out.
BLOCKS, SQUARES = (1, 3, 9), (1, 3, 5, 9)

#: Smallest difference of scaled pixels that counts.
LEAST = 1e-3

#: Images described at once: bounds the memory of their copies.
CHUNK = 64

#: An image is cut into this many tiles along each side; its border is a side over `BORDER` wide.
TILES, BORDER = 3, 5

#: The image inputs of n rows, (n, C, H, W) each.
Images = list[NDArray[np.float32]]


def describe_images(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return statistics (n, C * 18) that change if a frame is frozen, saturated, empty or noisy.

    Of pixels and of means over blocks of 3 x 3 and 9 x 9: the 1st, 50th and 99th percentile, the
    maximum and the standard deviation; then the shares of pixels at the maximum and the minimum,
    and the mean difference of neighbours. Images of less than 9 pixels a side have fewer columns.
    """
    return np.concatenate([_describe(chunk) for chunk in _chunks(images)])


def _chunks(images: NDArray[np.float32]) -> Images:
    return [images[at : at + CHUNK] for at in range(0, max(len(images), 1), CHUNK)]


def _describe(images: NDArray[np.float32]) -> NDArray[np.float64]:
    n, channels, height, width = images.shape
    found = []
    for side in BLOCKS:
        rows, columns = height // side, width // side
        if not rows or not columns:
            continue
        blocks = images[:, :, : rows * side, : columns * side]
        blocks = blocks.reshape(n, channels, rows, side, columns, side).mean(axis=(3, 5))
        flat = np.sort(blocks.reshape(n, channels, -1), axis=2)
        last = flat.shape[2] - 1
        at = [round(share * last) for share in (0.01, 0.5, 0.99, 1.0)]
        found += [flat[:, :, at], flat.std(axis=2, keepdims=True)]
    flat = images.reshape(n, channels, -1)
    ends = [
        np.log1p(100 * (flat == end(flat, axis=2, keepdims=True)).mean(axis=2, keepdims=True))
        for end in (np.max, np.min)
    ]
    steps = [np.abs(np.diff(images, axis=axis)).mean(axis=(2, 3)) for axis in (2, 3)]
    found += [*ends, np.nan_to_num(sum(steps) / 2)[:, :, np.newaxis]]
    return np.concatenate(found, axis=2).reshape(n, -1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Contrast:
    """How much the extremes of an image exceed those of its background.

    Background alone has extremes too: `centre` and `spread` (d,) are those of `describe_contrast`
    over backgrounds made of the known images.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def other_score(self, described: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the largest extreme (n,) of what `describe_contrast` returned, (n, d)."""
        score: NDArray[np.float64] = -((described - self.centre) / self.spread).max(axis=1)
        return score


def fit_contrast(images: NDArray[np.float32]) -> Contrast:
    """Learn the extremes of the backgrounds of known images (n, C, H, W), scaled."""
    described = describe_contrast(make_backgrounds([images], np.random.default_rng(0))[0])
    centre, deviation = median_and_mad(described)
    return Contrast(centre, np.maximum(deviation / 0.6745, LEAST))  # 0.6745: normal values


def describe_contrast(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far the largest and smallest mean over squares lie from the median, (n, d).

    Distances are logarithms in units of the median absolute deviation, so that neither level nor
    noise of an image matters.
    """
    return np.concatenate([_extremes(chunk.astype(np.float64)) for chunk in _chunks(images)])


def _extremes(images: NDArray[np.float64]) -> NDArray[np.float64]:
    found = []
    n, channels, height, width = images.shape
    for side in SQUARES:
        edge = side - 1  # two filters leave means of whole squares alone
        if min(height, width) <= 2 * edge:
            continue
        square = (1, 1, side, side)
        smooth = uniform_filter(uniform_filter(images, square), square)
        inner = smooth[:, :, edge : height - edge, edge : width - edge].reshape(n, channels, -1)
        middle, deviation = median_and_mad(np.moveaxis(inner, 2, 0))
        beyond = (inner.max(axis=2) - middle, middle - inner.min(axis=2))
        found += [np.log((one + LEAST) / (deviation + LEAST)) for one in beyond]
    return np.concatenate(found, axis=1)


def make_others(images: Images, draws: np.random.Generator) -> Images:
    """Return as many images of nothing: half are backgrounds, half have their tiles shuffled."""
    n = len(images[0])
    orders = np.stack([draws.permutation(TILES * TILES) for _ in range(n)])
    empty = draws.random(n) < 0.5
    made = make_backgrounds(images, draws)
    for row in np.flatnonzero(~empty):
        for one, new in zip(images, made, strict=True):
            new[row] = _shuffled(one[row], orders[row])
    return made


def make_backgrounds(images: Images, draws: np.random.Generator) -> Images:
    """Return images with the middle, or all of every other one, covered by patches of their border.

    What an image shows is assumed to be near its middle.
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
    """Return which pixel of an image is put at each place of its background, (H, W) each."""
    high, wide = max(height // BORDER, 1), max(width // BORDER, 1)
    y, x = np.mgrid[0:height, 0:width]
    down, right = y + draws.integers(high), x + draws.integers(wide)  # the grid starts anywhere
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
    tiles = [
        np.s_[:, i * height : (i + 1) * height, j * width : (j + 1) * width]
        for i in range(TILES)
        for j in range(TILES)
    ]
    for to, origin in enumerate(order.tolist()):
        new[tiles[to]] = image[tiles[origin]]
    return new
