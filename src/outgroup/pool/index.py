"""The index of a pool: one SQLite file, the one truth about what is in it."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from outgroup.errors import PoolError
from outgroup.pool.checksums import Space
from outgroup.pool.files import INDEX
from outgroup.pool.records import KEPT, Counts, Record, Unreadable
from outgroup.pool.schema import APPLICATION_ID, SCHEMA, UNREADABLE, VERSION
from outgroup.pool.shards import Place
from outgroup.pool.versions import read_as_it_is, read_as_present, upgrade, version_of

_BUSY_SECONDS = 60.0
_CACHE_KIB = 65_536
#: Pages that the log takes before they are put in their places: hashes fall on pages at random, and
#: the more of them are put there at once, the fewer times each page is written.
_LOG_PAGES = 4000
_PAGE_ROWS = 1000

_RECORDS = """
SELECT i.row, s.name, i.origin, r.name, i.near, i.width, i.height, i.stored_width, i.stored_height,
    i.n_bytes, i.digest, i.fingerprint, COALESCE(v.state, 'kept'), v.reason
FROM images i JOIN sources s ON s.id = i.source LEFT JOIN verdicts v ON v.row = i.row
LEFT JOIN groups g ON g.id = i.team LEFT JOIN groups r ON r.id = g.root
"""

#: In the order of the rows, whatever that of the images which are asked for: each page is read and
#: written once. The source is that of the stretch: the wide rows of images at random lie on a page
#: each.
_JUDGE = """
INSERT INTO verdicts SELECT asked.row,
    (SELECT source FROM stretches WHERE first <= asked.row ORDER BY first DESC LIMIT 1), ?, ?
    FROM asked WHERE true
ON CONFLICT (row) DO UPDATE SET state = excluded.state, reason = excluded.reason
"""

_HAVE_ANOTHER = """
SELECT COUNT(*) FROM asked LEFT JOIN verdicts v ON v.row = asked.row
WHERE COALESCE(v.state, 'kept') != ?
"""

_CHECKSUMS = """
SELECT row, checksum FROM checksums
WHERE space = (SELECT id FROM spaces WHERE namespace = ?) AND row >= ? AND row < ?
"""


class Index:
    """The index of a pool, opened when it is first used.

    Threads may share one. A process that was forked opens it anew, as SQLite demands.

    Parameters
    ----------
    folder : Path
        The pool.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INDEX
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._pid = 0
        self._is_old = False

    def create(self) -> None:
        """Make the tables, if they are not there, in one transaction."""
        try:
            with closing(sqlite3.connect(self.path, _BUSY_SECONDS, isolation_level=None)) as new:
                new.execute("PRAGMA journal_mode = WAL")
                if new.execute("PRAGMA user_version").fetchone()[0] == 0:
                    new.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
        except sqlite3.Error as error:
            raise PoolError(_what_happened(self.path, error)) from error

    def close(self) -> None:
        """Close the file; it is opened again when it is next used."""
        with self._lock:
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
            self._open = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, on the disk when the block has ended, undone if it fails.

        Raises
        ------
        PoolError
            If SQLite can't write.
        """
        with self._guarded() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                if self._is_old:
                    upgrade(connection)
                yield connection
                connection.execute("COMMIT")
                self._is_old = False
            except BaseException:
                if connection.in_transaction:  # SQLite has ended it where the disk is full
                    connection.execute("ROLLBACK")
                raise

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query."""
        with self._guarded() as connection:
            return connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first row of a query, or None."""
        with self._guarded() as connection:
            return connection.execute(sql, parameters).fetchone()

    def column(self, sql: str, parameters: Sequence[Any] = ()) -> npt.NDArray[np.int64]:
        """Return a query's only column, of integers."""
        with self._guarded() as connection:
            cursor = connection.execute(sql, parameters)
            return np.fromiter((value for (value,) in cursor), np.int64)

    def count(self) -> int:
        """Return how many images there are."""
        last = self.one("SELECT MAX(row) FROM images")[0]
        return 0 if last is None else int(last) + 1

    def last_place(self) -> Place | None:
        """Return where the last image is, or None in an empty pool."""
        row = self.one("SELECT shard, start, length FROM images ORDER BY row DESC LIMIT 1")
        return None if row is None else Place(*row)

    def find_digest(self, digest: str) -> tuple[int, str, str] | None:
        """Return row, source and origin of the image of this content, or None."""
        found: tuple[int, str, str] | None = self.one(
            "SELECT i.row, s.name, i.origin FROM images i JOIN sources s ON s.id = i.source "
            "WHERE digest = ?",
            (bytes.fromhex(digest),),
        )
        return found

    def find_place(self, source: str, origin: str) -> tuple[str | None, int] | None:
        """Return the stamp of a place that was dealt with, and what came of it, or None."""
        found: tuple[str | None, int] | None = self.one(
            "SELECT stamp, outcome FROM places "
            "WHERE source = (SELECT id FROM sources WHERE name = ?) AND origin = ?",
            (source, origin),
        )
        return found

    def fingerprints(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Return all perceptual hashes and their rows."""
        with self._guarded() as connection:
            cursor = connection.execute(
                "SELECT row, fingerprint FROM images WHERE fingerprint IS NOT NULL ORDER BY row"
            )
            pairs = np.fromiter(cursor, "i8, i8")
        return pairs["f1"].astype(np.uint64), pairs["f0"].astype(np.int64)

    def records(self, rows: Iterable[int]) -> list[Record]:
        """Return the records of rows, in the order asked for."""
        wanted = [int(row) for row in rows]
        found: dict[int, Record] = {}
        for start in range(0, len(wanted), _PAGE_ROWS):
            part = wanted[start : start + _PAGE_ROWS]
            marks = ",".join("?" * len(part))
            for values in self.all(f"{_RECORDS} WHERE i.row IN ({marks})", part):
                found[values[0]] = _record(values)
        return [found[row] for row in wanted]

    def page(self, first: int) -> list[Record]:
        """Return the next records from a row on; an empty list at the end."""
        found = self.all(f"{_RECORDS} WHERE i.row >= ? ORDER BY i.row LIMIT {_PAGE_ROWS}", (first,))
        return [_record(values) for values in found]

    def places(self, rows: Iterable[int]) -> list[Place]:
        """Return where images are, in the order asked for."""
        sql = "SELECT shard, start, length FROM images WHERE row = ?"
        with self._guarded() as connection:
            return [Place(*connection.execute(sql, (int(row),)).fetchone()) for row in rows]

    def rows(self, source: str | None, state: str | None) -> npt.NDArray[np.int64]:
        """Return the rows of a source, or of all, and of a state, or of both; sorted."""
        if source is None:
            n, gone = self.count(), self.not_kept(0, 2**62)
        else:
            number = "(SELECT id FROM sources WHERE name = ?)"
            of_source = self.column(
                f"SELECT row FROM images WHERE source = {number} ORDER BY row", (source,)
            )
            gone = self.column(
                f"SELECT row FROM verdicts WHERE state != 'kept' AND source = {number}", (source,)
            )
            n = len(of_source)
        everything = np.arange(n) if source is None else of_source
        if state is None:
            return everything
        return np.setdiff1d(everything, gone) if state == KEPT else np.sort(gone)

    def sources(self, first: int, last: int, rows: npt.NDArray[np.int64]) -> list[str]:
        """Return the source of some rows between two, these included."""
        found = self.all(
            "SELECT i.row, s.name FROM images i JOIN sources s ON s.id = i.source "
            "WHERE i.row >= ? AND i.row <= ?",
            (first, last),
        )
        names = dict(found)
        return [names[row] for row in rows.tolist()]

    def not_kept(self, first: int, stop: int) -> npt.NDArray[np.int64]:
        """Return those rows of a range that are in quarantine."""
        return self.column(
            "SELECT row FROM verdicts WHERE state != 'kept' AND row >= ? AND row < ?", (first, stop)
        )

    def units(self, n: int) -> npt.NDArray[np.int64] | None:
        """Return a number for each of `n` images: its group's, or one of its own from n on."""
        sql = "SELECT i.row, g.root FROM images i JOIN groups g ON g.id = i.team ORDER BY i.row"
        with self._guarded() as connection:
            pairs = np.fromiter(connection.execute(sql), "i8, i8")
        if not len(pairs):
            return None
        units = np.arange(n) + 1 + int(pairs["f1"].max())
        units[pairs["f0"]] = pairs["f1"]
        return units

    def vouched(self) -> npt.NDArray[np.int64]:
        """Return the rows that are kept for a reason, sorted."""
        return self.column("SELECT row FROM verdicts WHERE state = 'kept' ORDER BY row")

    def counts(self) -> dict[str, Counts]:
        """Return what each source gave, sorted by its name."""
        counts: dict[str, dict[str, int]] = {}
        sql = "SELECT s.name, c.what, c.n FROM counts c JOIN sources s ON s.id = c.source"
        for name, what, n in self.all(f"{sql} ORDER BY s.name"):
            counts.setdefault(name, {})[what] = n
        return {name: Counts(**by_what) for name, by_what in counts.items()}

    def unreadable(self) -> Iterator[Unreadable]:
        """Yield what could not be read, by source and origin."""
        sql = (
            "SELECT s.name, p.source, p.origin, p.reason FROM places p "
            f"JOIN sources s ON s.id = p.source WHERE p.outcome = {UNREADABLE} "
            f"AND (p.source, p.origin) > (?, ?) ORDER BY p.source, p.origin LIMIT {_PAGE_ROWS}"
        )
        after: tuple[int, str] = (0, "")
        while page := self.all(sql, after):
            for name, source, origin, reason in page:
                yield Unreadable(name, origin, reason)
                after = (source, origin)

    def set_state(self, rows: Iterable[int], state: str, reason: str | None) -> int:
        """Give images a state and the reason for it; return how many had another one."""
        with self.transaction() as connection:
            execute = connection.execute
            execute("CREATE TEMP TABLE asked (row INTEGER PRIMARY KEY)")
            asked = ((int(row),) for row in rows)
            connection.executemany("INSERT OR IGNORE INTO asked VALUES (?)", asked)
            (changed,) = execute(_HAVE_ANOTHER, (state,)).fetchone()
            if state == KEPT and reason is None:
                execute("DELETE FROM verdicts WHERE row IN (SELECT row FROM asked)")
            else:
                execute(_JUDGE, (state, reason))
            execute("DROP TABLE asked")
        return int(changed)

    def embedded(self, namespace: str) -> int:
        """Return how many images have embeddings of a network, the first ones of the pool."""
        last = self.one(
            "SELECT MAX(row) FROM checksums "
            "WHERE space = (SELECT id FROM spaces WHERE namespace = ?)",
            (namespace,),
        )[0]
        return 0 if last is None else int(last) + 1

    def spaces(self) -> list[Space]:
        """Return the networks that there are embeddings of, in the order they came."""
        found = self.all("SELECT backbone, namespace, layers FROM spaces ORDER BY id")
        return [Space(name, number, json.loads(layers)) for name, number, layers in found]

    def checksums(self, namespace: str, first: int, stop: int) -> dict[int, int]:
        """Return the checksum of those of a range of rows of embeddings that have one."""
        return dict(self.all(_CHECKSUMS, (namespace, first, stop)))

    @contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        """Run a block with the open file, and turn SQLite's errors into plain ones."""
        with self._lock:
            try:
                connection = self._connect()
                if self._is_old and version_of(connection) == VERSION:  # another one upgraded it
                    read_as_it_is(connection)
                    self._is_old = False
                yield connection
            except sqlite3.Error as error:
                raise PoolError(_what_happened(self.path, error)) from error

    def _connect(self) -> sqlite3.Connection:
        if self._open is None or self._pid != os.getpid():
            if not self.path.exists():
                raise PoolError(f"{self.path}: the index of the pool is not there.")
            self._open = _open(self.path)
            self._pid = os.getpid()
            weakref.finalize(self, _close, self._open, self._pid)
            self._is_old = _check(self.path, self._open) < VERSION
            if self._is_old:
                read_as_present(self._open)
        return self._open


def _open(path: Path) -> sqlite3.Connection:
    name = path.resolve().as_uri()
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        name += "?mode=rw"
    elif path.with_name(f"{path.name}-wal").exists():
        name += "?mode=ro"
    else:  # nobody can be writing, and SQLite could not make the files that tell it so
        name += "?immutable=1"
    connection = sqlite3.connect(
        name, _BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    return connection


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()


def _check(path: Path, connection: sqlite3.Connection) -> int:
    """Return the version of an index that can be read."""
    version = version_of(connection)
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise PoolError(f"{path}: an SQLite file, but not the index of a pool.")
    if version > VERSION:
        raise PoolError(
            f"{path}: an index of version {version}, and this version of outgroup reads up to "
            f"{VERSION}. Update outgroup."
        )
    return version


def _what_happened(path: Path, error: sqlite3.Error) -> str:
    text = str(error)
    if "full" in text:
        return f"{path}: the disk is full. The pool holds what was committed before."
    if "readonly" in text:
        return f"{path}: it may not be written to."
    if "locked" in text:
        return f"{path}: another process is writing to it. Try again."
    if "not a database" in text or "malformed" in text:
        return f"{path}: damaged, or not the index of a pool ({text})."
    return f"{path}: {text}."


def _record(values: Any) -> Record:
    digest, fingerprint, state, reason = values[10:]
    bits = None if fingerprint is None else fingerprint % 2**64
    fields = [*values[:10], digest.hex(), bits, state, reason]
    return Record(*fields)
