"""`Pool`: a collection of negatives on disk, as large as the disk is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from outgroup.backbones import Backbone, get_backbone
from outgroup.embeddings import ProgressBar, namespace
from outgroup.errors import InvalidParameterError, PoolError
from outgroup.pool import files
from outgroup.pool.building import Building
from outgroup.pool.creating import make_pool
from outgroup.pool.drawing import DrawsNegatives
from outgroup.pool.embedding_again import EmbedsAgain
from outgroup.pool.embeddings_folder import EmbeddingsFolder
from outgroup.pool.engines import Engine, get_engine
from outgroup.pool.index import Index
from outgroup.pool.judging import JudgesImages
from outgroup.pool.lock import WriterLock
from outgroup.pool.reading import ReadsImages
from outgroup.pool.records import KEPT, STATES, Added, Counts, Record, Rows, Unreadable
from outgroup.pool.settings import Settings
from outgroup.pool.shards import Shards
from outgroup.pool.sources import open_source
from outgroup.pool.verification import Verification, verify
from outgroup.pool.writing import Writer

DEFAULT_BACKBONE = "efficientnet-lite0"


class Pool(ReadsImages, DrawsNegatives, JudgesImages, EmbedsAgain):
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
        self._embeddings = EmbeddingsFolder(self.path, self.settings.space)
        self._is_seen_by_another = False
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

    def __reduce__(self) -> tuple[Any, ...]:
        if self._is_seen_by_another:
            return (_seen_by, (str(self.path), self._backbone))
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
        return self._index.records(self.checked(rows))

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
        if self._is_seen_by_another:
            raise PoolError(
                f"{self.path}: images are added with the backbone that the pool was made with. "
                f"Use Pool({str(self.path)!r}).add, and then embed."
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

    def units(self) -> npt.NDArray[np.int64] | None:
        """Return a number for each image, the same for those of one group; None without groups."""
        return self._index.units(len(self))

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
        first = Settings.read(self.path).space
        more = [
            EmbeddingsFolder(self.path, space)
            for space in self._index.spaces()
            if space.namespace != first.namespace
        ]
        parts = self._index, self._shards, EmbeddingsFolder(self.path, first), more
        if not repair:
            return verify(*parts)
        with WriterLock(self.path):
            return verify(*parts, repair=True)

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

    def checked(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return row numbers as an array.

        Raises
        ------
        InvalidParameterError
            If they are none of this pool.
        """
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


def _seen_by(path: str, backbone: Backbone) -> Pool:
    return Pool(path).seen_by(backbone)
