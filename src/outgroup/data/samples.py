"""`Samples`: images with their labels, groups and origins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from outgroup.errors import InvalidDataError
from outgroup.images import ImageSource

COLUMNS = ("sources", "labels", "groups", "origins")


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was found but not used."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Images and what is known about them, as columns of equal length.

    Parameters
    ----------
    labels : sequence of str or None
        The class; None for other, that is none of the classes.
    groups : sequence of str or None
        Images of one burst, video or patient share a group, which is never split.
    origins : sequence of str
        Where the image comes from: a folder of negatives, a camera, a site.
    unlabelled : sequence of ImageSource
        Images whose class nobody knows. They are in none of the columns, so that they can't be
        mistaken for other.
    """

    sources: Sequence[ImageSource]
    labels: Sequence[str | None]
    groups: Sequence[str | None]
    origins: Sequence[str]
    unlabelled: Sequence[ImageSource] = ()
    skipped: Sequence[Skipped] = ()

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, tuple(getattr(self, field.name)))
        require_equal_lengths({name: getattr(self, name) for name in COLUMNS})

    def __len__(self) -> int:
        """Return the number of samples, without the unlabelled and the skipped."""
        return len(self.sources)

    def subset(self, indices: Iterable[int]) -> Samples:
        """Return the samples at these positions, without anything unlabelled or skipped."""
        rows = list(indices)
        return Samples(*([getattr(self, name)[row] for row in rows] for name in COLUMNS))

    @classmethod
    def concatenate(cls, parts: Iterable[Samples]) -> Samples:
        """Return all parts as one, in order, with everything unlabelled or skipped."""
        parts = list(parts)
        names = [field.name for field in fields(cls)]
        return cls(*([item for part in parts for item in getattr(part, name)] for name in names))


def require_equal_lengths(columns: Mapping[str, Sequence[object]]) -> None:
    """Raise `InvalidDataError` unless all columns have one length."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise InvalidDataError(f"There must be one of each for every image, got {listed}.")


def path_of(source: ImageSource) -> str | None:
    """Return the path of an image as it was given, None for an image in memory."""
    return str(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else None
