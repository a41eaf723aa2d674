"""Tar archives, plain or compressed, and the shards of WebDataset, which are the same."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

from outgroup.errors import InvalidParameterError
from outgroup.pool.containers._members import members
from outgroup.pool.containers._tar_stream import tar_entries
from outgroup.pool.containers.base import CONTAINERS, Container, Log, Member, StoredFile


def _open_zstd(file: BinaryIO) -> Any:
    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError as error:
        raise InvalidParameterError(
            "A tar archive compressed with zstd can be read with Python 3.14 or newer. Decompress "
            "it first: zstd -d FILE.tar.zst"
        ) from error
    return zstd.open(file, "rb")


#: How a compressed file begins, and what opens it. All of them raise if it is cut off.
COMPRESSIONS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": _open_zstd,
}


@CONTAINERS.register("tar")
class TarContainer(Container):
    """A tar archive; it may be compressed, which is told by its first bytes."""

    suffixes = (*(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst"),)

    @classmethod
    def read(cls, file: StoredFile, log: Log, column: str | None = None) -> Iterator[Member]:
        """Yield the images among the members, from the first to the last."""
        with ExitStack() as stack:
            stored = stack.enter_context(file.opener())
            start = stored.read(6)
            stored.seek(0)
            stream = stored
            for signature, opened in COMPRESSIONS.items():
                if start.startswith(signature):
                    stream = stack.enter_context(cast(BinaryIO, opened(stored)))
            yield from members(tar_entries(stream), file.path, log)
