"""The records of a pool: its images, the counts of its sources, and the result of adding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from outgroup.errors import InvalidParameterError
from outgroup.images import ImageSource

#: States of an image. Nothing is learned from an image in quarantine.
KEPT, QUARANTINED = "kept", "quarantined"

#: Row numbers of images.
Rows = Sequence[int] | npt.NDArray[np.integer]


@dataclass(frozen=True)
class Incoming:
    """An image for a pool, not opened yet; it may turn out to be unreadable."""

    image: ImageSource
    source: str  #: the collection, such as the name of a folder
    origin: str  #: path or URL, the same each time; ``!MEMBER`` in an archive
    group: str | None = None  #: images of one group, such as frames of a video, are never split


@dataclass(frozen=True)
class Record:
    """One image of a pool."""

    row: int  #: its number, and its row in the embeddings; never changes
    source: str  #: the collection
    origin: str  #: the path or URL
    group: str | None  #: images of one group, near duplicates too, belong in the same fold
    near: int | None  #: the first row of which this is a near duplicate
    width: int  #: of the original, in pixels, upright
    height: int
    stored_width: int  #: of the stored image
    stored_height: int
    n_bytes: int  #: of the original
    digest: str  #: `outgroup.images.content_digest` of the original
    fingerprint: int | None  #: perceptual hash, 64 bits; None without contrast
    state: str  #: "kept" or "quarantined"
    reason: str | None  #: why, if somebody said so


@dataclass(frozen=True)
class NewImage:
    """An image to be stored; fields as in `Record`, `checksum` is the digest of `jpeg`."""

    source: str
    origin: str
    group: str | None
    width: int
    height: int
    stored_width: int
    stored_height: int
    n_bytes: int
    digest: str
    fingerprint: int | None
    jpeg: bytes
    checksum: str
    stamp: str | None = None

    def description(self, row: int) -> bytes:
        """Return the JSON file that stands beside the image in its shard."""
        names = ("source", "origin", "group", "width", "height", "n_bytes", "digest")
        data = {"row": row, **{name: getattr(self, name) for name in names}}
        data["fingerprint"] = None if self.fingerprint is None else f"{self.fingerprint:016x}"
        return json.dumps(data).encode()


@dataclass(frozen=True)
class Counts:
    """How many images a source gave, by what became of them."""

    kept: int = 0
    quarantined: int = 0
    near_duplicates: int = 0  #: in the pool, of either state
    duplicates: int = 0  #: exact copies; not added
    unreadable: int = 0  #: not added

    @property
    def images(self) -> int:
        """Number of images in the pool."""
        return self.kept + self.quarantined

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(add, astuple(self), astuple(other)))


@dataclass(frozen=True)
class Unreadable:
    """A file that was not added because it can't be decoded, and why."""

    source: str
    origin: str
    reason: str


@dataclass
class Added:
    """The result of adding a source."""

    images: int = 0  #: new images in the pool
    near_duplicates: int = 0  #: of these
    duplicates: int = 0  #: images that the pool has from another place
    there: int = 0  #: images that the pool has from the same place
    n_unreadable: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)  #: the first hundred
    seconds: float = 0.0

    @property
    def seen(self) -> int:
        """Number of images that the source gave."""
        return self.images + self.duplicates + self.there + self.n_unreadable

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return asdict(self)


def invalid(name: str, must: str, got: object) -> InvalidParameterError:
    """Return the error for an invalid argument."""
    return InvalidParameterError(f"Invalid `{name}`: must be {must}, got {got!r}.")


def is_whole(value: object, least: int) -> bool:
    """Tell whether it is a whole number from `least` up, of Python or NumPy."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and value >= least  # type: ignore[operator]
