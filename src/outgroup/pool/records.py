"""What a pool knows about its images, and what adding to it came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

#: States of an image. Only what is kept is learned from; what is in quarantine waits for a verdict.
KEPT, QUARANTINED = "kept", "quarantined"
STATES = (KEPT, QUARANTINED)

#: Numbers of images.
Rows = Sequence[int] | npt.NDArray[np.integer]


@dataclass(frozen=True)
class Record:
    """An image of a pool.

    Parameters
    ----------
    row : int
        Its number, and its row in the embeddings; it never changes.
    source : str
        The collection that it is of.
    origin : str
        The path or URL where it was found.
    group : str or None
        Images of one group belong together and are held out together: the group that the source
        gave, behind the source's name, and near duplicates, whatever their source. None for an
        image that belongs to no other.
    near : int or None
        The first image in the pool that this one, which came later, is a near duplicate of.
    width, height : int
        Of the original, upright.
    stored_width, stored_height : int
        Of the image as it is kept.
    n_bytes : int
        Of the original: its file, or its pixels if it was no file.
    digest : str
        `outgroup.images.content_digest` of the original.
    fingerprint : int or None
        The perceptual hash; None for an image without contrast.
    state : str
        "kept" or "quarantined".
    reason : str or None
        Why it is in quarantine; of one that is kept, what somebody said who looked at it.
    """

    row: int
    source: str
    origin: str
    group: str | None
    near: int | None
    width: int
    height: int
    stored_width: int
    stored_height: int
    n_bytes: int
    digest: str
    fingerprint: int | None
    state: str
    reason: str | None


@dataclass(frozen=True)
class Counts:
    """How many images a source gave, and what became of them.

    Parameters
    ----------
    kept, quarantined : int
        Images in the pool, by state.
    near_duplicates : int
        Images in the pool, of either state, that are nearly the same as an earlier one.
    duplicates : int
        Images that are in the pool already, byte for byte or pixel for pixel; not added again.
    unreadable : int
        Files that are no image, or a damaged one; not added.
    """

    kept: int = 0
    quarantined: int = 0
    near_duplicates: int = 0
    duplicates: int = 0
    unreadable: int = 0

    @property
    def images(self) -> int:
        """Images in the pool."""
        return self.kept + self.quarantined

    def __add__(self, other: Counts) -> Counts:
        theirs = asdict(other)
        return Counts(**{name: n + theirs[name] for name, n in asdict(self).items()})


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be added, and why."""

    source: str
    origin: str
    reason: str


@dataclass
class Added:
    """What adding a source came to.

    Parameters
    ----------
    images : int
        Images that are new in the pool.
    near_duplicates : int
        How many of these are nearly the same as an earlier one.
    duplicates : int
        Images that were in the pool already, from another place.
    there : int
        Images that this very place had given before, as when a run is repeated.
    n_unreadable : int
        Files that could not be read.
    unreadable : list of Unreadable
        The first of these; `Pool.unreadable` has all.
    seconds : float
        How long it took.
    """

    images: int = 0
    near_duplicates: int = 0
    duplicates: int = 0
    there: int = 0
    n_unreadable: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def seen(self) -> int:
        """How many images the source gave."""
        return self.images + self.duplicates + self.there + self.n_unreadable

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return asdict(self)
