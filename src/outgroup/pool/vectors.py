"""Embeddings on disk: one .npy file a layer that grows, and is a valid one all the time."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from outgroup.errors import PoolError
from outgroup.pool.files import fsync_folder

_HEADER = 128
_BYTES = 2
_LARGEST = float(np.finfo(np.float16).max)


def to_half(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Return vectors as they are kept; what float16 can't hold becomes the largest it can.

    >>> to_half(np.array([1.0, -1e9], np.float32)).tolist()
    [1.0, -65504.0]
    """
    return np.clip(vectors, -_LARGEST, _LARGEST).astype("<f2")


class VectorFile:
    """A matrix of float16 in NumPy's format, to which rows are appended.

    The header has a fixed length and is written after the rows, so whoever opens the file with
    ``np.load(path, mmap_mode="r")`` sees whole rows only. Rows are read with plain file reads:
    pages of a memory map would count as this process's memory.

    Parameters
    ----------
    path : Path
    dim : int
        Numbers in a row.

    Examples
    --------
    >>> import tempfile
    >>> file = VectorFile(Path(tempfile.mkdtemp()) / "last.npy", 3)
    >>> file.recover(0)
    >>> file.append(0, np.ones((2, 3), np.float16))
    >>> file.publish(2)
    >>> np.load(file.path).shape, file.read(np.array([1])).tolist()
    ((2, 3), [[1.0, 1.0, 1.0]])
    """

    def __init__(self, path: Path, dim: int) -> None:
        self.path = path
        self.dim = dim

    @property
    def row_bytes(self) -> int:
        """Bytes that a row takes."""
        return self.dim * _BYTES

    def append(self, n_before: int, rows: npt.NDArray[np.float16]) -> None:
        """Write rows behind the first `n_before`, onto the disk itself; the header stays."""
        with open(self.path, "r+b") as file:
            file.seek(self._end(n_before))
            file.write(np.ascontiguousarray(rows, "<f2").tobytes())
            file.flush()
            os.fsync(file.fileno())

    def publish(self, n: int) -> None:
        """Let the header say that there are `n` rows."""
        with open(self.path, "r+b") as file:
            file.write(self.header(n))

    def recover(self, n: int) -> None:
        """Make the file one of exactly `n` rows, dropping what was written behind them.

        Raises
        ------
        PoolError
            If it has fewer.
        """
        if not self.path.exists() and n == 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(self.header(0))
            fsync_folder(self.path.parent)
        self.check(n)
        with open(self.path, "r+b") as file:
            file.truncate(self._end(n))
            file.write(self.header(n))

    def check(self, n: int) -> None:
        """Check that the file holds at least `n` rows of this layer.

        Raises
        ------
        PoolError
            If it does not.
        """
        there = self.rows()
        if there < n:
            raise PoolError(f"{self.path}: it holds {there:,} of the {n:,} embeddings.")

    def rows(self) -> int:
        """Return how many whole rows the file holds, whatever its header says.

        Raises
        ------
        PoolError
            If it can't be read.
        """
        try:
            size = self.path.stat().st_size
        except OSError as error:
            raise PoolError(f"{self.path}: can't be read ({error.strerror}).") from error
        return max(0, size - _HEADER) // self.row_bytes

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return rows in the order asked for.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            Row numbers, in any order.

        Returns
        -------
        ndarray of float32, shape (n, dim)

        Raises
        ------
        PoolError
            If the file can't be read that far.
        """
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        out = np.empty((len(rows), self.dim), np.float32)
        ends = np.flatnonzero(np.diff(ordered) != 1) + 1
        try:
            with open(self.path, "rb", buffering=0) as file:
                for part in np.split(np.arange(len(rows)), ends):
                    if len(part):
                        out[order[part]] = self._read_run(file, int(ordered[part[0]]), len(part))
        except OSError as error:
            raise PoolError(f"{self.path}: can't be read ({error.strerror}).") from error
        return out

    def run(self, first: int, count: int) -> npt.NDArray[np.float16]:
        """Return rows that stand one behind the other, as they are kept.

        Raises
        ------
        PoolError
            If the file can't be read that far.
        """
        try:
            with open(self.path, "rb", buffering=0) as file:
                return self._read_run(file, first, count)
        except OSError as error:
            raise PoolError(f"{self.path}: can't be read ({error.strerror}).") from error

    def mapped(self, n: int) -> npt.NDArray[np.float16]:
        """Return the first `n` rows as a memory map, of which what is looked at is read.

        Raises
        ------
        PoolError
            If the file holds fewer.
        """
        self.check(n)
        if n == 0:
            return np.empty((0, self.dim), np.float16)
        return np.memmap(self.path, "<f2", "r", _HEADER, (n, self.dim))

    def header(self, n: int) -> bytes:
        """Return the header of a file of `n` rows (numpy.lib.format, version 1.0)."""
        shape = f"({n}, {self.dim}), }}"
        text = "{'descr': '<f2', 'fortran_order': False, 'shape': " + shape
        start = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
        return start + text.encode().ljust(_HEADER - 11) + b"\n"

    def _read_run(self, file: object, first: int, count: int) -> npt.NDArray[np.float16]:
        file.seek(self._end(first))  # type: ignore[attr-defined]
        values = np.fromfile(file, "<f2", count * self.dim)  # type: ignore[call-overload]
        if len(values) < count * self.dim:
            raise PoolError(
                f"{self.path}: it ends before row {first + count:,}. `outgroup pool verify` says "
                "what is damaged."
            )
        return np.asarray(values.reshape(count, self.dim))

    def _end(self, n: int) -> int:
        return _HEADER + n * self.row_bytes
