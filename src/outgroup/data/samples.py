"""What every loader returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outgroup.errors import InvalidDataError
from outgroup.images import ImageSource

COLUMNS = ("sources", "labels", "groups", "origins")


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was found and not taken.

    Parameters
    ----------
    path : str
        Where it is, as it was reached.
    reason : str
        Why it was not taken, in plain words.
    """

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Images with what is known about them, as parallel columns.

    Parameters
    ----------
    sources : sequence of ImageSource
        Paths, bytes, Pillow images or arrays; none has been opened.
    labels : sequence of str or None
        The class; None means other, none of the classes.
    groups : sequence of str or None
        Images of one burst, video or patient share a group, and are never split apart.
    origins : sequence of str
        Where the image comes from: a folder of negatives, a camera, a site.
    unlabelled : sequence of ImageSource
        Sources of which nobody said what they are. They are in none of the columns, so that
        nothing can take them for others by mistake.
    skipped : sequence of Skipped
        What was found and not taken.

    Raises
    ------
    InvalidDataError
        If the columns differ in length.

    Examples
    --------
    >>> samples = Samples(["a.jpg", "b.jpg"], ["cat", None], [None, None], ["web", "web"])
    >>> len(samples), samples.subset([1]).sources
    (2, ('b.jpg',))
    """

    sources: Sequence[ImageSource]
    labels: Sequence[str | None]
    groups: Sequence[str | None]
    origins: Sequence[str]
    unlabelled: Sequence[ImageSource] = ()
    skipped: Sequence[Skipped] = ()

    def __post_init__(self) -> None:
        for name in (*COLUMNS, "unlabelled", "skipped"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        lengths = {name: len(getattr(self, name)) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{count} {name}" for name, count in lengths.items())
            raise InvalidDataError(f"There must be one of each for an image. Got {listed} instead.")

    def __len__(self) -> int:
        """Return the number of samples; the unlabelled and the skipped don't count."""
        return len(self.sources)

    def subset(self, indices: Iterable[int]) -> Samples:
        """Return the samples at these positions, in this order.

        What was unlabelled or skipped belongs to the loading, not to a sample, and stays behind.
        """
        rows = list(indices)
        return Samples(*([getattr(self, name)[row] for row in rows] for name in COLUMNS))

    @classmethod
    def concatenate(cls, parts: Iterable[Samples]) -> Samples:
        """Return all parts as one, in order, with all that was unlabelled or skipped.

        Examples
        --------
        >>> one = Samples(["a.jpg"], ["cat"], [None], ["web"])
        >>> len(Samples.concatenate([one, one]))
        2
        """
        parts = list(parts)
        names = (*COLUMNS, "unlabelled", "skipped")
        return cls(*([item for part in parts for item in getattr(part, name)] for name in names))
