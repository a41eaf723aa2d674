"""One writer at a time, and no lock that outlives its process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
from pathlib import Path
from types import TracebackType

from outgroup.errors import PoolError
from outgroup.pool.files import LOCK, WRITER


class WriterLock:
    """Held while a pool is written to; readers don't ask for it.

    It is a lock of the operating system on an empty SQLite file, which SQLite takes in the same way
    on every system: when the process ends, however it ends, the lock is gone.

    Parameters
    ----------
    folder : Path
        The pool.

    Raises
    ------
    PoolError
        On entering, if somebody else holds it, or the pool may not be written to.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with WriterLock(folder):
    ...     with WriterLock(folder):
    ...         pass
    Traceback (most recent call last):
    outgroup.errors.PoolError: ...: another process is writing to it (process ... on ...)...
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> WriterLock:
        if not os.access(self._folder, os.W_OK):  # SQLite would lock what it may only read
            raise PoolError(f"{self._folder}: it may not be written to.")
        connection = sqlite3.connect(
            self._folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = MEMORY")  # a lock needs no file of its own
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if "locked" not in str(error):
                raise PoolError(f"{self._folder}: can't be written to ({error}).") from error
            raise PoolError(
                f"{self._folder}: another process is writing to it{self._holder()}. Wait until it "
                "has ended; readers need not."
            ) from None
        self._connection = connection
        self._note()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                (self._folder / WRITER).unlink()
            self._connection.close()
            self._connection = None

    def _note(self) -> None:
        """Say who writes. The lock holds without it, so a full disk is no reason to stop."""
        with contextlib.suppress(OSError):
            note = {"pid": os.getpid(), "host": socket.gethostname()}
            (self._folder / WRITER).write_text(json.dumps(note), "utf-8")

    def _holder(self) -> str:
        try:
            note = json.loads((self._folder / WRITER).read_text("utf-8"))
            return f" (process {note['pid']} on {note['host']})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""
