"""A checksum for each row of embeddings, so that a number that has changed is found.

They also say which rows there are: the files may be longer, after a run that was killed.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from outgroup.backbones import Backbone
from outgroup.embeddings import namespace


class Space(NamedTuple):
    """Which embeddings: the spec of the network, what stands for all of it, and its layers."""

    backbone: str
    namespace: str
    layers: Mapping[str, int]

    @classmethod
    def of(cls, network: Backbone) -> Space:
        """Return that of a network."""
        return cls(network.name, namespace(network), dict(network.layers))


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
    connection: sqlite3.Connection, space: Space, first: int, sums: Sequence[int]
) -> None:
    """Keep the checksums of rows from a first one on, within a transaction.

    Parameters
    ----------
    connection : sqlite3.Connection
    space : Space
        Which network's embeddings they are of.
    first : int
    sums : sequence of int
    """
    connection.execute(
        "INSERT OR IGNORE INTO spaces (namespace, backbone, layers) VALUES (?, ?, ?)",
        (space.namespace, space.backbone, json.dumps(dict(space.layers))),
    )
    (number,) = connection.execute(
        "SELECT id FROM spaces WHERE namespace = ?", (space.namespace,)
    ).fetchone()
    connection.executemany(
        "INSERT OR REPLACE INTO checksums (space, row, checksum) VALUES (?, ?, ?)",
        [(number, row, value) for row, value in enumerate(sums, first)],
    )
