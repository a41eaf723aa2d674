"""What travels to a worker and back: a few images at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from PIL import Image

from outgroup.backbones import Backbone
from outgroup.embeddings import Embedder
from outgroup.errors import UnreadableImageError
from outgroup.images import ImageSource, content_digest, read_source
from outgroup.pool.engines.base import Row, Stamped
from outgroup.pool.incoming import Incoming
from outgroup.pool.preparing import Prepared, file_stamp, prepare, storable
from outgroup.pool.stored_images import StoredForm

MOST_IMAGES = 16
MOST_BYTES = 16 * 2**20

#: An image to compute, or one that there is nothing to compute of.
Slot: TypeAlias = "Stamped | Prepared"
#: An image with its row, if it could be prepared; None if its file is not where the worker is.
Computed: TypeAlias = "tuple[Prepared, Row | None] | None"


@dataclass(frozen=True)
class Compute:
    """Prepares and embeds the images of a chunk, one after the other.

    Parameters
    ----------
    backbone : Backbone
    form : StoredForm
    """

    backbone: Backbone
    form: StoredForm

    def __call__(self) -> Callable[[list[Slot]], list[Computed]]:
        """Return the function that a worker calls."""
        embedder = Embedder(self.backbone, threads=1, progress=False)
        return lambda slots: [self._computed(embedder, slot) for slot in slots]

    def _computed(self, embedder: Embedder, slot: Slot) -> Computed:
        if isinstance(slot, Prepared):
            return slot, None
        incoming, stamp = slot
        if _is_path(incoming.image) and file_stamp(incoming.image) != stamp:
            return None
        prepared = prepare(incoming, stamp, self.form, _nothing_is_known)
        if prepared.image is None:
            return prepared, None
        table = embedder.embed([prepared.image.jpeg])
        row = np.concatenate([layer[0] for layer in table.layers.values()])
        return prepared, row if table.errors[0] is None else table.errors[0]


class Chunks:
    """Packs images for workers.

    Workers read files themselves where they see the same file as this process; else it is read here
    and sent. What is in memory is hashed here, so that nothing travels that the pool has.

    Parameters
    ----------
    form : StoredForm
    is_known : callable
        As in `Task`.
    """

    def __init__(self, form: StoredForm, is_known: Callable[[str], bool]) -> None:
        self._form = form
        self._is_known = is_known
        #: Whether files are read here, because a worker did not see one.
        self.send_files = False

    def pack(self, images: Iterator[Stamped]) -> Iterator[list[Slot]]:
        """Yield a few images at a time."""
        slots: list[Slot] = []
        n_bytes = 0
        for incoming, stamp in images:
            slot = self._slot(incoming, stamp)
            slots.append(slot)
            n_bytes += 0 if isinstance(slot, Prepared) else image_size(slot[0].image)
            if len(slots) >= MOST_IMAGES or n_bytes >= MOST_BYTES:
                yield slots
                slots, n_bytes = [], 0
        if slots:
            yield slots

    def read_here(self, slots: list[Slot]) -> list[Slot]:
        """Return the slots with files replaced by their bytes, from now on too."""
        self.send_files = True
        return [slot if isinstance(slot, Prepared) else self._slot(*slot) for slot in slots]

    def _slot(self, incoming: Incoming, stamp: str | None) -> Slot:
        image = incoming.image
        if _is_path(image) and stamp is not None and not self.send_files:
            return incoming, stamp
        try:
            data = read_source(image)
            digest = content_digest(data)
        except UnreadableImageError as error:
            return _prepared(incoming, stamp, None, str(error))
        if self._is_known(digest):
            return _prepared(incoming, stamp, digest, None)
        return replace(incoming, image=data), stamp


def _prepared(
    incoming: Incoming, stamp: str | None, digest: str | None, error: str | None
) -> Prepared:
    source, origin = storable(incoming.source), storable(incoming.origin)
    return Prepared(source, origin, stamp, digest, None, error)


def _is_path(image: ImageSource) -> bool:
    return isinstance(image, (str, os.PathLike))


def _nothing_is_known(_digest: str) -> bool:
    return False


def image_size(image: ImageSource) -> int:
    """Return about how many bytes an image takes in memory; 0 for a path."""
    if isinstance(image, Image.Image):
        return 4 * image.width * image.height
    if isinstance(image, np.ndarray):
        return image.nbytes
    return len(image) if isinstance(image, bytes) else 0
