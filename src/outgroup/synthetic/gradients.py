"""Fields of colour that change evenly from one side to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.synthetic._checks import whole_numbers


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
    side = np.linspace(-1.0, 1.0, size)
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        first, second = rng.integers(0, 256, (2, 3))
        angle = rng.uniform(0.0, 2.0 * np.pi)
        along = np.cos(angle) * side + np.sin(angle) * side[:, np.newaxis]
        share = (along - along.min()) / (along.max() - along.min())
        images[i] = np.round(first + share[..., np.newaxis] * (second - first))
    return images
