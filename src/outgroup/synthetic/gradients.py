"""Fields of colour that change evenly from one side to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.synthetic._checks import whole_numbers
from outgroup.synthetic._stream import Stream, blocks
from outgroup.synthetic.base import GENERATORS, Generator

BLOCK = 2


def random_gradients(n: int, size: int = 224, *, seed: int = 0) -> NDArray[np.uint8]:
    """Draw linear gradients between two colours, in any direction.

    Parameters
    ----------
    n : int
        How many images.
    size : int, default=224
        Side in pixels.
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
    >>> random_gradients(2, size=16).shape
    (2, 16, 16, 3)
    """
    whole_numbers(n=(n, 0), size=(size, 2), seed=(seed, 0))
    drawn = Stream(seed).numbers(n, 7)
    colours = np.floor(256 * drawn[:, :6]).reshape(n, 2, 1, 3)
    cosine, sine = np.cos(2 * np.pi * drawn[:, 6]), np.sin(2 * np.pi * drawn[:, 6])
    # from -1 to 1 across the image, so that both colours are reached in two of its corners
    reach = np.abs(cosine) + np.abs(sine)
    middle, half = colours.mean(axis=1), (colours[:, 1] - colours[:, 0]) / 2
    side = np.linspace(-1.0, 1.0, size)
    along = (cosine / reach)[:, np.newaxis, np.newaxis] * side[:, np.newaxis]
    top = (middle + along * half + 0.5).reshape(n, 1, size * 3).astype(np.float32)
    slope = (sine / reach)[:, np.newaxis, np.newaxis] * half
    slope = np.broadcast_to(slope, (n, size, 3)).reshape(n, 1, size * 3).astype(np.float32)
    down = side.astype(np.float32)[:, np.newaxis]
    images = np.empty((n, size, size * 3), dtype=np.uint8)
    values = np.empty((BLOCK, size, size * 3), dtype=np.float32)
    for block in blocks(n, BLOCK):
        part = values[: block.stop - block.start]
        np.multiply(down, slope[block], out=part)
        part += top[block]
        # half a level was added, so cutting off rounds; float32 may end a hair above 256
        np.minimum(part, 255.5, out=part)
        images[block] = part
    return images.reshape(n, size, size, 3)


@GENERATORS.register("gradients")
class Gradients(Generator):
    """Even gradients, see `random_gradients`."""

    name = "gradients"
    summary = "two colours that change evenly into each other"
    reference = "linear interpolation of colours"

    def draw(
        self,
        n: int,
        size: int = 224,
        *,
        images: NDArray[np.uint8] | None = None,
        seed: int = 0,
    ) -> NDArray[np.uint8]:
        """Draw images; see `Generator.draw`."""
        return random_gradients(n, size, seed=seed)
