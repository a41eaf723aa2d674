"""A checksum for each row of embeddings, so that a number that has changed is found."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def row_checksums(layers: Mapping[str, npt.NDArray[np.float16]]) -> list[int]:
    """Return the CRC-32 of each row, over the bytes of all layers by their names.

    Parameters
    ----------
    layers : mapping of str to ndarray of float16, shape (n, d)

    Returns
    -------
    list of int, length n

    Examples
    --------
    >>> rows = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.001]], np.float16)
    >>> first, again, changed = row_checksums({"last": rows})
    >>> first == again, first == changed
    (True, False)
    """
    parts = [np.ascontiguousarray(layers[name], "<f2") for name in sorted(layers)]
    sums = [0] * len(parts[0])
    for part in parts:
        for i, row in enumerate(part):
            sums[i] = zlib.crc32(row, sums[i])
    return sums


def write_checksums(
    connection: sqlite3.Connection, namespace: str, first: int, sums: Sequence[int]
) -> None:
    """Keep the checksums of rows from a first one on, within a transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
    namespace : str
        Which network's embeddings they are of.
    first : int
    sums : sequence of int
    """
    connection.execute("INSERT OR IGNORE INTO spaces (namespace) VALUES (?)", (namespace,))
    (space,) = connection.execute(
        "SELECT id FROM spaces WHERE namespace = ?", (namespace,)
    ).fetchone()
    connection.executemany(
        "INSERT OR REPLACE INTO checksums (space, row, checksum) VALUES (?, ?, ?)",
        [(space, row, value) for row, value in enumerate(sums, first)],
    )
