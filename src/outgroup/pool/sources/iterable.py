"""Images from Python: a list, an array, a generator."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from outgroup.data.folders import IN_MEMORY
from outgroup.data.values import file_name_text
from outgroup.errors import InvalidDataError, InvalidParameterError, PoolSourceError
from outgroup.images import is_one_image
from outgroup.pool.containers._columns import NO_DOWNLOAD, URL
from outgroup.pool.incoming import Incoming
from outgroup.pool.sources._items import origin_of
from outgroup.pool.sources._log import GO_ON, ReadingLog
from outgroup.pool.sources._stored import folder_name
from outgroup.pool.sources.base import SOURCES, PoolSource

FIX = "Give paths, bytes, Pillow images, uint8 arrays, (image, source) pairs or Incoming"
HINTS = {
    Mapping: ", such as (item['image'] for item in items)",
    tuple: ", such as (image for image, _ in items)",
}


@SOURCES.register("iterable")
class IterableSource(PoolSource):
    """Any iterable of images, of pairs (image, source) or of `Incoming`.

    An iterator can be read once; a list, or an object whose ``__iter__`` starts anew, again. An
    image in memory has its hash for an origin, so that it is the same one next time.
    """

    form = "images (in Python)"
    summary = "any iterable of images, of (image, source) pairs or of Incoming"

    def __init__(self, source: Any, name: str | None = None) -> None:
        super().__init__(source, name)
        self._items = source
        self.restartable = not isinstance(source, Iterator)
        self._begun = False

    @classmethod
    def accepts(cls, source: Any) -> bool:
        """Tell whether it can be iterated over and is no path, no single image and no table."""
        if isinstance(source, (str, os.PathLike, bytes, Mapping)) or hasattr(source, "columns"):
            return False
        return isinstance(source, Iterable) and not is_one_image(source)

    def _read(self, log: ReadingLog) -> Iterator[Incoming]:
        if self._begun and not self.restartable:
            raise InvalidParameterError(
                "The 'source' parameter must be a list, or an object whose __iter__ starts anew, "
                "to be read again. Got an iterator instead, which was read already."
            )
        self._begun = True
        number = 0
        items = self._started()
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except Exception as error:
                raise PoolSourceError(
                    f"The iterable broke off after {number:,} images with "
                    f"{type(error).__name__}: {error}. {GO_ON}"
                ) from error
            incoming = self._incoming(item, number, log)
            if incoming is not None:
                yield incoming
            number += 1

    def _started(self) -> Iterator[Any]:
        try:
            return iter(self._items)
        except Exception as error:
            raise PoolSourceError(
                f"The iterable can't be started: {type(error).__name__}: {error}."
            ) from error

    def _incoming(self, item: Any, number: int, log: ReadingLog) -> Incoming | None:
        if isinstance(item, Incoming):
            if self.name is None:
                return item
            return Incoming(item.image, self.name, item.origin, item.group)
        source = None
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], str) and item[1]:
            item, source = item
        source = self.name or source
        if isinstance(item, (bytes, Image.Image, np.ndarray)):
            source = source or IN_MEMORY
            return Incoming(item, source, origin_of(item, source, f"image {number}"))
        if isinstance(item, (str, os.PathLike)):
            path = str(os.fspath(item))
            if URL.match(path):
                log.skip(path, NO_DOWNLOAD)
                return None
            source = source or folder_name(os.path.dirname(path))
            return Incoming(path, source, file_name_text(path))
        hint = next((fix for kind, fix in HINTS.items() if isinstance(item, kind)), "")
        raise InvalidDataError(
            f"Every item must be an image. Item {number:,} is a {type(item).__name__}. {FIX}{hint}."
        )

    def length(self) -> int | None:
        """Return the length of what has one."""
        try:
            return len(self._items)
        except TypeError:
            return None
