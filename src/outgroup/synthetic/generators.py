"""Generators of synthetic negatives: squares, noise and gradients, and pieces of known images."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.synthetic.base import (
    GENERATORS,
    Generator,
    Images,
    Stream,
    blocks,
    whole_numbers,
)

Floats = NDArray[np.float32]

#: Exponents of amplitude spectra. Pink is about that of photographs: every octave is equally strong
#: (Field 1987, J. Opt. Soc. Am. A 4, 2379-2394).
SPECTRA = {"white": 0.0, "pink": 1.0, "brown": 2.0}

#: Side of an inverted crop relative to the shorter side of the image, if no size is given.
CROP_SHARE = 0.7


def random_squares(
    n: int, size: int = 224, *, min_side: int = 8, p_split: float = 0.7, seed: int = 0
) -> Images:
    """Draw squares in squares: a square has one colour or is split into four squares.

    Parameters
    ----------
    n : int
        Number of images.
    size : int, default=224
        Side in pixels.
    min_side : int, default=8
        Smallest side of a square, in pixels.
    p_split : float, default=0.7
        Probability that a square is split.
    seed : int, default=0
        The first images of a seed are the same for any `n`.

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
        raise InvalidParameterError(f"Invalid `p_split`: must be between 0 and 1, got {p_split!r}.")
    levels = [1]  # squares per side
    while size // (2 * levels[-1]) >= min_side:
        levels.append(2 * levels[-1])
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    stream = Stream(seed)
    place = np.arange(size) * levels[-1] // size
    for block in blocks(n, 16):
        colours = _square_colours(stream, block.stop - block.start, levels, p_split)
        rows = colours.take(place, axis=2).reshape(len(colours), levels[-1], size * 3)
        images[block] = rows.take(place, axis=1).reshape(-1, size, size, 3)
    return images


def _square_colours(stream: Stream, n: int, levels: list[int], p_split: float) -> Images:
    """Return the colours of the smallest squares, (n, side, side, 3)."""
    drawn = stream.take(n, sum(5 * side * side for side in levels))
    colours = drawn[:, :3].reshape(n, 1, 1, 3)
    split = np.ones((n, 1, 1), dtype=bool)  # the whole image is always split
    at = 5
    for side in levels[1:]:
        area = side * side
        new = drawn[:, at : at + 3 * area].reshape(n, side, side, 3)
        chance = drawn[:, at + 3 * area : at + 5 * area].astype(np.uint32).reshape(n, side, side, 2)
        at += 5 * area
        split = split.repeat(2, axis=1).repeat(2, axis=2)
        old = colours.repeat(2, axis=1).repeat(2, axis=2)
        colours = np.where(split[..., np.newaxis], new, old)
        split &= chance[..., 0] * 256 + chance[..., 1] < p_split * 65536
    return colours


def random_gradients(n: int, size: int = 224, *, seed: int = 0) -> Images:
    """Draw linear gradients between two random colours, in random directions."""
    whole_numbers(n=(n, 0), size=(size, 2), seed=(seed, 0))
    drawn = Stream(seed).numbers(n, 7)
    colours = np.floor(256 * drawn[:, :6]).reshape(n, 2, 1, 3)
    cosine, sine = np.cos(2 * np.pi * drawn[:, 6]), np.sin(2 * np.pi * drawn[:, 6])
    # from -1 to 1 across the image, so that two corners have the two colours
    reach = np.abs(cosine) + np.abs(sine)
    middle, half = colours.mean(axis=1), (colours[:, 1] - colours[:, 0]) / 2
    side = np.linspace(-1.0, 1.0, size)
    along = (cosine / reach)[:, np.newaxis, np.newaxis] * side[:, np.newaxis]
    top = (middle + along * half + 0.5).reshape(n, 1, size * 3).astype(np.float32)
    slope = (sine / reach)[:, np.newaxis, np.newaxis] * half
    slope = np.broadcast_to(slope, (n, size, 3)).reshape(n, 1, size * 3).astype(np.float32)
    down = side.astype(np.float32)[:, np.newaxis]
    images = np.empty((n, size, size * 3), dtype=np.uint8)
    for i in range(n):
        values = down * slope[i]
        values += top[i]
        # 0.5 was added to round; float32 may end slightly above 256
        images[i] = np.minimum(values, 255.5, out=values)
    return images.reshape(n, size, size, 3)


def random_noise(
    n: int, size: int = 224, *, exponent: float | None = None, seed: int = 0
) -> Images:
    """Draw coloured noise whose amplitude falls with the frequency f as about ``1 / f**exponent``.

    Octaves of independent noise are added from coarse to fine. Each is doubled in size by a
    quadratic spline and scaled to give the spectrum. Each image fills the range of values.

    Other parameters, result and errors are those of `random_squares`.

    Parameters
    ----------
    exponent : float or None, default=None
        From 0 (white) to 2 (brown); None: those of `SPECTRA` in turn.

    References
    ----------
    Fournier, Fussell, Carpenter, "Computer rendering of stochastic models", CACM 1982 (octaves);
    Chaikin, "An algorithm for high-speed curve generation", 1974 (spline).
    """
    whole_numbers(n=(n, 0), size=(size, 2), seed=(seed, 0))
    real = isinstance(exponent, numbers.Real) and not isinstance(exponent, bool)
    if exponent is not None and not (real and 0.0 <= exponent <= 2.0):
        raise InvalidParameterError(
            f"Invalid `exponent`: must be from 0 to 2, or None, got {exponent!r}."
        )
    turns = [*SPECTRA.values()] if exponent is None else [float(exponent)]
    sides = [size]  # of the octaves, coarse to fine; each covers the next when doubled
    while sides[0] > 4:
        sides.insert(0, (sides[0] + 1) // 2 + 1)
    strengths = np.array([_octave_strengths(turn, len(sides)) for turn in turns], dtype=np.float32)
    stream = Stream(seed)
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    for block in blocks(n, 4):
        drawn = stream.take(block.stop - block.start, 3 * sum(side * side for side in sides))
        strength = strengths[np.arange(block.start, block.stop) % len(turns)]
        field, at = np.zeros((len(drawn), 3, 0, 0), dtype=np.float32), 0
        for level, side in enumerate(sides[:-1]):
            octave = drawn[:, at : at + 3 * side * side].reshape(-1, 3, side, side)
            at += octave[0].size
            noise = octave * strength[:, level, np.newaxis, np.newaxis, np.newaxis]
            if level:
                turned = np.ascontiguousarray(_doubled(field, side).swapaxes(2, 3))
                noise += _doubled(turned, side)
            field = noise
        for i in range(len(drawn)):  # the finest octave one by one, in the order of pixels
            values = drawn[i, at:].reshape(size, size * 3).astype(np.float32)
            if len(sides) > 1:
                turned = np.ascontiguousarray(_doubled(field[i], size).transpose(2, 1, 0))
                values += _doubled(turned.reshape(len(turned), -1), size)
            least, most = values.min(), values.max()
            values -= least
            # slightly less than 256 levels of equal width: the least is 0, the most 255
            values *= np.float32(255.999) / max(most - least, np.float32(1e-6))
            images[block.start + i] = values.reshape(size, size, 3)
    return images


def _octave_strengths(exponent: float, octaves: int) -> NDArray[np.float64]:
    """Return the factors of the octaves, coarse to fine; that of the finest is 1.

    White noise on a grid of spacing h has the power density ``variance * h**2`` up to the frequency
    1 / 2h, and next to none above. So an octave adds what the density grows by from the next finer.
    """
    h = 2.0 ** np.arange(octaves - 1, -1, -1)
    density = h ** (2 * exponent)
    gain = np.append(density[:-1] - density[1:], density[-1])
    strengths: NDArray[np.float64] = np.sqrt(gain) / h
    return strengths


def _doubled(field: Floats, side: int) -> Floats:
    """Return a field with twice the points on the last axis but one, cut to `side`.

    New points are 3/4 of one neighbour and 1/4 of the other, so that all have the same variance.
    """
    *before, length, last = field.shape
    step = (field[..., 1:, :] - field[..., :-1, :]) * np.float32(0.25)
    fine = np.empty((*before, 2 * length - 2, last), dtype=np.float32)
    np.add(field[..., :-1, :], step, out=fine[..., 0::2, :])
    np.subtract(field[..., 1:, :], step, out=fine[..., 1::2, :])
    return fine[..., :side, :]


def shuffled_patches(
    images: Images, n: int, size: int | None = None, *, grid: int = 4, seed: int = 0
) -> Images:
    """Cut random squares of images into a grid of patches and shuffle them; none keeps its place.

    The side is at most, and by default, the shorter side of the images, rounded down to a multiple
    of `grid`, the number of patches per side.

    References
    ----------
    Noroozi, Favaro, "Unsupervised learning of visual representations by solving jigsaw puzzles",
    ECCV 2016 (patches); Sattolo, "An algorithm to generate a random cyclic permutation", Inf.
    Process. Lett. 1986.
    """
    whole_numbers(n=(n, 0), grid=(grid, 2), seed=(seed, 0))
    if size is not None:
        whole_numbers(size=(size, grid))
    images = _valid_images(images, grid if size is None else size)
    patch = (min(images.shape[1:3]) if size is None else int(size)) // grid
    side = patch * grid
    drawn = Stream(seed).numbers(n, 3 + grid * grid)
    source, top, left = _places(images, drawn, side)
    order = drawn[:, 3:].argsort(axis=1)
    moved = np.empty_like(order)  # along one cycle through all places
    np.put_along_axis(moved, order, np.roll(order, 1, axis=1), axis=1)
    result = np.empty((n, grid, patch, grid, patch * 3), dtype=np.uint8)
    for i, image in enumerate(result):
        square = images[source[i], top[i] : top[i] + side, left[i] : left[i] + side]
        patches = square.reshape(grid, patch, grid, patch * 3)
        for place, (row, column) in zip(moved[i], np.ndindex(grid, grid), strict=True):
            image[row, :, column] = patches[place // grid, :, place % grid]
    return result.reshape(n, side, side, 3)


def inverted_crops(images: Images, n: int, size: int | None = None, *, seed: int = 0) -> Images:
    """Cut random squares out of images and invert their colours.

    The side is at most the shorter side of the images, and by default 70 % of it.
    """
    whole_numbers(n=(n, 0), seed=(seed, 0))
    if size is not None:
        whole_numbers(size=(size, 1))
    images = _valid_images(images, 1 if size is None else size)
    side = max(1, round(CROP_SHARE * min(images.shape[1:3]))) if size is None else int(size)
    source, top, left = _places(images, Stream(seed).numbers(n, 3), side)
    drawn = np.empty((n, side, side, 3), dtype=np.uint8)
    for i in range(n):
        crop = images[source[i], top[i] : top[i] + side, left[i] : left[i] + side]
        np.invert(crop, out=drawn[i])
    return drawn


def _places(images: Images, drawn: NDArray[np.float64], side: int) -> Any:
    """Return numbers of images and the upper left corners of squares in them, (3, n)."""
    height, width = images.shape[1:3]
    choices = np.array([len(images), height - side + 1, width - side + 1])
    return (drawn[:, :3] * choices).astype(int).T


def _valid_images(images: Any, size: int) -> Images:
    """Return the user's images, or raise if a side is below `size` or there are none."""
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
        got = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else repr(images)
        raise InvalidParameterError(
            "Invalid `images`: must be an array of uint8 of shape (n, height, width, 3), got "
            f"{got:.80}."
        )
    if images.shape[3] != 3 or min(images.shape[1:3]) < size:
        raise InvalidParameterError(
            f"Invalid `images`: must be colour images of {size} pixels a side or more, got "
            f"{images.shape}."
        )
    if not len(images):
        raise InvalidDataError("There are no images to make negatives from. Give at least one.")
    return images


@GENERATORS.register("squares")
class Squares(Generator):
    """Recursive squares; see `random_squares`."""

    name = "squares"
    summary = "squares in squares, down to barely visible ones"
    reference = "recursive subdivision, as in quadtrees (Finkel, Bentley 1974)"

    def draw(
        self, n: int, size: int = 224, *, images: Images | None = None, seed: int = 0
    ) -> Images:
        """Draw images; see `Generator.draw`."""
        return random_squares(n, size, seed=seed)


@GENERATORS.register("gradients")
class Gradients(Generator):
    """Linear gradients; see `random_gradients`."""

    name = "gradients"
    summary = "linear gradients between two colours"
    reference = "linear interpolation of colours"

    def draw(
        self, n: int, size: int = 224, *, images: Images | None = None, seed: int = 0
    ) -> Images:
        """Draw images; see `Generator.draw`."""
        return random_gradients(n, size, seed=seed)


@GENERATORS.register("noise")
class Noise(Generator):
    """White, pink and brown noise in turn; see `random_noise`."""

    name = "noise"
    summary = "coloured noise: white, pink and brown in turn"
    reference = "Field 1987; Fournier, Fussell, Carpenter 1982"

    def draw(
        self, n: int, size: int = 224, *, images: Images | None = None, seed: int = 0
    ) -> Images:
        """Draw images; see `Generator.draw`."""
        return random_noise(n, size, seed=seed)


@GENERATORS.register("shuffled-patches")
class ShuffledPatches(Generator):
    """Shuffled patches of known images; see `shuffled_patches`."""

    name = "shuffled-patches"
    summary = "patches of known images, shuffled"
    reference = "Noroozi, Favaro 2016"
    needs_images = True

    def draw(
        self, n: int, size: int = 224, *, images: Images | None = None, seed: int = 0
    ) -> Images:
        """Draw images; the grid is the finest up to 4 that divides `size`."""
        grid = next((grid for grid in (4, 3, 2) if size % grid == 0), size)
        return shuffled_patches(images, n, size, grid=grid, seed=seed)  # type: ignore[arg-type]


@GENERATORS.register("inverted-crops")
class InvertedCrops(Generator):
    """Crops of known images with inverted colours; see `inverted_crops`."""

    name = "inverted-crops"
    summary = "crops of known images with inverted colours"
    reference = "255 minus each value"
    needs_images = True

    def draw(
        self, n: int, size: int = 224, *, images: Images | None = None, seed: int = 0
    ) -> Images:
        """Draw images; see `Generator.draw`."""
        return inverted_crops(images, n, size, seed=seed)  # type: ignore[arg-type]
