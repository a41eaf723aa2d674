"""What an image is like before any network has seen it: a few numbers a channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Sides of the blocks whose means are described; a block that does not fit is left out.
SIDES = (1, 3, 9)

#: Images described at once: bounds the memory of their sorted pixels.
CHUNK = 256


def describe_images(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return statistics that frozen, saturated or empty frames, edges and noise change.

    Of pixels and of means over blocks of 3 x 3 and 9 x 9: the 1st, 50th and 99th percentile, the
    largest and the standard deviation; then the shares of pixels at the largest and the smallest
    value, and the mean difference of neighbours.

    Parameters
    ----------
    images : ndarray of shape (n, C, H, W), float32
        Scaled.

    Returns
    -------
    ndarray of shape (n, C * 18), float64; fewer columns for images of less than 9 pixels a side

    Examples
    --------
    >>> describe_images(np.zeros((2, 1, 9, 9), dtype=np.float32)).shape
    (2, 18)
    """
    parts = [
        _describe(images[start : start + CHUNK]) for start in range(0, max(len(images), 1), CHUNK)
    ]
    return np.concatenate(parts)


def _describe(images: NDArray[np.float32]) -> NDArray[np.float64]:
    n, channels, height, width = images.shape
    found = []
    for side in SIDES:
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
