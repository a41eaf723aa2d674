"""Indexes of earlier versions: read as they are, and made into the present one by the first writer.

Version 1 had verdicts in the rows of the images, and no checksums of embeddings. Its columns stay,
as rewriting a large table takes long, and hold nothing that is read. Versions 1 and 2 did not keep
which stretches of rows are of one source.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from outgroup.pool.schema import COUNTED, JUDGED, STRETCHED, STRETCHES_OF_IMAGES, VERSION

#: What makes an index of a version one of the next.
_TO_NEXT = {
    1: f"""
{JUDGED}
INSERT INTO verdicts SELECT row, source, state, reason FROM images
    WHERE state != 'kept' OR reason IS NOT NULL;
DROP TRIGGER image_comes;
DROP TRIGGER image_changes;
DROP INDEX images_not_kept;
{COUNTED}
""",
    2: f"""
{STRETCHED}
INSERT INTO stretches (first, source) {STRETCHES_OF_IMAGES};
""",
}

#: What later versions have and an index of a version has not, for queries; needs no right to write.
_AS_NEXT = {
    1: """
CREATE TEMP VIEW verdicts AS SELECT row, source, state, reason FROM images
    WHERE state != 'kept' OR reason IS NOT NULL;
CREATE TEMP TABLE spaces (id INTEGER, namespace TEXT, backbone TEXT, layers TEXT);
CREATE TEMP TABLE checksums (space INTEGER, row INTEGER, checksum INTEGER);
""",
    2: f"CREATE TEMP VIEW stretches AS {STRETCHES_OF_IMAGES};",
}
_AS_IT_IS = """
DROP VIEW IF EXISTS temp.verdicts;
DROP TABLE IF EXISTS temp.spaces;
DROP TABLE IF EXISTS temp.checksums;
DROP VIEW IF EXISTS temp.stretches;
"""


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of an index.

    >>> version_of(sqlite3.connect(":memory:"))
    0
    """
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def read_as_present(connection: sqlite3.Connection) -> None:
    """Let an index of an earlier version look like one of the present to those who read it."""
    for version in range(version_of(connection), VERSION):
        _run(connection, _AS_NEXT[version])


def read_as_it_is(connection: sqlite3.Connection) -> None:
    """Undo `read_as_present`."""
    _run(connection, _AS_IT_IS)


def upgrade(connection: sqlite3.Connection) -> None:
    """Make an index of an earlier version one of the present, within a transaction.

    Nothing is done if another process has done it.
    """
    read_as_it_is(connection)
    for version in range(version_of(connection), VERSION):
        _run(connection, _TO_NEXT[version])
        connection.execute(f"PRAGMA user_version = {version + 1}")


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Run statements one by one: `executescript` would end the transaction."""
    for statement in _statements(script):
        connection.execute(statement)


def _statements(script: str) -> Iterator[str]:
    lines: list[str] = []
    for line in script.splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines)
            lines = []
