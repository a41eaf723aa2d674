"""Images of a pool and their embeddings, read from the disk as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.errors import InvalidParameterError
from outgroup.pool.embeddings_folder import EmbeddingsFolder
from outgroup.pool.index import Index
from outgroup.pool.records import Rows
from outgroup.pool.settings import Settings
from outgroup.pool.shards import Shards
from outgroup.pool.stored_images import decoded

if TYPE_CHECKING:
    from outgroup.pool.pool import Pool


class ReadsImages:
    """What a `Pool` gives to those who look at its images or embeddings."""

    settings: Settings
    _index: Index
    _shards: Shards
    _embeddings: EmbeddingsFolder

    @property
    def layers(self) -> dict[str, int]:
        """The layers of the embeddings, and how many numbers each has."""
        return dict(self.settings.layers)

    def encoded(self, rows: Rows) -> list[bytes]:
        """Return images as JPEG files, in the order asked for.

        Raises
        ------
        PoolError
            If a shard is damaged.
        """
        return [
            self._shards.read(place)
            for place in self._index.places(cast("Pool", self).checked(rows))
        ]

    def images(self, rows: Rows) -> list[Image.Image]:
        """Return images as Pillow images, in the order asked for.

        Raises
        ------
        PoolError
            If a shard is damaged.
        """
        return [decoded(data, row) for row, data in zip(rows, self.encoded(rows), strict=True)]

    def features(
        self, rows: Rows, layers: Iterable[str] | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return embeddings, in the order asked for.

        Parameters
        ----------
        rows : sequence of int
        layers : iterable of str, optional
            Which layers; all of them if not given.

        Returns
        -------
        dict of str to ndarray of float32, shape (n, d)
            Kept as float16, so they have eleven bits.

        Raises
        ------
        InvalidParameterError
            If there is no such row or layer.
        PoolError
            If the embeddings are damaged.
        """
        return self._embeddings.read(cast("Pool", self).checked(rows), layers)

    def mapped(self, layer: str = "last") -> npt.NDArray[np.float16]:
        """Return the embeddings of all images, of either state, as a memory map of float16.

        Raises
        ------
        InvalidParameterError
            If there is no such layer.
        PoolError
            If the embeddings are damaged.
        """
        return self._embeddings.file(layer).mapped(len(cast("Pool", self)))

    def chunks(
        self, size: int = 4096, layers: Iterable[str] | None = None
    ) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float32]]]]:
        """Yield all images that are kept, in the order of their rows, some at a time.

        Parameters
        ----------
        size : int
            Rows that are looked at at a time; those in quarantine are left out of them.
        layers : iterable of str, optional
            Which layers; all of them if not given.

        Yields
        ------
        rows : ndarray of int64, shape (m,)
        features : dict of str to ndarray of float32, shape (m, d)

        Raises
        ------
        InvalidParameterError
            If `size` is not a positive integer.
        """
        if not isinstance(size, int) or size < 1:
            raise InvalidParameterError(
                f"The 'size' parameter must be a positive integer. Got {size!r} instead."
            )
        names = None if layers is None else list(layers)
        return self._chunks(size, names)

    def _chunks(
        self, size: int, layers: list[str] | None
    ) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float32]]]]:
        n = len(cast("Pool", self))
        for first in range(0, n, size):
            stop = min(first + size, n)
            rows = np.setdiff1d(np.arange(first, stop), self._index.not_kept(first, stop))
            if len(rows):
                yield rows, self._embeddings.read(rows, layers)
