"""The images of a pool in plain tar files, as WebDataset has them: KEY.json and KEY.jpg each."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import NamedTuple

from outgroup.errors import PoolError
from outgroup.pool.files import fsync_folder

BLOCK = 512
#: Two empty blocks end a tar file. They are overwritten by what comes next.
END = bytes(2 * BLOCK)
#: A shard that has grown to this size is followed by another.
SHARD_BYTES = 2**28


class Place(NamedTuple):
    """Where the bytes of an image are: number of the shard, first byte, how many."""

    shard: int
    start: int
    length: int

    @property
    def end(self) -> int:
        """The first byte behind the member, where the next one begins."""
        return self.start + _padded(self.length)


def sample_key(row: int) -> str:
    """Return the name that the two files of a sample share.

    >>> sample_key(12)
    '000000012'
    """
    return f"{row:09d}"


class Shards:
    """The tar files of a pool: members are collected, then written at once.

    What is in them depends on the images and their order only, not on when they were written: no
    member has a date, and a shard is full at a size, whenever it gets there.

    Parameters
    ----------
    folder : Path
        Where the shards are.
    shard_bytes : int
        Size at which the next shard is begun.
    """

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = folder
        self._shard_bytes = shard_bytes
        self._shard, self._end = 0, 0
        self._pending: dict[int, tuple[int, list[bytes]]] = {}

    def path(self, shard: int) -> Path:
        """Return the path of a shard."""
        return self.folder / f"{shard:06d}.tar"

    def add(self, key: str, jpeg: bytes, description: bytes) -> Place:
        """Collect a sample; `write` writes it."""
        if self._end >= self._shard_bytes:
            self._shard, self._end = self._shard + 1, 0
        members = [_member(f"{key}.json", description), _member(f"{key}.jpg", jpeg)]
        _, parts = self._pending.setdefault(self._shard, (self._end, []))
        parts += members
        start = self._end + len(members[0]) + BLOCK
        self._end += sum(map(len, members))
        return Place(self._shard, start, len(jpeg))

    def write(self) -> None:
        """Write what was collected, onto the disk itself."""
        for shard, (start, parts) in self._pending.items():
            path = self.path(shard)
            is_new = not path.exists()
            with open(path, "w+b" if is_new else "r+b") as file:
                file.seek(start)
                file.write(b"".join([*parts, END]))
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                fsync_folder(self.folder)
        self._pending.clear()

    def recover(self, last: Place | None) -> None:
        """Drop whatever is behind the last image that the index names.

        Raises
        ------
        PoolError
            If that image is not there in full.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._pending.clear()
        self._shard, self._end = (last.shard, last.end) if last else (0, 0)
        for path in self.folder.glob("*.tar"):
            if path.stem.isdigit() and (last is None or int(path.stem) > last.shard):
                path.unlink()
        if last is None:
            return
        path = self.path(last.shard)
        size = path.stat().st_size if path.exists() else 0
        if size < last.start + last.length:
            raise PoolError(
                f"{path}: it is shorter than the index says. `outgroup pool verify` says what is "
                "damaged; nothing is written to a pool that is."
            )
        if not self.is_closed(last):
            with open(path, "r+b") as file:
                file.truncate(last.end)
                file.seek(last.end)
                file.write(END)

    def is_closed(self, last: Place) -> bool:
        """Tell whether a shard ends right behind its last image, as a tar file should."""
        with open(self.path(last.shard), "rb") as file:
            file.seek(last.end)
            return file.read(len(END) + 1) == END

    def read(self, place: Place) -> bytes:
        """Return the bytes of an image.

        Raises
        ------
        PoolError
            If they are not there.
        """
        path = self.path(place.shard)
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(place.start)
                data = file.read(place.length)
        except OSError as error:
            raise PoolError(f"{path}: can't be read ({error.strerror}).") from error
        if len(data) < place.length:
            raise PoolError(
                f"{path}: it is shorter than the index says. `outgroup pool verify` says what is "
                "damaged."
            )
        return data


def _padded(length: int) -> int:
    return -(-length // BLOCK) * BLOCK


def _member(name: str, data: bytes) -> bytes:
    """Return a file of a tar archive: a block with its name, the data, zeros to a whole block."""
    info = tarfile.TarInfo(name)  # no date, nobody's file
    info.size = len(data)
    return info.tobuf(tarfile.USTAR_FORMAT) + data.ljust(_padded(len(data)), b"\0")
