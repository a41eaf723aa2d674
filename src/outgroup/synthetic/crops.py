"""Pieces of the user's own images in the opposite colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.synthetic._checks import user_images, whole_numbers
from outgroup.synthetic._stream import Stream
from outgroup.synthetic.base import GENERATORS, Generator

#: Side of a crop as a share of the shorter side of the image, where no size is given.
SHARE = 0.7


def inverted_crops(
    images: NDArray[np.uint8], n: int, size: int | None = None, *, seed: int = 0
) -> NDArray[np.uint8]:
    """Cut random squares out of images, and turn their colours into the opposite.

    Parameters
    ----------
    images : ndarray of shape (m, height, width, 3), uint8
        The user's images; each draw takes one of them.
    n : int
        How many images.
    size : int or None, default=None
        Side in pixels, no larger than the sides of the images; None: 70 % of their shorter side.
        Nothing is resized: that is left to whoever brings images to the size of a network.
    seed : int, default=0
        Seed of the drawing; the first images are the same for any `n`.

    Returns
    -------
    ndarray of shape (n, size, size, 3), uint8

    Raises
    ------
    InvalidParameterError
        If a number is out of range, or the images are too small for it.
    InvalidDataError
        If there are no images.

    Examples
    --------
    >>> white = np.full((1, 10, 10, 3), 255, np.uint8)
    >>> black = inverted_crops(white, 2)
    >>> black.shape, int(black.max())
    ((2, 7, 7, 3), 0)
    """
    whole_numbers(n=(n, 0), seed=(seed, 0))
    if size is not None:
        whole_numbers(size=(size, 1))
    images = user_images(images, 1 if size is None else size)
    height, width = images.shape[1:3]
    side = max(1, round(SHARE * min(height, width))) if size is None else int(size)
    numbers = Stream(seed).numbers(n, 3)
    source = (numbers[:, 0] * len(images)).astype(int)
    top = (numbers[:, 1] * (height - side + 1)).astype(int)
    left = (numbers[:, 2] * (width - side + 1)).astype(int)
    drawn = np.empty((n, side, side, 3), dtype=np.uint8)
    for i in range(n):
        crop = images[source[i], top[i] : top[i] + side, left[i] : left[i] + side]
        np.invert(crop, out=drawn[i])
    return drawn


@GENERATORS.register("inverted-crops")
class InvertedCrops(Generator):
    """Crops of the known images in the opposite colours, see `inverted_crops`."""

    name = "inverted-crops"
    summary = "pieces of known images in the opposite colours"
    reference = "255 less each value"
    needs_images = True

    def draw(
        self,
        n: int,
        size: int = 224,
        *,
        images: NDArray[np.uint8] | None = None,
        seed: int = 0,
    ) -> NDArray[np.uint8]:
        """Draw images; see `Generator.draw`."""
        return inverted_crops(images, n, size, seed=seed)  # type: ignore[arg-type]
