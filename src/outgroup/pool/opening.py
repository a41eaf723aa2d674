"""Whatever is given to `Pool.add`, as images with their places."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from outgroup.datasets.walking import walk
from outgroup.errors import InvalidParameterError
from outgroup.pool.incoming import Incoming


def open_source(source: Any, name: str | None = None) -> Iterable[Incoming]:
    """Return the images of a source."""
    if isinstance(source, (str, os.PathLike)):
        if not os.path.isdir(source):
            raise InvalidParameterError(
                f"The 'source' parameter must be a folder or images. Got {source!r} instead."
            )
        return _Folder(os.fspath(source), name)
    if not isinstance(source, Iterable):
        raise InvalidParameterError(
            f"The 'source' parameter must be a folder or images. Got {source!r} instead."
        )
    return source


class _Folder:
    def __init__(self, path: str, name: str | None) -> None:
        self._found = walk(path)
        self._name = name

    def __len__(self) -> int:
        return len(self._found.files)

    def __iter__(self) -> Iterator[Incoming]:
        top = os.path.basename(os.path.abspath(self._found.root))
        for parts in self._found.files:
            path = self._found.path(parts)
            source = self._name or (parts[0] if len(parts) > 1 else top)
            yield Incoming(path, source, path)
