"""Keep a built graph on disk, and trust the disk for nothing.

The name of a file holds the checksum of its contents, so a damaged or half-written file is simply
not the file that is looked for. It is written to a temporary name and renamed: two processes that
build at once write the same file twice.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def stored_graph(folder: Path, key: str, build: Callable[[], bytes]) -> bytes:
    """Return the graph stored as `key`, built and stored first where that is needed.

    A folder that can't be read or written costs the time to build, and nothing else.

    Parameters
    ----------
    folder : Path
        Where graphs are kept; made if missing.
    key : str
        What the graph is made from, as part of a file name.
    build : callable
        Returns the serialised graph.

    Returns
    -------
    bytes
    """
    graph = _read(folder, key)
    if graph is None:
        graph = build()
        with suppress(OSError):
            _write(folder, key, graph)
    return graph


def _checksum(graph: bytes) -> str:
    return hashlib.sha256(graph).hexdigest()[:32]


def _read(folder: Path, key: str) -> bytes | None:
    with suppress(OSError):
        for path in sorted(folder.glob(f"{key}-*.onnx")):
            graph = path.read_bytes()
            if path.stem == f"{key}-{_checksum(graph)}":
                return graph
    return None


def _write(folder: Path, key: str, graph: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{key}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(graph)
        os.replace(temporary, folder / f"{key}-{_checksum(graph)}.onnx")
    except BaseException:
        os.unlink(temporary)
        raise
