"""Images or embeddings of a pool, dealt into batches without all of them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError
from outgroup.pool.deck import Deck

if TYPE_CHECKING:
    from outgroup.pool.pool import Pool


class Dealing:
    """Draws from a pool, none a second time before all have had their turn.

    Parameters
    ----------
    pool : Pool
    rows : ndarray of shape (m,), int64, or None
        Which images; None for all that are kept.
    layer : str or None
        Draw embeddings of this layer; None for images.

    Raises
    ------
    InvalidDataError
        If there is nothing to draw.
    """

    def __init__(self, pool: Pool, rows: NDArray[np.int64] | None, layer: str | None) -> None:
        kept = pool.rows() if rows is None else np.asarray(rows, dtype=np.int64)
        if not len(kept):
            raise InvalidDataError(f"{pool.path}: there is no image to draw that is kept.")
        self._pool, self._layer = pool, layer
        self._rows = Deck(kept)  # eight bytes an image; the images stay on disk

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[Any] | Sequence[NDArray[Any]]:
        """Return n images, uint8 of different sizes, or embeddings of shape (n, d)."""
        rows = np.asarray(self._rows.draw(n, rng), dtype=np.int64)
        if self._layer is not None:
            return self._pool.features(rows, [self._layer])[self._layer]
        return [np.asarray(image) for image in self._pool.images(rows)]
