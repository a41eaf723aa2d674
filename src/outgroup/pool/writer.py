"""Create, lock and append to a pool, in transactions that a killed process can't tear.

A batch goes to the disk in this order: images into the shards, embeddings into the matrices, then
one SQLite transaction that names them. Whatever the index does not name is not in the pool. The
next writer cuts it off, and the pool is to the byte what it was after the last transaction.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from outgroup.errors import PoolError
from outgroup.pool.index import ADDED, INDEX, Index, write_checksums
from outgroup.pool.near_duplicates import MIN_COSINE, HashIndex, cosines
from outgroup.pool.records import NewImage
from outgroup.pool.storage import (
    SETTINGS,
    LayerFiles,
    Place,
    Settings,
    Shards,
    row_checksums,
    sample_key,
    to_half,
)

LOCK, WRITER = "writer.lock", "writer.json"
#: Files that an unfinished pool may consist of; there may be a temporary file of the settings too.
_UNFINISHED = {LOCK, WRITER, *(f"{INDEX}{suffix}" for suffix in ("", "-journal", "-wal", "-shm"))}
#: Images with a similar hash that are compared; more of them are of one burst or video.
_MAX_CANDIDATES = 64
#: A batch is committed after so many seconds, or so many places without a new image.
_MAX_SECONDS = 3.0
_MAX_NOT_ADDED = 4096


@contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a pool while a block writes to it; readers don't need it.

    It is an operating system's lock on an empty SQLite file, so it ends with the process.
    """
    if not os.access(folder, os.W_OK):  # SQLite would lock a file that is read-only
        raise PoolError(f"{folder}: can't be written to (no permission).")
    note = folder / WRITER  # says in messages who writes
    with closing(
        sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
    ) as connection:
        try:
            connection.execute("PRAGMA journal_mode = MEMORY")  # a lock needs no journal file
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise PoolError(f"{folder}: can't be written to ({error}).") from error
            who = ""
            with suppress(OSError, ValueError, KeyError, TypeError):
                writer = json.loads(note.read_text("utf-8"))
                who = f" (process {writer['pid']} on {writer['host']})"
            raise PoolError(
                f"{folder}: another process is writing to it{who}. Wait until it has ended. "
                "Reading is possible meanwhile."
            ) from None
        with suppress(OSError):
            writer = {"pid": os.getpid(), "host": socket.gethostname()}
            note.write_text(json.dumps(writer), "utf-8")
        try:
            yield
        finally:
            with suppress(OSError):
                note.unlink()


def create_pool(folder: Path, settings: Settings) -> None:
    """Make an empty pool. The settings come last, so an unfinished pool is made again."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = {path.name for path in folder.glob(f".{SETTINGS}.*")}
        if foreign := sorted({path.name for path in folder.iterdir()} - _UNFINISHED - temporary):
            raise PoolError(
                f"{folder}: neither an empty folder nor a pool; there is {foreign[0]} in it."
            )
        with writer_lock(folder):
            Index(folder).create()
            settings.write(folder)
            for name in temporary:
                (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise PoolError(f"{folder}: can't be written to ({error.strerror}).") from error


class Writer:
    """Appends images; the pool's lock must be held as long as it is used."""

    def __init__(
        self, folder: Path, index: Index, shards: Shards, embeddings: LayerFiles, batch: int = 256
    ) -> None:
        self._folder, self._index, self._shards = folder, index, shards
        self._embeddings = embeddings
        self._max_images = batch
        self._torn = False  # whether a commit has begun and not ended
        try:
            self._recover()
        except OSError as error:
            raise write_error(self._folder, error) from error
        self._hashes = HashIndex(*self._index.fingerprints())

    def add(self, image: NewImage, vectors: Mapping[str, npt.NDArray[np.float32]]) -> bool:
        """Add an image that is not in the pool yet; return whether it is a near duplicate."""
        row = self._first + len(self._images)
        half = {name: to_half(vectors[name]) for name in self._embeddings.files}
        near: list[int] = []
        if image.fingerprint is not None:
            near = self._near_duplicates(image.fingerprint, half["last"])
            self._hashes.add(image.fingerprint, row)
        place = self._shards.add(sample_key(row), image.jpeg, image.description(row))
        self._images.append((image, place, near))
        self._vectors.append(half)
        self._commit_if_due()
        return bool(near)

    @property
    def uncommitted(self) -> int:
        """Number of images that wait to be committed."""
        return len(self._images)

    def note(
        self, source: str, origin: str, stamp: str | None, outcome: int, reason: str | None = None
    ) -> None:
        """Record that a place gave no new image, and why."""
        self._not_added.append((source, origin, stamp, outcome, reason))
        self._commit_if_due()

    def commit(self) -> None:
        """Write what was added to the disk; do nothing after a commit that failed."""
        if self._torn:
            return
        if self._images or self._not_added:
            self._torn = True
            try:
                self._write()
            except (OSError, PoolError) as error:
                with suppress(OSError, PoolError):  # else the next writer does it
                    self._recover()
                self._torn = True
                if isinstance(error, PoolError):
                    raise
                raise write_error(self._folder, error) from error
        self._begin(self._first + len(self._images))

    def _write(self) -> None:
        first, layers = self._first, {}
        if self._images:
            names = self._vectors[0]
            layers = {name: np.stack([row[name] for row in self._vectors]) for name in names}
            self._shards.write()
            self._embeddings.append(first, layers)
        with self._index.transaction() as connection:
            for row, (image, place, near) in enumerate(self._images, first):
                _insert_image(connection, row, image, place, near)
            for name, *about in self._not_added:
                _insert_place(connection, _source_id(connection, name), *about)
            if layers:
                write_checksums(connection, self._embeddings.space, first, row_checksums(layers))
        if layers:
            self._embeddings.publish(first + len(self._images))

    def _recover(self) -> None:
        n = self._index.count()
        self._shards.recover(self._index.last_place())
        self._embeddings.recover(n)
        self._begin(n)

    def _begin(self, n: int) -> None:
        """Begin a batch whose first image gets row `n`."""
        self._first = n
        #: With the earlier rows that each image is a near duplicate of.
        self._images: list[tuple[NewImage, Place, list[int]]] = []
        self._vectors: list[dict[str, npt.NDArray[np.float16]]] = []
        self._not_added: list[_NotAdded] = []
        self._torn = False
        self._since = time.monotonic()

    def _commit_if_due(self) -> None:
        if (
            len(self._images) >= self._max_images
            or len(self._not_added) >= _MAX_NOT_ADDED
            or time.monotonic() - self._since > _MAX_SECONDS
        ):
            self.commit()

    def _near_duplicates(self, fingerprint: int, vector: npt.NDArray[np.float16]) -> list[int]:
        rows = self._hashes.find(fingerprint)[:_MAX_CANDIDATES]
        written, pending = rows[rows < self._first], rows[rows >= self._first]
        vectors = [self._vectors[row - self._first]["last"] for row in pending]
        if len(written):
            vectors = [*self._embeddings.files["last"].read(written), *vectors]
        if not vectors:
            return []
        near = cosines(np.array(vectors, np.float32), vector) >= MIN_COSINE
        return sorted(np.concatenate([written, pending])[near].tolist())


#: Source, origin, stamp, outcome and reason of a place that gave no new image.
_NotAdded = tuple[str, str, "str | None", int, "str | None"]


def write_error(folder: Path, error: OSError) -> PoolError:
    """Return the error of a pool for one of the operating system."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return PoolError(
            f"{folder}: the disk is full. The pool holds what was committed before; make room and "
            "run the same command again."
        )
    return PoolError(f"{folder}: can't be written to ({error.strerror or error}).")


def _insert_image(
    connection: sqlite3.Connection, row: int, image: NewImage, place: Place, near: list[int]
) -> None:
    source = _source_id(connection, image.source)
    name = f"{image.source}/{image.group}"
    group = None if image.group is None else _group_id(connection, name)
    bits = image.fingerprint
    if bits is not None and bits >= 2**63:  # integers of SQLite are signed
        bits -= 2**64
    values = (
        *(row, source, image.origin, group, min(near, default=None)),
        *(image.width, image.height, image.stored_width, image.stored_height, image.n_bytes),
        *(bytes.fromhex(image.digest), bits, *place, bytes.fromhex(image.checksum)),
    )
    connection.execute(f"INSERT INTO images VALUES ({', '.join('?' * len(values))})", values)
    if near:
        _join_groups(connection, [*near, row])
    _insert_place(connection, source, image.origin, image.stamp, ADDED, None)


def _insert_place(connection: sqlite3.Connection, *values: str | int | None) -> None:
    connection.execute(
        "INSERT INTO places (source, origin, stamp, outcome, reason) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (source, origin) DO UPDATE SET stamp = excluded.stamp, "
        "outcome = excluded.outcome, reason = excluded.reason",
        values,
    )


def _source_id(connection: sqlite3.Connection, name: str) -> int:
    connection.execute("INSERT OR IGNORE INTO sources (name) VALUES (?)", (name,))
    (found,) = connection.execute("SELECT id FROM sources WHERE name = ?", (name,)).fetchone()
    return int(found)


def _group_id(connection: sqlite3.Connection, name: str) -> int:
    """Return the number of a group; a new one is its own root."""
    connection.execute(
        "INSERT OR IGNORE INTO groups (name, root) "
        "VALUES (?, (SELECT COALESCE(MAX(id), 0) + 1 FROM groups))",
        (name,),
    )
    (found,) = connection.execute("SELECT id FROM groups WHERE name = ?", (name,)).fetchone()
    return int(found)


def _join_groups(connection: sqlite3.Connection, rows: list[int]) -> None:
    marks = ",".join("?" * len(rows))
    sql = "SELECT DISTINCT g.root FROM images i JOIN groups g ON g.id = i.team WHERE i.row IN"
    roots = sorted(root for (root,) in connection.execute(f"{sql} ({marks})", rows))
    root = roots[0] if roots else _group_id(connection, f"near duplicates of {min(rows)}")
    for other in roots[1:]:
        connection.execute("UPDATE groups SET root = ? WHERE root = ?", (root, other))
    connection.execute(
        f"UPDATE images SET team = ? WHERE team IS NULL AND row IN ({marks})", (root, *rows)
    )
