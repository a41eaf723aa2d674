"""Embeddings kept on disk, so that each backbone computes an image once.

One SQLite file: its transactions survive a killed process, and several processes may use it at the
same time. A fault in it costs time and never gives a wrong number: each row carries a checksum, a
damaged file is begun afresh, and if nothing can be written, work goes on without the cache.
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

#: About 400,000 images of the bundled backbone.
DEFAULT_MAX_BYTES = 4 * 2**30

_FILE = "embeddings.sqlite3"
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS embeddings_1 (key TEXT PRIMARY KEY, used INTEGER, data BLOB);
CREATE INDEX IF NOT EXISTS used_1 ON embeddings_1 (used);
"""

_CHECKSUM_BYTES = 8
_FLUSH_ROWS = 128
_FLUSH_SECONDS = 2.0
_BUSY_SECONDS = 30.0


class CacheWarning(UserWarning):
    """The cache of embeddings is damaged or can't be used; results are right, but take longer."""


class EmbeddingCache:
    """Embeddings kept on disk; above a size the least recently used ones are deleted.

    Threads may share one; processes may open one each in the same folder. A `CacheWarning` is given
    once when the file is damaged and begun afresh, and once when it can't be used at all.

    Parameters
    ----------
    folder : Path, optional
        Where the file is; `outgroup.backbones.cache_folder` if not given.
    max_bytes : int
        The size above which entries are deleted. The time of use is counted in days, so that
        reading rarely means writing.
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
        """Return the vector of a key, of shape (size,), or None if there is no sound one."""
        select = "SELECT used, data FROM embeddings_1 WHERE key = ?"
        row = self._guarded(lambda connection: connection.execute(select, (key,)).fetchone())
        # In a damaged file a column can hold anything.
        if row is None or not isinstance(row[0], int) or not isinstance(row[1], bytes):
            return None
        used, sealed = row
        checksum, data = sealed[:_CHECKSUM_BYTES], sealed[_CHECKSUM_BYTES:]
        if checksum != _checksum(key, data) or len(data) != 4 * size:
            return None
        if used < _today():
            with self._lock:
                self._touched.add(key)
        return np.frombuffer(data, "<f4").astype(np.float32, copy=False)

    def put(self, key: str, vector: npt.NDArray[np.float32]) -> None:
        """Keep a vector; it is on disk after some two seconds or the next `flush`."""
        data = vector.astype("<f4").tobytes()
        with self._lock:
            self._new[key] = _checksum(key, data) + data
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

    def close(self) -> None:
        """Write what was put and close the file; the next use opens it again."""
        self.flush()
        with self._lock:
            self._disconnect()

    def __len__(self) -> int:
        """Return the number of entries on disk."""
        count = "SELECT COUNT(*) FROM embeddings_1"
        row = self._guarded(lambda connection: connection.execute(count).fetchone())
        return 0 if row is None else int(row[0])

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
        deleted = 1
        while deleted and _live_bytes(connection) > self._max_bytes:
            with connection:  # a tenth of the rows at a time
                deleted = connection.execute(
                    "DELETE FROM embeddings_1 WHERE rowid IN (SELECT rowid FROM embeddings_1 "
                    "ORDER BY used, rowid LIMIT (SELECT COUNT(*) / 10 + 1 FROM embeddings_1))"
                ).rowcount

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
    return int(time.time()) // 86_400


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
