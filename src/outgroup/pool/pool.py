"""`Pool`: a collection of negatives on disk, as large as the disk is."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.backbones import Backbone, get_backbone
from outgroup.embeddings import ProgressBar, namespace
from outgroup.errors import InvalidParameterError, PoolError
from outgroup.pool import files
from outgroup.pool.building import Building
from outgroup.pool.creating import make_pool
from outgroup.pool.drawing import DrawsNegatives
from outgroup.pool.embeddings_folder import EmbeddingsFolder
from outgroup.pool.engines import Engine, get_engine
from outgroup.pool.index import Index
from outgroup.pool.lock import WriterLock
from outgroup.pool.records import KEPT, QUARANTINED, STATES, Added, Counts, Record, Unreadable
from outgroup.pool.settings import Settings
from outgroup.pool.shards import Shards
from outgroup.pool.sources import open_source
from outgroup.pool.verification import Verification, verify
from outgroup.pool.writing import Writer

Rows = Sequence[int] | npt.NDArray[np.integer]
DEFAULT_BACKBONE = "efficientnet-lite0"


class Pool(DrawsNegatives):
    """Images that are none of the classes, with their embeddings, on disk.

    A folder: ``pool.json``, ``index.sqlite3``, ``shards/*.tar`` that any WebDataset tool reads,
    ``embeddings/*/LAYER.npy`` that NumPy maps. Images have numbers from 0, which are their rows in
    the embeddings and never change. Any number of processes may read; one at a time may add, and
    readers see what it has committed. Opening takes the same short time whatever the size, and
    nothing holds more than a batch in memory.

    Parameters
    ----------
    path : str or os.PathLike
        An existing pool; `Pool.create` makes one.
    backbone : Backbone, optional
        The network, where it is one that `get_backbone` can't find by its name. Only needed to add.

    Raises
    ------
    PoolError
        If there is no pool, or it is damaged, foreign, or of a newer version.

    Examples
    --------
    >>> import tempfile
    >>> from outgroup.pool import Incoming
    >>> rng = np.random.default_rng(0)
    >>> pictures = [rng.integers(0, 256, (40, 60, 3), dtype=np.uint8) for _ in range(3)]
    >>> pool = Pool.create(tempfile.mkdtemp())
    >>> added = pool.add(
    ...     Incoming(x, "noise", f"#{i}") for i, x in enumerate(pictures)
    ... )
    >>> added.images, len(pool), pool[1].origin
    (3, 3, '#1')
    >>> pool.quarantine([1], "looks like a cat")
    1
    >>> pool.counts()["noise"].kept, pool.features([0, 2])["last"].shape
    (2, (2, 1280))
    """

    def __init__(self, path: str | os.PathLike[str], *, backbone: Backbone | None = None) -> None:
        self.path = Path(path)
        self.settings = Settings.read(self.path)
        self._backbone = backbone
        self._index = Index(self.path)
        self._shards = Shards(self.path / files.SHARDS)
        folder = self.path / files.EMBEDDINGS / self.settings.namespace
        self._embeddings = EmbeddingsFolder(folder, self.settings.layers)
        self._index.count()

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], backbone: str | Backbone = DEFAULT_BACKBONE
    ) -> Pool:
        """Make an empty pool, or open the one that is there if it is of this backbone.

        Parameters
        ----------
        path : str or os.PathLike
            A folder that does not exist or is empty, or a pool.
        backbone : str or Backbone
            The network that embeds it, by a spec of `get_backbone`.

        Raises
        ------
        PoolError
            If the folder is neither empty nor a pool, or a pool of another backbone, or can't be
            written to.
        """
        folder = Path(path)
        network = get_backbone(backbone) if isinstance(backbone, str) else backbone
        settings = Settings.for_backbone(network)
        if not (folder / files.SETTINGS).exists():
            make_pool(folder, settings)
        pool = cls(folder, backbone=network)
        if pool.settings.namespace != settings.namespace:
            raise PoolError(
                f"{folder}: a pool of embeddings by {pool.settings.backbone}, and this is "
                f"{network.name}. Make another pool for it, or leave the backbone out."
            )
        return pool

    def __reduce__(self) -> tuple[type[Pool], tuple[str]]:
        return (Pool, (str(self.path),))

    def __repr__(self) -> str:
        return f"Pool({str(self.path)!r})"

    # What is in it

    def __len__(self) -> int:
        """Return how many images there are, of either state."""
        return self._index.count()

    def __getitem__(self, row: int) -> Record:
        """Return what is known about an image; -1 is the last one."""
        number = int(row)
        n = len(self)
        if not -n <= number < n:
            raise IndexError(f"row {number} of a pool of {n:,} images")
        return self._index.records([number % n])[0]

    def __iter__(self) -> Iterator[Record]:
        """Yield what is known about each image, by its row."""
        page = self._index.page(0)
        while page:
            yield from page
            page = self._index.page(page[-1].row + 1)

    def records(self, rows: Rows) -> list[Record]:
        """Return what is known about some images, in the order asked for."""
        return self._index.records(self._check(rows))

    def rows(self, source: str | None = None, state: str | None = KEPT) -> npt.NDArray[np.int64]:
        """Return the rows of a source, or of all, and of a state.

        Parameters
        ----------
        source : str or None
            None for all sources.
        state : str or None
            "kept" or "quarantined"; None for both.

        Returns
        -------
        ndarray of int64, shape (n,)
            Sorted.
        """
        if state is not None and state not in STATES:
            raise InvalidParameterError(
                f"The 'state' parameter must be 'kept', 'quarantined' or None. Got {state!r} "
                "instead."
            )
        return self._index.rows(source, state)

    def sources_of(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """Return the source of each of some sorted rows that are near together."""
        return self._index.sources(int(rows[0]), int(rows[-1]), rows)

    def counts(self) -> dict[str, Counts]:
        """Return what each source gave and what became of it, sorted by the source's name."""
        return self._index.counts()

    def unreadable(self) -> Iterator[Unreadable]:
        """Yield the files that could not be read, with the reasons."""
        return self._index.unreadable()

    # Images and embeddings

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
        return [self._shards.read(place) for place in self._index.places(self._check(rows))]

    def images(self, rows: Rows) -> list[Image.Image]:
        """Return images as Pillow images, in the order asked for.

        Raises
        ------
        PoolError
            If a shard is damaged.
        """
        return [_decoded(data, row) for row, data in zip(rows, self.encoded(rows), strict=True)]

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
        return self._embeddings.read(self._check(rows), layers)

    def mapped(self, layer: str = "last") -> npt.NDArray[np.float16]:
        """Return the embeddings of all images, of either state, as a memory map of float16.

        Raises
        ------
        InvalidParameterError
            If there is no such layer.
        PoolError
            If the embeddings are damaged.
        """
        return self._embeddings.file(layer).mapped(len(self))

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
        n = len(self)
        for first in range(0, n, size):
            stop = min(first + size, n)
            rows = np.setdiff1d(np.arange(first, stop), self._index.not_kept(first, stop))
            if len(rows):
                yield rows, self._embeddings.read(rows, layers)

    # Changes

    def add(
        self,
        source: Any,
        *,
        name: str | None = None,
        progress: bool | None = None,
        batch: int = 256,
        engine: str | Engine = "local",
    ) -> Added:
        """Add what a source gives and is not in the pool yet.

        A run that was stopped in any way is gone on with by doing the same again: what is there
        already is passed over.

        Parameters
        ----------
        source : object
            A folder, archive, table, image set or iterable of images: all that `open_source` in
            `outgroup.pool.sources` takes, and what it returns.
        name : str, optional
            The source of all the images; by default what they say themselves, such as the folder
            they are in.
        progress : bool, optional
            Whether a progress bar is shown; if standard error is a terminal, if not given.
        batch : int
            Images that are committed together.
        engine : str or Engine
            What prepares and embeds: "local", all cores of this machine, or "ray", the machines of
            a Ray cluster. The pool is the same, to the byte. An engine that is given is not closed.

        Returns
        -------
        Added
            How many were added, were there already, or could not be read.

        Raises
        ------
        InvalidParameterError, MissingExtraError
            If there is no such source, or reading it needs a package that is not there.
        InvalidDataError
            If there is no image in it.
        PoolSourceError
            If it breaks off or a part of it is damaged. What it gave is added.
        PoolError
            If another process is writing, the disk is full, the pool is damaged, or the engine
            fails. What was committed is kept.
        """
        if not isinstance(batch, int) or batch < 1:
            raise InvalidParameterError(
                f"The 'batch' parameter must be a positive integer. Got {batch!r} instead."
            )
        opened = open_source(source, name)
        network = self.network()
        title = os.fspath(source) if isinstance(source, (str, os.PathLike)) else "The source"
        writer = Writer(self.path, self._index, self._shards, self._embeddings, batch)
        look_up = Index(self.path)
        with ExitStack() as stack:
            stack.callback(look_up.close)
            computes = get_engine(engine)
            if computes is not engine:
                stack.enter_context(computes)
            stack.enter_context(writer)
            bar = stack.enter_context(ProgressBar(opened.length(), progress))
            form = self.settings.images
            return Building(writer, look_up, computes, network, form, title).run(opened, bar)

    def quarantine(self, rows: Rows, reason: str) -> int:
        """Put images into quarantine, on disk when this returns; return how many were not in it.

        Another process may be adding meanwhile.

        Parameters
        ----------
        rows : sequence of int
        reason : str
            Why; it replaces an earlier reason.
        """
        if not isinstance(reason, str) or not reason:
            raise InvalidParameterError(
                f"The 'reason' parameter must be text. Got {reason!r} instead."
            )
        return self._index.set_state(self._check(rows), QUARANTINED, reason)

    def release(self, rows: Rows, reason: str | None = None) -> int:
        """Take images out of quarantine; return how many were in it.

        Parameters
        ----------
        rows : sequence of int
        reason : str, optional
            Why, if somebody has looked: `vouched` then has them, and a purge leaves them alone.
        """
        return self._index.set_state(self._check(rows), KEPT, reason)

    def units(self) -> npt.NDArray[np.int64] | None:
        """Return a number for each image, the same for those of one group; None without groups."""
        return self._index.units(len(self))

    def vouched(self) -> npt.NDArray[np.int64]:
        """Return the rows that are kept for a reason: somebody has looked at them. Sorted."""
        return self._index.vouched()

    def verify(self, repair: bool = False) -> Verification:
        """Check shards, embeddings and index against each other.

        Parameters
        ----------
        repair : bool
            Whether what is safe to repair is repaired: leftovers of a killed run are cut off,
            counts are counted again, and damaged images are put into quarantine. Nothing that the
            index names is deleted.

        Returns
        -------
        Verification
            What was found.
        """
        if not repair:
            return verify(self._index, self._shards, self._embeddings)
        with WriterLock(self.path):
            return verify(self._index, self._shards, self._embeddings, repair=True)

    def network(self) -> Backbone:
        """Return the network that the embeddings are of.

        Raises
        ------
        PoolError
            If there is only another version of it.
        """
        if self._backbone is None:
            self._backbone = get_backbone(self.settings.backbone)
        if namespace(self._backbone) != self.settings.namespace:
            raise PoolError(
                f"{self.path}: its embeddings are by another version of {self.settings.backbone}. "
                "Make a new pool for this one."
            )
        return self._backbone

    def _check(self, rows: Rows) -> npt.NDArray[np.int64]:
        checked = np.asarray(rows)
        n = len(self)
        if checked.ndim != 1 or (len(checked) and checked.dtype.kind not in "iu"):
            raise InvalidParameterError(
                f"The 'rows' parameter must be a list of row numbers. Got {rows!r} instead."
            )
        if len(checked) and not (checked.min() >= 0 and checked.max() < n):
            wrong = checked[(checked < 0) | (checked >= n)][0]
            raise InvalidParameterError(
                f"The 'rows' parameter must be from 0 to {n - 1}. Got {wrong} instead."
            )
        return checked.astype(np.int64)


def _decoded(data: bytes, row: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        image.load()
    except OSError as error:
        raise PoolError(
            f"Image {row} of the pool is damaged. `outgroup pool verify` lists what is."
        ) from error
    return image
