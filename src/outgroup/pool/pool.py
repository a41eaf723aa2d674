"""`Pool`: a collection of negatives on disk, as large as the disk is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from outgroup.backbones import Backbone, get_backbone
from outgroup.embeddings import ProgressBar, namespace
from outgroup.errors import PoolError
from outgroup.images import ImageSource
from outgroup.pool.building import SourceAdder, reembed
from outgroup.pool.engine import Engine, get_engine
from outgroup.pool.index import Index
from outgroup.pool.mixing import mix_pool
from outgroup.pool.reader import PoolReader
from outgroup.pool.records import KEPT, QUARANTINED, Added, Incoming, Rows, invalid
from outgroup.pool.sampling import sample
from outgroup.pool.sources import PoolSource, open_source
from outgroup.pool.storage import SETTINGS, LayerFiles, Settings, Space
from outgroup.pool.verification import Verification, verify
from outgroup.pool.writer import Writer, create_pool, writer_lock

if TYPE_CHECKING:
    from pandas import DataFrame

DEFAULT_BACKBONE = "efficientnet-lite0"

#: What `open_source` takes.
ImagesToAdd: TypeAlias = (
    "str | os.PathLike[str] | PoolSource | DataFrame"
    " | Iterable[Incoming | ImageSource | tuple[ImageSource, str]]"
)


class Pool(PoolReader):
    """Images that are of none of the classes, with their embeddings, on disk.

    A folder with ``pool.json``, ``index.sqlite3``, ``shards/*.tar`` that any WebDataset tool reads,
    and ``embeddings/*/LAYER.npy`` that NumPy maps. Images have numbers from 0, which are their rows
    in the embeddings and never change. Any number of processes may read; one at a time may add, and
    readers see what it has committed. Nothing holds more than a batch in memory.

    Parameters
    ----------
    path : str or os.PathLike
        An existing pool; `Pool.create` makes one.
    backbone : Backbone, optional
        The network, if `get_backbone` can't find it by its name. Only needed to add.

    Raises
    ------
    PoolError
        If there is no pool, or it is damaged, foreign, or of another format version.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> pictures = [rng.integers(0, 256, (40, 60, 3), dtype=np.uint8) for _ in range(3)]
    >>> pool = Pool.create(tempfile.mkdtemp())
    >>> added = pool.add(Incoming(x, "noise", f"#{i}") for i, x in enumerate(pictures))
    >>> added.images, len(pool), pool[1].origin
    (3, 3, '#1')
    >>> pool.quarantine([1], "looks like a cat")
    1
    >>> pool.counts()["noise"].kept, pool.features([0, 2])["last"].shape
    (2, (2, 1280))
    """

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], backbone: str | Backbone = DEFAULT_BACKBONE
    ) -> Pool:
        """Make an empty pool, or open an existing one of this backbone.

        `PoolError` if the folder is neither empty nor a pool, or a pool of another backbone, or
        can't be written to.
        """
        folder = Path(path)
        network = _network(backbone)
        settings = Settings.for_backbone(network)
        if not (folder / SETTINGS).exists():
            create_pool(folder, settings)
        pool = cls(folder, backbone=network)
        if pool.settings.namespace != settings.namespace:
            raise PoolError(
                f"{folder}: a pool of embeddings by {pool.settings.backbone}, and this is "
                f"{network.name}. Make another pool for it, or leave the backbone out."
            )
        return pool

    def __reduce__(self) -> tuple[object, ...]:
        if self._is_original:
            return (Pool, (str(self.path),))
        return (Pool.seen_by, (Pool(self.path), self._backbone))

    @property
    def _is_original(self) -> bool:
        return self.settings.namespace == self._original.namespace

    def add(
        self,
        source: ImagesToAdd,
        *,
        name: str | None = None,
        progress: bool | None = None,
        batch: int = 256,
        engine: str | Engine = "local",
    ) -> Added:
        """Add the images of a source that are not in the pool yet.

        To continue a run that was stopped in any way, run the same again.

        Parameters
        ----------
        source : folder, archive, table, image set, or iterable of images
            Everything that `open_source` in `outgroup.pool.sources` takes, or what it returns.
        name : str, optional
            The source of all the images; default what they say themselves, such as their folder.
        progress : bool, optional
            Whether to show a progress bar; default if standard error is a terminal.
        batch : int
            Images that are committed together.
        engine : str or Engine
            What prepares and embeds: "local", all cores of this machine, or "ray", the machines of
            a Ray cluster. The pool is the same, to the byte. A given `Engine` is not closed.

        Raises
        ------
        InvalidParameterError, MissingExtraError
            If there is no such source, or reading it needs a package that is not installed.
        InvalidDataError, PoolSourceError, PoolError
            If there is no image, a part of the source is damaged, another process is writing, the
            disk is full, or the engine fails. What was committed before is kept.
        """
        if not isinstance(batch, int) or batch < 1:
            raise invalid("batch", "a positive integer", batch)
        if not self._is_original:
            raise PoolError(
                f"{self.path}: images are added with the backbone that the pool was made with. "
                f"Use Pool({str(self.path)!r}).add, and then embed."
            )
        opened = open_source(source, name)
        network = self.network()
        title = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "The source"
        look_up = Index(self.path)
        with ExitStack() as stack:
            stack.callback(look_up.close)
            computes = get_engine(engine)
            if computes is not engine:
                stack.enter_context(computes)
            stack.enter_context(writer_lock(self.path))
            writer = Writer(self.path, self._index, self._shards, self._embeddings, batch)
            bar = stack.enter_context(ProgressBar(opened.length(), progress))
            form = self.settings.images
            return SourceAdder(writer, look_up, computes, network, form, bar).run(opened, title)

    def quarantine(self, rows: Rows, reason: str) -> int:
        """Put images into quarantine for a reason; return how many were not in it.

        Nothing learns from them. The change is on the disk when this returns; another process may
        be adding meanwhile.
        """
        if not isinstance(reason, str) or not reason:
            raise invalid("reason", "text", reason)
        return self._index.set_state(self._checked(rows), QUARANTINED, reason)

    def release(self, rows: Rows, reason: str | None = None) -> int:
        """Take images out of quarantine; return how many were in it.

        A reason says that somebody has looked at them: `released` then returns them, and a purge
        leaves them alone.
        """
        return self._index.set_state(self._checked(rows), KEPT, reason)

    def verify(self, repair: bool = False) -> Verification:
        """Check shards, embeddings and index against each other; with `repair` mend what is safe.

        A repair cuts off leftovers of a killed run, corrects counts, and puts damaged images into
        quarantine. Nothing that the index names is deleted. `PoolError` if another process is
        writing.
        """
        parts = self.path, self._index, self._shards, self._original.space
        if not repair:
            return verify(*parts)
        with writer_lock(self.path):
            return verify(*parts, repair=True)

    def embed(
        self,
        backbone: str | Backbone,
        *,
        progress: bool | None = None,
        engine: str | Engine = "local",
    ) -> int:
        """Compute the embeddings of another backbone from the stored images; return how many.

        To continue a run that was stopped, or to embed images that were added since, run the same
        again. `backbone` may be a spec of `get_backbone`; `progress` and `engine` are as for `add`.

        Raises
        ------
        PoolError
            If an image is damaged, another process is writing, or the disk is full. What was
            committed is kept.
        """
        network = _network(backbone)
        if namespace(network) == self._original.namespace:
            return 0
        return reembed(self.path, self._index, self._shards, network, engine, progress)

    def embedded_by(self, backbone: Backbone) -> int:
        """Return how many images, the first of the pool, have embeddings of a backbone."""
        number = namespace(backbone)
        if number == self._original.namespace:
            return self._index.count()
        return self._index.embedded(number)

    def other_backbones(self) -> dict[str, int]:
        """Return how many images have embeddings of each backbone that was added, by its spec."""
        original = self._original.namespace
        return {
            space.backbone: self._index.embedded(space.namespace)
            for space in self._index.spaces()
            if space.namespace != original
        }

    def seen_by(self, backbone: str | Backbone) -> Pool:
        """Return the same pool with the embeddings of another backbone, which `embed` has kept.

        `PoolError` if some of the images have none of this backbone.
        """
        network = _network(backbone)
        space, n = Space.of(network), self._index.count()
        if space.namespace == self.settings.namespace:
            return self
        if (there := self.embedded_by(network)) < n:
            raise PoolError(
                f"{self.path}: {there:,} of {n:,} images have embeddings of {network.name}. "
                f"Make the others with: outgroup pool embed {self.path} --backbone {network.name}"
            )
        seen = Pool(self.path, backbone=network)
        seen.settings = replace(seen.settings, **space._asdict())
        seen._embeddings = LayerFiles(self.path, space)
        return seen

    sample = sample
    mix = mix_pool


def _network(backbone: str | Backbone) -> Backbone:
    return backbone if isinstance(backbone, Backbone) else get_backbone(backbone)
