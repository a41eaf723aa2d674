"""Embeddings kept on disk, so that an image is computed once by each backbone.

One SQLite file: its transactions survive a killed process, and several processes may use it at the
same time. Whatever goes wrong with it costs time and never a number: each row carries a checksum, a
damaged file is begun afresh, and where nothing can be written, work goes on without the cache.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from outgroup.backbones import cache_folder

T = TypeVar("T")

DEFAULT_MAX_BYTES = 4 * 2**30
"""About 400,000 images of the bundled backbone."""

_FILE = "embeddings.sqlite3"
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS embeddings_1 (key TEXT PRIMARY KEY, used INTEGER, data BLOB);
CREATE INDEX IF NOT EXISTS used_1 ON embeddings_1 (used);
"""  # A table of another layout gets another number, and older versions keep theirs.

_CHECKSUM_BYTES = 8
_SECONDS_PER_DAY = 86_400
_FLUSH_ROWS = 128
_FLUSH_SECONDS = 2.0
_BUSY_SECONDS = 30.0


class CacheWarning(UserWarning):
    """The cache of embeddings is damaged or can't be used; results are right, but take longer."""


class EmbeddingCache:
    """Embeddings kept on disk, least recently used ones dropped above a size.

    Threads may share one; processes may open one each in the same folder.

    Parameters
    ----------
    folder : Path, optional
        Where the file is; `outgroup.backbones.cache_folder` if not given.
    max_bytes : int
        When the entries take more than this, those not used for longest are deleted. "Used" counts
        in days, so that reading does not mean writing.

    Warns
    -----
    CacheWarning
        Once when the file is damaged and begun afresh, and once when it can't be used at all.

    Examples
    --------
    >>> import tempfile
    >>> cache = EmbeddingCache(Path(tempfile.mkdtemp()))
    >>> cache.put("key", np.array([1, 2], np.float32))
    >>> cache.close()
    >>> cache.get("key", 2)
    array([1., 2.], dtype=float32)
    """

    def __init__(self, folder: Path | None = None, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.path = (cache_folder() if folder is None else Path(folder)) / _FILE
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._usable = True
        self._restarted = False
        self._new: dict[str, bytes] = {}
        self._touched: set[str] = set()
        self._flushed = time.monotonic()

    def get(self, key: str, size: int) -> npt.NDArray[np.float32] | None:
        """Return the vector of a key, or None if there is no sound one of this size.

        Parameters
        ----------
        key : str
        size : int
            How many numbers the vector must have.

        Returns
        -------
        ndarray of float32, shape (size,), or None
        """
        select = "SELECT used, data FROM embeddings_1 WHERE key = ?"
        row = self._guarded(lambda connection: connection.execute(select, (key,)).fetchone())
        # In a damaged file a column can hold anything.
        if row is None or not isinstance(row[0], int) or not isinstance(row[1], bytes):
            return None
        used, data = row
        vector = _open_sealed(key, data)
        if vector is None or vector.size != size:
            return None
        if used < _today():
            with self._lock:
                self._touched.add(key)
        return vector

    def put(self, key: str, vector: npt.NDArray[np.float32]) -> None:
        """Keep a vector; it is on disk after some two seconds or the next `flush`."""
        with self._lock:
            self._new[key] = _seal(key, vector)
            due = time.monotonic() - self._flushed > _FLUSH_SECONDS
            if due or len(self._new) >= _FLUSH_ROWS:
                self.flush()

    def flush(self) -> None:
        """Write everything that was put, in one transaction."""
        with self._lock:
            if self._new or self._touched:
                self._guarded(self._write)
            self._new.clear()
            self._touched.clear()
            self._flushed = time.monotonic()

    def clear(self) -> None:
        """Delete every entry, and give the space back to the disk."""
        script = "DELETE FROM embeddings_1; VACUUM"
        with self._lock:
            self._new.clear()
            self._guarded(lambda connection: connection.executescript(script))

    def close(self) -> None:
        """Write what was put and close the file; the cache opens it again when it is next used."""
        self.flush()
        with self._lock:
            self._disconnect()

    def __len__(self) -> int:
        """Return the number of entries on disk."""
        count = self._guarded(
            lambda connection: connection.execute("SELECT COUNT(*) FROM embeddings_1").fetchone()
        )
        return 0 if count is None else int(count[0])

    def _write(self, connection: sqlite3.Connection) -> None:
        day = _today()
        with connection:
            connection.executemany(
                "INSERT OR REPLACE INTO embeddings_1 VALUES (?, ?, ?)",
                [(key, day, data) for key, data in self._new.items()],
            )
            connection.executemany(
                "UPDATE embeddings_1 SET used = ? WHERE key = ?",
                [(day, key) for key in self._touched],
            )
        if _live_bytes(connection) > self._max_bytes:
            _delete_least_used(connection, self._max_bytes)

    def _guarded(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run an action on the open file; None if the file is damaged or can't be used."""
        with self._lock:
            if not self._usable:
                return None
            try:
                return action(self._connect())
            except (sqlite3.OperationalError, sqlite3.ProgrammingError, OSError) as error:
                self._give_up(error)  # locked, full, not to be written, not to be opened
            except sqlite3.DatabaseError as error:  # "malformed" or "not a database"
                self._start_afresh(error)
            return None

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open = sqlite3.connect(self.path, _BUSY_SECONDS, check_same_thread=False)
            weakref.finalize(self, self._open.close)
            self._open.executescript(_SCHEMA)
        return self._open

    def _disconnect(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _give_up(self, error: Exception) -> None:
        self._usable = False
        self._disconnect()
        _warn(f"The cache of embeddings at {self.path} can't be used ({error}). Nothing is kept.")

    def _start_afresh(self, error: Exception) -> None:
        self._disconnect()
        if self._restarted:
            self._give_up(error)
            return
        self._restarted = True
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{self.path}{suffix}").unlink()
        _warn(f"The cache of embeddings at {self.path} was damaged ({error}). It begins afresh.")


def _warn(message: str) -> None:
    warnings.warn(message, CacheWarning, stacklevel=4)


def _today() -> int:
    return int(time.time()) // _SECONDS_PER_DAY


def _seal(key: str, vector: npt.NDArray[np.float32]) -> bytes:
    data = vector.astype("<f4").tobytes()
    return _checksum(key, data) + data


def _open_sealed(key: str, sealed: bytes) -> npt.NDArray[np.float32] | None:
    checksum, data = sealed[:_CHECKSUM_BYTES], sealed[_CHECKSUM_BYTES:]
    if checksum != _checksum(key, data):
        return None
    return np.frombuffer(data, "<f4").astype(np.float32, copy=False)


def _checksum(key: str, data: bytes) -> bytes:
    digest = hashlib.blake2b(key.encode(), digest_size=_CHECKSUM_BYTES)
    digest.update(data)
    return digest.digest()


def _live_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes in use; SQLite fills the pages of deleted rows before the file grows."""
    page, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    return int(page * (pages - free))


def _delete_least_used(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Delete a tenth of the rows at a time until the rest fits."""
    while _live_bytes(connection) > max_bytes:
        with connection:
            deleted = connection.execute(
                "DELETE FROM embeddings_1 WHERE rowid IN (SELECT rowid FROM embeddings_1 "
                "ORDER BY used, rowid LIMIT (SELECT COUNT(*) / 10 + 1 FROM embeddings_1))"
            ).rowcount
        if deleted == 0:
            return
