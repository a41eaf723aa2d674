"""What is written in one transaction: new images, places that were dealt with."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from outgroup.pool.schema import ADDED
from outgroup.pool.shards import Place


@dataclass(frozen=True)
class NewImage:
    """An image that is ready to be kept; what is not said here is as in `Record`.

    Parameters
    ----------
    jpeg : bytes
        The image as it is kept.
    checksum : str
        `outgroup.images.content_digest` of these bytes.
    stamp : str or None
        What tells cheaply that a file has not changed.
    """

    source: str
    origin: str
    group: str | None
    width: int
    height: int
    stored_width: int
    stored_height: int
    n_bytes: int
    digest: str
    fingerprint: int | None
    jpeg: bytes
    checksum: str
    stamp: str | None = None

    def description(self, row: int) -> bytes:
        """Return what stands beside the image in its shard, for whoever reads it without us."""
        data = {
            "row": row,
            "source": self.source,
            "origin": self.origin,
            "group": self.group,
            "width": self.width,
            "height": self.height,
            "n_bytes": self.n_bytes,
            "digest": self.digest,
            "fingerprint": None if self.fingerprint is None else f"{self.fingerprint:016x}",
        }
        return json.dumps(data).encode()


@dataclass(frozen=True)
class Dealt:
    """A place that gave nothing new, and why; `known` if that was so before."""

    source: str
    origin: str
    stamp: str | None
    outcome: int
    reason: str | None = None
    known: bool = False


@dataclass
class Batch:
    """What waits to be committed.

    Parameters
    ----------
    first : int
        The row that its first image gets.
    """

    first: int
    images: list[tuple[NewImage, Place]] = field(default_factory=list)
    vectors: list[dict[str, npt.NDArray[np.float16]]] = field(default_factory=list)
    dealt: list[Dealt] = field(default_factory=list)
    #: Rows of the batch, and the earlier rows that each is a near duplicate of.
    twins: dict[int, list[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images) + len(self.dealt)

    @property
    def stop(self) -> int:
        """The row behind its last image."""
        return self.first + len(self.images)

    def layers(self) -> dict[str, npt.NDArray[np.float16]]:
        """Return the embeddings by layer, a row an image."""
        return {name: np.stack([row[name] for row in self.vectors]) for name in self.vectors[0]}

    def write(self, connection: sqlite3.Connection) -> None:
        """Write it to the index, within a transaction."""
        sources = _Names(connection)
        for row, (image, place) in enumerate(self.images, self.first):
            source = sources.id(image.source)
            team = _team(connection, image)
            twins = self.twins.get(row, [])
            _insert_image(connection, row, source, team, twins, image, place)
            if twins:
                _join(connection, [*twins, row])
            _insert_place(connection, source, image.origin, image.stamp, ADDED, None)
        for dealt in self.dealt:
            source = sources.id(dealt.source)
            _insert_place(
                connection, source, dealt.origin, dealt.stamp, dealt.outcome, dealt.reason
            )


class _Names:
    """Numbers of sources, made when first asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, int] = {}

    def id(self, name: str) -> int:
        if name not in self._known:
            execute = self._connection.execute
            execute("INSERT OR IGNORE INTO sources (name) VALUES (?)", (name,))
            (found,) = execute("SELECT id FROM sources WHERE name = ?", (name,)).fetchone()
            self._known[name] = int(found)
        return self._known[name]


def _insert_image(
    connection: sqlite3.Connection,
    row: int,
    source: int,
    team: int | None,
    twins: list[int],
    image: NewImage,
    place: Place,
) -> None:
    bits = image.fingerprint
    if bits is not None and bits >= 2**63:  # SQLite's integers have a sign
        bits -= 2**64
    values = (
        row,
        source,
        image.origin,
        team,
        min(twins, default=None),
        image.width,
        image.height,
        image.stored_width,
        image.stored_height,
        image.n_bytes,
        bytes.fromhex(image.digest),
        bits,
        *place,
        bytes.fromhex(image.checksum),
    )
    connection.execute(
        "INSERT INTO images (row, source, origin, team, near, width, height, stored_width, "
        "stored_height, n_bytes, digest, fingerprint, shard, start, length, checksum) "
        f"VALUES ({', '.join('?' * len(values))})",
        values,
    )


def _insert_place(
    connection: sqlite3.Connection,
    source: int,
    origin: str,
    stamp: str | None,
    outcome: int,
    reason: str | None,
) -> None:
    connection.execute(
        "INSERT INTO places (source, origin, stamp, outcome, reason) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (source, origin) DO UPDATE SET stamp = excluded.stamp, "
        "outcome = excluded.outcome, reason = excluded.reason",
        (source, origin, stamp, outcome, reason),
    )


def _team(connection: sqlite3.Connection, image: NewImage) -> int | None:
    """Return the number of the group that the source gave, made if it is new."""
    if image.group is None:
        return None
    return _group(connection, f"{image.source}/{image.group}")


def _group(connection: sqlite3.Connection, name: str) -> int:
    found = connection.execute("SELECT id FROM groups WHERE name = ?", (name,)).fetchone()
    if found is None:
        new = connection.execute("INSERT INTO groups (name, root) VALUES (?, -1)", (name,))
        assert new.lastrowid is not None
        connection.execute("UPDATE groups SET root = id WHERE id = ?", (new.lastrowid,))
        return new.lastrowid
    return int(found[0])


def _join(connection: sqlite3.Connection, rows: list[int]) -> None:
    """Make one group of all the groups that these images are of."""
    marks = ",".join("?" * len(rows))
    roots = connection.execute(
        f"SELECT DISTINCT g.root FROM images i JOIN groups g ON g.id = i.team "
        f"WHERE i.row IN ({marks})",
        rows,
    ).fetchall()
    if roots:
        root = min(number for (number,) in roots)
    else:
        root = _group(connection, f"near duplicates of {min(rows)}")
    for (other,) in roots:
        connection.execute("UPDATE groups SET root = ? WHERE root = ?", (root, other))
    connection.execute(
        f"UPDATE images SET team = ? WHERE team IS NULL AND row IN ({marks})", (root, *rows)
    )
