"""Negatives drawn from a pool: images by their rows, and synthetic ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

    from outgroup.pool.pool import Pool


@dataclass(frozen=True, eq=False)
class Sample:
    """Negatives drawn from a pool.

    Parameters
    ----------
    pool : Pool
        Where the rows are from.
    rows : ndarray of shape (k,), int64
        Near ones first, then far ones; each once.
    why : tuple of k str
        "near" or "far".
    synthetic : ndarray of shape (m, 224, 224, 3), uint8
        Images that were drawn by a program.
    missing : int
        How many fewer than were asked for, because the pool has no more.
    """

    pool: Pool
    rows: NDArray[np.int64]
    why: tuple[str, ...]
    synthetic: NDArray[np.uint8] = field(repr=False)
    missing: int = 0

    def __len__(self) -> int:
        """Return how many negatives there are, synthetic ones included."""
        return len(self.rows) + len(self.synthetic)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        kinds = Counter(self.why)
        return {"near": kinds["near"], "far": kinds["far"], "synthetic": len(self.synthetic)}

    def images(self) -> list[Image.Image]:
        """Return all of them as Pillow images, those of the pool first."""
        from PIL import Image

        return [*self.pool.images(self.rows), *map(Image.fromarray, self.synthetic)]

    def arrays(self) -> list[NDArray[np.uint8]]:
        """Return all of them as uint8 arrays of shape (height, width, 3), of different sizes."""
        return [np.asarray(image) for image in self.pool.images(self.rows)] + list(self.synthetic)
