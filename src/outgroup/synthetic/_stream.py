"""Random bytes for one image after the other: the first images are the same for any number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class Stream:
    """A stream of random bytes, of which every image takes the same number.

    Parameters
    ----------
    seed : int
        The same seed gives the same bytes on every machine.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.SFC64(seed)

    def take(self, n: int, each: int) -> NDArray[np.uint8]:
        """Return (n, each) bytes; what is taken for n images at once or one by one is the same."""
        words = -(-each // 8)
        raw = self._bits.random_raw(n * words).astype("<u8", copy=False)
        return raw.view(np.uint8).reshape(n, 8 * words)[:, :each]

    def numbers(self, n: int, each: int) -> NDArray[np.float64]:
        """Return (n, each) numbers from 0 to less than 1."""
        words = self._bits.random_raw(n * each).reshape(n, each)
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def blocks(n: int, most: int) -> Iterator[slice]:
    """Yield slices of at most `most` that make up ``range(n)``.

    >>> list(blocks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, n, most):
        yield slice(start, min(start + most, n))
