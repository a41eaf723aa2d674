"""The index of a pool: an SQLite file. An image that it does not name is not in the pool.

=============  =====================================================================================
``sources``    names of the collections that images come from
``groups``     groups of images; joined groups share one ``root``, so each lookup is one step
``images``     a row for each image, numbered as the embeddings are; ``team`` is its group
``stretches``  rows from ``first`` on are of one source, up to the next stretch
``verdicts``   the state and reason of images that were quarantined or released with a reason
``spaces``     the networks that there are embeddings of
``checksums``  a checksum of each row of embeddings; a row without one does not exist
``places``     a row for each place that an image was taken from and what came of it, so that a
               repeated run knows what it has seen
``counts``     numbers of images by source, kept by triggers: counting a million takes a second
=============  =====================================================================================

States are not in ``images``, since each would change a page of a wide table; ``stretches`` gives
the source of an image without reading such a page.
"""

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
from outgroup.pool.records import KEPT, Record
from outgroup.pool.storage import Place, Space

APPLICATION_ID = 0x4F475031  # "OGP1"
VERSION = 3

#: Outcomes of a place.
ADDED, DUPLICATE, UNREADABLE = 0, 1, 2

#: The content of ``stretches``, derived from the images.
STRETCHES_OF_IMAGES = """
SELECT i.row AS first, i.source AS source FROM images i LEFT JOIN images b ON b.row = i.row - 1
    WHERE b.source IS NOT i.source
"""

SCHEMA = f"""
CREATE TABLE sources (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, root INTEGER NOT NULL);
CREATE INDEX groups_by_root ON groups (root);

CREATE TABLE images (
    row INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES sources, origin TEXT NOT NULL,
    team INTEGER REFERENCES groups, near INTEGER,
    width INTEGER NOT NULL, height INTEGER NOT NULL,
    stored_width INTEGER NOT NULL, stored_height INTEGER NOT NULL,
    n_bytes INTEGER NOT NULL, digest BLOB NOT NULL UNIQUE, fingerprint INTEGER,
    shard INTEGER NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL, checksum BLOB NOT NULL
);
CREATE INDEX images_by_source ON images (source);

CREATE TABLE stretches (first INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES sources);
CREATE TRIGGER stretch_begins AFTER INSERT ON images
WHEN new.source IS NOT (SELECT source FROM stretches ORDER BY first DESC LIMIT 1) BEGIN
    INSERT INTO stretches (first, source) VALUES (new.row, new.source);
END;

CREATE TABLE verdicts (
    row INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES sources,
    state TEXT NOT NULL, reason TEXT
);

CREATE TABLE spaces (
    id INTEGER PRIMARY KEY, namespace TEXT NOT NULL UNIQUE,
    backbone TEXT NOT NULL, layers TEXT NOT NULL
);

CREATE TABLE checksums (
    space INTEGER NOT NULL REFERENCES spaces, row INTEGER NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (space, row)
) WITHOUT ROWID;

CREATE TABLE places (
    source INTEGER NOT NULL REFERENCES sources, origin TEXT NOT NULL,
    stamp TEXT, outcome INTEGER NOT NULL, reason TEXT, PRIMARY KEY (source, origin)
) WITHOUT ROWID;
CREATE INDEX places_unreadable ON places (source, origin) WHERE outcome = {UNREADABLE};

CREATE TABLE counts (
    source INTEGER NOT NULL REFERENCES sources, what TEXT NOT NULL,
    n INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, what)
) WITHOUT ROWID;

CREATE TRIGGER source_begins AFTER INSERT ON sources BEGIN
    INSERT INTO counts (source, what) VALUES
        (new.id, 'kept'), (new.id, 'quarantined'), (new.id, 'near_duplicates'),
        (new.id, 'duplicates'), (new.id, 'unreadable');
END;

CREATE TRIGGER image_comes AFTER INSERT ON images BEGIN
    UPDATE counts SET n = n + 1 WHERE source = new.source AND (
        what = 'kept' OR (what = 'near_duplicates' AND new.near IS NOT NULL));
END;
CREATE TRIGGER verdict_comes AFTER INSERT ON verdicts WHEN new.state != 'kept' BEGIN
    UPDATE counts SET n = n - 1 WHERE source = new.source AND what = 'kept';
    UPDATE counts SET n = n + 1 WHERE source = new.source AND what = new.state;
END;
CREATE TRIGGER verdict_changes AFTER UPDATE OF state ON verdicts WHEN old.state != new.state BEGIN
    UPDATE counts SET n = n - 1 WHERE source = new.source AND what = old.state;
    UPDATE counts SET n = n + 1 WHERE source = new.source AND what = new.state;
END;
CREATE TRIGGER verdict_goes AFTER DELETE ON verdicts WHEN old.state != 'kept' BEGIN
    UPDATE counts SET n = n - 1 WHERE source = old.source AND what = old.state;
    UPDATE counts SET n = n + 1 WHERE source = old.source AND what = 'kept';
END;

CREATE TRIGGER place_comes AFTER INSERT ON places WHEN new.outcome != {ADDED} BEGIN
    UPDATE counts SET n = n + 1 WHERE source = new.source AND
        what = CASE new.outcome WHEN {DUPLICATE} THEN 'duplicates' ELSE 'unreadable' END;
END;
CREATE TRIGGER place_changes AFTER UPDATE OF outcome ON places WHEN old.outcome != new.outcome BEGIN
    UPDATE counts SET n = n - 1 WHERE source = old.source AND
        what = CASE old.outcome WHEN {DUPLICATE} THEN 'duplicates'
                                WHEN {UNREADABLE} THEN 'unreadable' END;
    UPDATE counts SET n = n + 1 WHERE source = new.source AND
        what = CASE new.outcome WHEN {DUPLICATE} THEN 'duplicates'
                                WHEN {UNREADABLE} THEN 'unreadable' END;
END;

PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""

INDEX = "index.sqlite3"
_BUSY_SECONDS = 60.0
_CACHE_KIB = 65_536
#: Pages of the write-ahead log that are moved to the file at once; digests fall on them at random.
_LOG_PAGES = 4000
PAGE_ROWS = 1000

_RECORDS = """
SELECT i.row, s.name, i.origin, r.name, i.near, i.width, i.height, i.stored_width, i.stored_height,
    i.n_bytes, i.digest, i.fingerprint, COALESCE(v.state, 'kept'), v.reason
FROM images i JOIN sources s ON s.id = i.source LEFT JOIN verdicts v ON v.row = i.row
LEFT JOIN groups g ON g.id = i.team LEFT JOIN groups r ON r.id = g.root
"""

#: In the order of the rows, so that each page is read and written once.
_SET_STATE = """
INSERT INTO verdicts SELECT asked.row,
    (SELECT source FROM stretches WHERE first <= asked.row ORDER BY first DESC LIMIT 1), ?, ?
    FROM asked WHERE true
ON CONFLICT (row) DO UPDATE SET state = excluded.state, reason = excluded.reason
"""

_IN_ANOTHER_STATE = """
SELECT COUNT(*) FROM asked LEFT JOIN verdicts v ON v.row = asked.row
WHERE COALESCE(v.state, 'kept') != ?
"""

_SPACE = "(SELECT id FROM spaces WHERE namespace = ?)"
SOURCE = "(SELECT id FROM sources WHERE name = ?)"


class Index:
    """The index of a pool, opened at its first use.

    Threads may share one. A forked process opens it again, as SQLite demands.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INDEX
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._pid = 0

    def create(self) -> None:
        """Make the tables in one transaction, if they are not there."""
        try:
            with closing(sqlite3.connect(self.path, _BUSY_SECONDS, isolation_level=None)) as new:
                new.execute("PRAGMA journal_mode = WAL")
                if new.execute("PRAGMA user_version").fetchone()[0] == 0:
                    new.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
        except sqlite3.Error as error:
            raise _plain_error(self.path, error) from error

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
            self._open = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, on the disk when the block ends and undone if it fails."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # SQLite has ended it itself if the disk is full
                    connection.execute("ROLLBACK")
                raise

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query."""
        with self._connected() as connection:
            return connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first row of a query, or None."""
        with self._connected() as connection:
            return connection.execute(sql, parameters).fetchone()

    def column(self, sql: str, parameters: Sequence[Any] = ()) -> npt.NDArray[np.int64]:
        """Return the only column of a query, of integers."""
        with self._connected() as connection:
            cursor = connection.execute(sql, parameters)
            return np.fromiter((value for (value,) in cursor), np.int64)

    def count(self) -> int:
        """Return the number of images."""
        last = self.one("SELECT MAX(row) FROM images")[0]
        return 0 if last is None else int(last) + 1

    def last_place(self) -> Place | None:
        """Return where the last image is; None if the pool is empty."""
        row = self.one("SELECT shard, start, length FROM images ORDER BY row DESC LIMIT 1")
        return None if row is None else Place(*row)

    def find_digest(self, digest: str) -> tuple[str, str] | None:
        """Return source and origin of the image with this content, or None."""
        sql = "SELECT s.name, origin FROM images i JOIN sources s ON s.id = source WHERE digest = ?"
        found: tuple[str, str] | None = self.one(sql, (bytes.fromhex(digest),))
        return found

    def has(self, digest: str) -> bool:
        """Tell whether there is an image with this content."""
        return self.find_digest(digest) is not None

    def find_place(self, source: str, origin: str) -> tuple[str | None, int] | None:
        """Return stamp and outcome of a place that was read before, or None."""
        sql = f"SELECT stamp, outcome FROM places WHERE source = {SOURCE} AND origin = ?"
        found: tuple[str | None, int] | None = self.one(sql, (source, origin))
        return found

    def fingerprints(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Return all perceptual hashes and their rows."""
        sql = "SELECT row, fingerprint FROM images WHERE fingerprint IS NOT NULL ORDER BY row"
        rows, hashes = self.pairs(sql)
        return hashes.astype(np.uint64), rows

    def records(self, rows: Iterable[int]) -> list[Record]:
        """Return the records of rows, in the order asked for."""
        wanted = [int(row) for row in rows]
        found: dict[int, Record] = {}
        for start in range(0, len(wanted), PAGE_ROWS):
            part = wanted[start : start + PAGE_ROWS]
            marks = ",".join("?" * len(part))
            for values in self.all(f"{_RECORDS} WHERE i.row IN ({marks})", part):
                found[values[0]] = _record(values)
        return [found[row] for row in wanted]

    def page(self, first: int) -> list[Record]:
        """Return the next records from a row on; an empty list at the end."""
        sql = f"{_RECORDS} WHERE i.row >= ? ORDER BY i.row LIMIT {PAGE_ROWS}"
        return [_record(values) for values in self.all(sql, (first,))]

    def places(self, rows: Iterable[int]) -> list[Place]:
        """Return where images are, in the order asked for."""
        sql = "SELECT shard, start, length FROM images WHERE row = ?"
        with self._connected() as connection:
            return [Place(*connection.execute(sql, (int(row),)).fetchone()) for row in rows]

    def not_kept(self, first: int, stop: int) -> npt.NDArray[np.int64]:
        """Return the rows of a range that are in quarantine."""
        sql = "SELECT row FROM verdicts WHERE state != 'kept' AND row >= ? AND row < ?"
        return self.column(sql, (first, stop))

    def set_state(self, rows: Iterable[int], state: str, reason: str | None) -> int:
        """Give images a state and a reason; return how many had another state."""
        with self.transaction() as connection:
            execute = connection.execute
            execute("CREATE TEMP TABLE asked (row INTEGER PRIMARY KEY)")
            asked = ((int(row),) for row in rows)
            connection.executemany("INSERT OR IGNORE INTO asked VALUES (?)", asked)
            (changed,) = execute(_IN_ANOTHER_STATE, (state,)).fetchone()
            if state == KEPT and reason is None:
                execute("DELETE FROM verdicts WHERE row IN (SELECT row FROM asked)")
            else:
                execute(_SET_STATE, (state, reason))
            execute("DROP TABLE asked")
        return int(changed)

    def embedded(self, namespace: str) -> int:
        """Return how many images have embeddings of a network; they are the first of the pool."""
        sql = f"SELECT MAX(row) FROM checksums WHERE space = {_SPACE}"
        last = self.one(sql, (namespace,))[0]
        return 0 if last is None else int(last) + 1

    def spaces(self) -> list[Space]:
        """Return the networks that there are embeddings of, the oldest first."""
        found = self.all("SELECT backbone, namespace, layers FROM spaces ORDER BY id")
        return [Space(name, number, json.loads(layers)) for name, number, layers in found]

    def checksums(self, namespace: str, first: int, stop: int) -> dict[int, int]:
        """Return the checksums of a range of rows of embeddings, by row."""
        sql = "SELECT row, checksum FROM checksums WHERE space = "
        return dict(self.all(f"{sql}{_SPACE} AND row >= ? AND row < ?", (namespace, first, stop)))

    def pairs(self, sql: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the two columns of a query, of integers."""
        with self._connected() as connection:
            pairs = np.fromiter(connection.execute(sql), "i8, i8")
        return pairs["f0"], pairs["f1"]

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Run a block with the open file; errors of SQLite become `PoolError`."""
        with self._lock:
            try:
                if self._open is None or self._pid != os.getpid():
                    self._open, self._pid = _open(self.path), os.getpid()
                    weakref.finalize(self, _close, self._open, self._pid)
                yield self._open
            except sqlite3.Error as error:
                raise _plain_error(self.path, error) from error


def write_checksums(
    connection: sqlite3.Connection, space: Space, first: int, sums: Sequence[int]
) -> None:
    """Write the checksums of rows of embeddings from `first` on, within a transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO spaces (namespace, backbone, layers) VALUES (?, ?, ?)",
        (space.namespace, space.backbone, json.dumps(dict(space.layers))),
    )
    (number,) = connection.execute(f"SELECT {_SPACE}", (space.namespace,)).fetchone()
    connection.executemany(
        "INSERT OR REPLACE INTO checksums (space, row, checksum) VALUES (?, ?, ?)",
        [(number, row, value) for row, value in enumerate(sums, first)],
    )


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise PoolError(f"{path}: the index of the pool is not there.")
    name = path.resolve().as_uri()
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        name += "?mode=rw"
    elif path.with_name(f"{path.name}-wal").exists():
        name += "?mode=ro"
    else:  # nobody can be writing, and SQLite could not make the files that coordinate with them
        name += "?immutable=1"
    connection = sqlite3.connect(
        name, _BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise PoolError(f"{path}: an SQLite file, but not the index of a pool.")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise PoolError(
                f"{path}: the index has version {version}, and this version of outgroup reads "
                f"version {VERSION} only."
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _close(connection: sqlite3.Connection, pid: int) -> None:
    if pid == os.getpid():
        connection.close()


def _plain_error(path: Path, error: sqlite3.Error) -> PoolError:
    text = str(error)
    if "full" in text:
        text = "the disk is full. The pool holds what was committed before"
    elif "readonly" in text:
        text = "can't be written to (read-only)"
    elif "locked" in text:
        text = "another process is writing to it. Try again"
    elif "not a database" in text or "malformed" in text:
        text = f"damaged, or not the index of a pool ({text})"
    return PoolError(f"{path}: {text}.")


def _record(values: Any) -> Record:
    digest, fingerprint, state, reason = values[10:]
    bits = None if fingerprint is None else fingerprint % 2**64
    fields = [*values[:10], digest.hex(), bits, state, reason]
    return Record(*fields)
