"""All layers of one network's embeddings in a pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from outgroup.errors import InvalidParameterError
from outgroup.pool.checksums import Space
from outgroup.pool.files import EMBEDDINGS
from outgroup.pool.vectors import VectorFile


class EmbeddingsFolder:
    """The files of the layers, which grow together.

    Parameters
    ----------
    pool : Path
        The pool that they are of.
    space : Space
        The network.
    """

    def __init__(self, pool: Path, space: Space) -> None:
        self.space = space
        self.folder = pool / EMBEDDINGS / space.namespace
        self.files = {
            name: VectorFile(self.folder / f"{name}.npy", dim) for name, dim in space.layers.items()
        }

    def append(self, n_before: int, layers: Mapping[str, npt.NDArray[np.float16]]) -> None:
        """Write rows behind the first `n_before` of each layer, onto the disk itself."""
        for name, file in self.files.items():
            file.append(n_before, layers[name])

    def publish(self, n: int) -> None:
        """Let each file say that it has `n` rows."""
        for file in self.files.values():
            file.publish(n)

    def recover(self, n: int) -> None:
        """Make each file one of exactly `n` rows."""
        for file in self.files.values():
            file.recover(n)

    def read(
        self, rows: npt.NDArray[np.int64], layers: Iterable[str] | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return rows of some layers, or of all.

        Raises
        ------
        InvalidParameterError
            If there is no such layer.
        PoolError
            If a file can't be read.
        """
        names = list(self.files) if layers is None else list(layers)
        files = {name: self.file(name) for name in names}
        return {name: file.read(rows) for name, file in files.items()}

    def halves(self, first: int, stop: int) -> dict[str, npt.NDArray[np.float16]]:
        """Return a range of rows of all layers as they are kept.

        Raises
        ------
        PoolError
            If a file holds fewer.
        """
        return {name: file.run(first, stop - first) for name, file in self.files.items()}

    def file(self, layer: str) -> VectorFile:
        """Return the file of a layer.

        Raises
        ------
        InvalidParameterError
            If there is no such layer.
        """
        if layer not in self.files:
            raise InvalidParameterError(
                f"The 'layers' parameter must be of {', '.join(map(repr, self.files))}. "
                f"Got {layer!r} instead."
            )
        return self.files[layer]
