"""The only code that writes images to a pool, in transactions that a killed process can't tear.

A batch goes to the disk in this order: images into the shards, embeddings into the matrices, then
one SQLite transaction that names them. What the index does not name is not in the pool; when the
pool is next opened for writing, it is cut off, and the pool is to the byte what it was after the
last transaction.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from outgroup.errors import PoolError
from outgroup.pool.batch import Batch, Dealt, NewImage
from outgroup.pool.checksums import row_checksums, write_checksums
from outgroup.pool.embeddings_folder import EmbeddingsFolder
from outgroup.pool.index import Index
from outgroup.pool.lock import WriterLock
from outgroup.pool.near_index import NearIndex
from outgroup.pool.shards import Shards, sample_key
from outgroup.pool.vectors import to_half

#: Near duplicates have the same perceptual hash, but for three bits, and this cosine of embeddings.
#: Scaled, compressed, brightened or slightly cropped copies have 0.78 to 1.00, other pictures that
#: happen to have such hashes 0.3 to 0.73.
MIN_COSINE = 0.75
#: How many images with such a hash are looked at; more are of the same burst or video.
_MOST_CANDIDATES = 64
_SECONDS = 3.0
_MOST_DEALT = 4096


class Writer:
    """Appends images while it holds the pool's lock.

    Parameters
    ----------
    folder : Path
        The pool.
    index, shards, embeddings : Index, Shards, EmbeddingsFolder
        Its parts.
    batch : int
        Images after which a batch is committed; it is committed after three seconds as well.

    Raises
    ------
    PoolError
        On entering, if another process is writing or the pool is damaged.
    """

    def __init__(
        self,
        folder: Path,
        index: Index,
        shards: Shards,
        embeddings: EmbeddingsFolder,
        batch: int = 256,
    ) -> None:
        self._folder = folder
        self._index = index
        self._shards = shards
        self._embeddings = embeddings
        self._most = batch
        self._stack = ExitStack()
        self._torn = False  # whether a commit has begun, and did not end

    def __enter__(self) -> Writer:
        with ExitStack() as stack:
            stack.enter_context(WriterLock(self._folder))
            try:
                self._recover()
            except OSError as error:
                raise PoolError(_what_happened(self._folder, error)) from error
            self._near = NearIndex(*self._index.fingerprints())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, image: NewImage, vectors: Mapping[str, npt.NDArray[np.float32]]) -> bool:
        """Add an image that is not in the pool yet.

        Parameters
        ----------
        image : NewImage
        vectors : mapping of str to ndarray of float32, shape (d,)
            Its embedding, layer by layer.

        Returns
        -------
        bool
            Whether it is a near duplicate of an earlier one.
        """
        batch = self._batch
        row = batch.stop
        half = {name: to_half(vectors[name]) for name in self._embeddings.files}
        if image.fingerprint is not None:
            if twins := self._twins(image.fingerprint, half["last"]):
                batch.twins[row] = twins
            self._near.add(image.fingerprint, row)
        place = self._shards.add(sample_key(row), image.jpeg, image.description(row))
        batch.images.append((image, place))
        batch.vectors.append(half)
        self._commit_if_due()
        return row in batch.twins

    @property
    def uncommitted(self) -> int:
        """How many images wait to be committed."""
        return len(self._batch.images)

    def note(self, dealt: Dealt) -> None:
        """Remember that a place gave nothing new."""
        self._batch.dealt.append(dealt)
        self._commit_if_due()

    def commit(self) -> None:
        """Write what was added onto the disk.

        Raises
        ------
        PoolError
            If it can't be written. What was committed before is safe. This writer is not to be used
            any more, nor if a commit is interrupted by Ctrl-C.
        """
        batch = self._batch
        if self._torn:
            return
        if len(batch):
            self._torn = True
            try:
                self._write(batch)
            except (OSError, PoolError) as error:
                with suppress(OSError, PoolError):  # else it is done when it is next opened
                    self._recover()
                self._torn = True
                if isinstance(error, PoolError):
                    raise
                raise PoolError(_what_happened(self._folder, error)) from error
        self._begin(batch.stop)

    def _write(self, batch: Batch) -> None:
        layers = batch.layers() if batch.images else {}
        if batch.images:
            self._shards.write()
            self._embeddings.append(batch.first, layers)
        with self._index.transaction() as connection:
            batch.write(connection)
            if batch.images:
                sums = row_checksums(layers)
                write_checksums(connection, self._embeddings.space, batch.first, sums)
        if batch.images:
            self._embeddings.publish(batch.stop)

    def _recover(self) -> None:
        n = self._index.count()
        self._shards.recover(self._index.last_place())
        self._embeddings.recover(n)
        self._begin(n)

    def _begin(self, n: int) -> None:
        self._batch = Batch(n)
        self._torn = False
        self._since = time.monotonic()

    def _commit_if_due(self) -> None:
        batch = self._batch
        if (
            len(batch.images) >= self._most
            or len(batch.dealt) >= _MOST_DEALT
            or time.monotonic() - self._since > _SECONDS
        ):
            self.commit()

    def _twins(self, fingerprint: int, vector: npt.NDArray[np.float16]) -> list[int]:
        """Return the earlier rows that an image is nearly the same as, sorted."""
        rows = self._near.find(fingerprint)[:_MOST_CANDIDATES]
        if not len(rows):
            return []
        batch = self._batch
        there = self._embeddings.files["last"].read(rows[rows < batch.first])
        pending = [batch.vectors[row - batch.first]["last"] for row in rows[rows >= batch.first]]
        order = np.concatenate([rows[rows < batch.first], rows[rows >= batch.first]])
        vectors = np.concatenate([there, np.array(pending, np.float32).reshape(-1, len(vector))])
        return sorted(int(row) for row in order[_cosines(vectors, vector) >= MIN_COSINE])


def _cosines(
    rows: npt.NDArray[np.float32], one: npt.NDArray[np.float16]
) -> npt.NDArray[np.float64]:
    """Return the cosine of each row, shape (n, d), with one vector, (d,); 0 where one is zero."""
    others, vector = rows.astype(np.float64), one.astype(np.float64)
    lengths = np.sqrt((others**2).sum(axis=1)) * np.sqrt((vector**2).sum())
    # Summed row by row: a product of matrices rounds differently with another number of rows.
    products = (others * vector).sum(axis=1)
    return np.asarray(products / np.where(lengths > 0, lengths, np.inf))


def _what_happened(folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"{folder}: the disk is full. The pool holds what was committed before; make room and "
            "run the same command again."
        )
    return f"{folder}: can't be written to ({error.strerror or error})."
