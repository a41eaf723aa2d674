"""Embeddings of another backbone, computed from the images that a pool keeps."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from outgroup.backbones import Backbone, get_backbone
from outgroup.embeddings import Embeddings, ProgressBar, namespace
from outgroup.errors import InvalidParameterError, PoolError
from outgroup.pool.checksums import Space, row_checksums, write_checksums
from outgroup.pool.embeddings_folder import EmbeddingsFolder
from outgroup.pool.engines import Engine, get_engine
from outgroup.pool.index import Index
from outgroup.pool.lock import WriterLock
from outgroup.pool.settings import Settings
from outgroup.pool.shards import Place, Shards
from outgroup.pool.vectors import to_half

if TYPE_CHECKING:
    from outgroup.pool.pool import Pool

#: Images that are committed together.
BATCH = 256


class EmbedsAgain:
    """What a `Pool` does for those whose backbone is another than that it was made with."""

    path: Path
    settings: Settings
    _index: Index
    _shards: Shards

    def embed(
        self,
        backbone: str | Backbone,
        *,
        progress: bool | None = None,
        engine: str | Engine = "local",
    ) -> int:
        """Compute the embeddings of another backbone from the kept images, and keep them.

        Images are not fetched again: the network sees what the pool keeps, scaled to what the
        first backbone takes. A run that was stopped goes on by doing the same again, and so do
        images that were added since.

        Parameters
        ----------
        backbone : str or Backbone
            The network, by a spec of `get_backbone`.
        progress : bool, optional
            As for `Pool.add`.
        engine : str or Engine
            What embeds, as for `Pool.add`.

        Returns
        -------
        int
            How many images were embedded now; 0 if all of them were.

        Raises
        ------
        InvalidParameterError
            If there is no such backbone.
        PoolError
            If an image is damaged, another process is writing, or the disk is full. What was
            committed is kept.
        """
        network = _network(backbone)
        space = Space.of(network)
        if space.namespace == Settings.read(self.path).namespace:
            return 0
        folder = EmbeddingsFolder(self.path, space)
        with ExitStack() as stack:
            computes = get_engine(engine)
            if computes is not engine:
                stack.enter_context(computes)
            stack.enter_context(WriterLock(self.path))
            begun, n = self._index.embedded(space.namespace), self._index.count()
            first = begun
            bar = stack.enter_context(ProgressBar(n - first, progress))
            try:
                folder.recover(first)
                images = self._kept_images(first, n)
                for table in computes.embedder(network).stream(images, chunk=BATCH):
                    self._keep(folder, first, table)
                    first += len(table)
                    for _ in range(len(table)):
                        bar.advance()
            except OSError as error:
                raise PoolError(
                    f"{self.path}: can't be written to ({error.strerror or error}). The embeddings "
                    f"of the first {first:,} images are kept; make room and do the same again."
                ) from error
        return n - begun

    def embedded_by(self, backbone: Backbone) -> int:
        """Return how many images have embeddings of a backbone; these are the first ones."""
        number = namespace(backbone)
        if number == Settings.read(self.path).namespace:
            return self._index.count()
        return self._index.embedded(number)

    def other_backbones(self) -> dict[str, int]:
        """Return how many images have embeddings of each backbone that came later, by its spec."""
        first = Settings.read(self.path).namespace
        return {
            space.backbone: self._index.embedded(space.namespace)
            for space in self._index.spaces()
            if space.namespace != first
        }

    def seen_by(self, backbone: str | Backbone) -> Pool:
        """Return the same pool with the embeddings of another backbone, which `embed` has kept.

        Raises
        ------
        PoolError
            If some of the images have none of this backbone.
        """
        network = _network(backbone)
        space, n = Space.of(network), self._index.count()
        if space.namespace == self.settings.namespace:
            return cast("Pool", self)
        there = self.embedded_by(network)
        if there < n:
            raise PoolError(
                f"{self.path}: {there:,} of {n:,} images have embeddings of {network.name}. "
                f"Make the others with: outgroup pool embed {self.path} --backbone {network.name}"
            )
        seen = cast("Pool", copy.copy(self))
        seen.settings = replace(
            self.settings,
            backbone=space.backbone,
            namespace=space.namespace,
            layers=space.layers,
        )
        seen._embeddings = EmbeddingsFolder(self.path, space)
        seen._backbone = network
        seen._is_seen_by_another = space.namespace != Settings.read(self.path).namespace
        return seen

    def _kept_images(self, first: int, stop: int) -> Iterator[bytes]:
        """Yield the images as they are kept."""
        for begin in range(first, stop, BATCH):
            rows = range(begin, min(begin + BATCH, stop))
            for row, place in zip(rows, self._index.places(rows), strict=True):
                yield self._kept_image(row, place)

    def _kept_image(self, row: int, place: Place) -> bytes:
        """Return an image as it is kept; nothing for one that is lost and in quarantine."""
        try:
            return self._shards.read(place)
        except PoolError:
            if row not in self._index.not_kept(row, row + 1):
                raise
            return b""

    def _keep(self, folder: EmbeddingsFolder, first: int, table: Embeddings) -> None:
        """Append the embeddings of some images in one transaction."""
        rows = first + np.flatnonzero(~table.readable)
        gone = self._index.not_kept(first, first + len(table))
        damaged = np.setdiff1d(rows, gone)
        if len(damaged):
            raise PoolError(
                f"Image {damaged[0]} of the pool is damaged. `outgroup pool verify --repair` puts "
                "what is into quarantine; then do the same again."
            )
        layers = {
            name: to_half(np.where(table.readable[:, np.newaxis], values, np.float32(0.0)))
            for name, values in table.layers.items()
        }
        folder.append(first, layers)
        with self._index.transaction() as connection:
            write_checksums(connection, folder.space, first, row_checksums(layers))
        folder.publish(first + len(table))


def _network(backbone: str | Backbone) -> Backbone:
    if isinstance(backbone, Backbone):
        return backbone
    if not isinstance(backbone, str):
        raise InvalidParameterError(
            f"The 'backbone' parameter must be a name or a Backbone. Got {backbone!r} instead."
        )
    return get_backbone(backbone)
