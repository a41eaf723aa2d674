"""What comes out of embedding: a table with one row an image, and why some rows are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass
class Embeddings:
    """The embeddings of some images, in the order in which the images were given.

    Attributes
    ----------
    layers : dict of str to ndarray of float32, shape (n, d)
        The backbone's outputs by name. The row of an image that could not be read is NaN.
    errors : list of str or None
        For each image the reason why it could not be read; None if it could.
    digests : list of str or None
        For each image the hash of its content; None if there was nothing to hash.

    Examples
    --------
    >>> last = np.array([[1.0], [np.nan]], np.float32)
    >>> table = Embeddings({"last": last}, [None, "no such file"], ["5f", None])
    >>> len(table), table.readable.tolist()
    (2, [True, False])
    """

    layers: dict[str, npt.NDArray[np.float32]]
    errors: list[str | None]
    digests: list[str | None]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.errors)

    @property
    def readable(self) -> npt.NDArray[np.bool_]:
        """Which images could be read, of shape (n,)."""
        return np.array([error is None for error in self.errors], dtype=bool)
