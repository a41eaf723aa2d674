"""The user's own images, cut into patches that are laid out anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.synthetic._checks import user_images, whole_numbers
from outgroup.synthetic._stream import Stream, blocks
from outgroup.synthetic.base import GENERATORS, Generator

BLOCK = 8


def shuffled_patches(
    images: NDArray[np.uint8],
    n: int,
    size: int | None = None,
    *,
    grid: int = 4,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Cut images into a grid of patches and shuffle these, so that none stays where it was.

    Colours and textures are those of the known classes, and what they make up is gone.

    Parameters
    ----------
    images : ndarray of shape (m, height, width, 3), uint8
        The user's images; each draw takes one of them, and a random square of it.
    n : int
        How many images.
    size : int or None, default=None
        Side in pixels, no larger than the sides of the images; None: their shorter side.
    grid : int, default=4
        Patches a side. Where `size` is no multiple of it, the images come out as much smaller.
    seed : int, default=0
        Seed of the drawing; the first images are the same for any `n`.

    Returns
    -------
    ndarray of shape (n, side, side, 3), uint8
        The side is `size`, or the multiple of `grid` below it.

    Raises
    ------
    InvalidParameterError
        If a number is out of range, or the images are too small for it.
    InvalidDataError
        If there are no images.

    References
    ----------
    Noroozi, Favaro, "Unsupervised learning of visual representations by solving jigsaw puzzles",
    ECCV 2016, for the shuffling; Sattolo, "An algorithm to generate a random cyclic permutation",
    Inf. Process. Lett. 1986, for one that leaves nothing in its place.

    Examples
    --------
    >>> one = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(1, 16, 16, 3)
    >>> shuffled = shuffled_patches(one, 2)
    >>> shuffled.shape, bool((np.sort(shuffled[0].ravel()) == np.sort(one.ravel())).all())
    ((2, 16, 16, 3), True)
    """
    whole_numbers(n=(n, 0), grid=(grid, 2), seed=(seed, 0))
    if size is not None:
        whole_numbers(size=(size, grid))
    images = user_images(images, grid if size is None else size)
    height, width = images.shape[1:3]
    patch = (min(height, width) if size is None else int(size)) // grid
    side = patch * grid
    drawn = np.empty((n, grid, patch, grid, patch * 3), dtype=np.uint8)
    stream = Stream(seed)
    for block in blocks(n, BLOCK):
        numbers = stream.numbers(block.stop - block.start, 3 + grid * grid)
        source = (numbers[:, 0] * len(images)).astype(int)
        top = (numbers[:, 1] * (height - side + 1)).astype(int)
        left = (numbers[:, 2] * (width - side + 1)).astype(int)
        order = numbers[:, 3:].argsort(axis=1)
        moved = np.empty_like(order)  # along one cycle through all places
        np.put_along_axis(moved, order, np.roll(order, 1, axis=1), axis=1)
        for i, image in enumerate(drawn[block]):
            square = images[source[i], top[i] : top[i] + side, left[i] : left[i] + side]
            patches = square.reshape(grid, patch, grid, patch * 3)
            for place, (row, column) in zip(moved[i], np.ndindex(grid, grid), strict=True):
                image[row, :, column] = patches[place // grid, :, place % grid]
    return drawn.reshape(n, side, side, 3)


@GENERATORS.register("shuffled-patches")
class ShuffledPatches(Generator):
    """Shuffled patches of the known images, see `shuffled_patches`."""

    name = "shuffled-patches"
    summary = "known images cut into patches and laid out anew"
    reference = "Noroozi, Favaro 2016"
    needs_images = True

    def draw(
        self,
        n: int,
        size: int = 224,
        *,
        images: NDArray[np.uint8] | None = None,
        seed: int = 0,
    ) -> NDArray[np.uint8]:
        """Draw images; see `Generator.draw`. The grid is the finest up to 4 that divides `size`."""
        grid = next((grid for grid in (4, 3, 2) if size % grid == 0), size)
        return shuffled_patches(images, n, size, grid=grid, seed=seed)  # type: ignore[arg-type]
