"""Where everything of a pool is, and how files get onto the disk for good."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS = "pool.json"
INDEX = "index.sqlite3"
LOCK = "writer.lock"
WRITER = "writer.json"
SHARDS = "shards"
EMBEDDINGS = "embeddings"

#: Names that a pool which was begun and not finished may consist of.
BEGUN = (
    LOCK,
    WRITER,
    f"{SETTINGS}.new",
    *(f"{INDEX}{suffix}" for suffix in ("", "-journal", "-wal", "-shm")),
)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that after a power cut there is the old one or the new one, and no half."""
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Put the names in a folder onto the disk, where the system has a way to do so."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
