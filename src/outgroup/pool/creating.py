"""A new pool: an empty index, and settings."""

from __future__ import annotations

from pathlib import Path

from outgroup.errors import PoolError
from outgroup.pool import files
from outgroup.pool.index import Index
from outgroup.pool.lock import WriterLock
from outgroup.pool.settings import Settings


def make_pool(folder: Path, settings: Settings) -> None:
    """Make a pool. Its settings come last, so that one that was not finished is begun again.

    Raises
    ------
    PoolError
        If the folder is not empty or can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if foreign := sorted({path.name for path in folder.iterdir()} - set(files.BEGUN)):
            raise PoolError(
                f"{folder}: neither an empty folder nor a pool; there is {foreign[0]} in it."
            )
        with WriterLock(folder):
            Index(folder).create()
            settings.write(folder)
    except OSError as error:
        raise PoolError(f"{folder}: can't be written to ({error.strerror}).") from error
