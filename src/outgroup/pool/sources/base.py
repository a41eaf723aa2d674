"""What a source is: images from one place, one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from outgroup._registry import Registry
from outgroup.data import Skipped
from outgroup.errors import InvalidParameterError
from outgroup.pool.incoming import Incoming
from outgroup.pool.sources._log import ReadingLog


class PoolSource(ABC):
    """Images from one place, in the same order each time, with no more than a few in memory.

    Nothing is read before the first image is asked for. A subclass registers itself in `SOURCES`
    and is found by `accepts`; no two of them accept the same thing.

    Parameters
    ----------
    source : object
        What to read.
    name : str or None, default=None
        The source of all its images; None for what they say themselves, such as the folder they are
        in.

    Attributes
    ----------
    form, summary : str
        What to write to open one, and what it is; a line each for the list of what there is.
    restartable : bool
        Whether it can be read again from the start.

    Raises
    ------
    InvalidParameterError
        If there is nothing of that name.
    """

    form: ClassVar[str]
    summary: ClassVar[str]
    restartable: bool = True

    def __init__(self, source: Any, name: str | None = None) -> None:
        if name is not None and not (isinstance(name, str) and name.strip()):
            raise InvalidParameterError(
                f"The 'name' parameter must be a text that is not empty, or None. Got {name!r} "
                "instead."
            )
        self.name = name
        self._log = ReadingLog(self._title(source))

    @classmethod
    @abstractmethod
    def accepts(cls, source: Any) -> bool:
        """Tell whether this is the kind of source that `source` is, without reading anything."""

    @abstractmethod
    def _read(self, log: ReadingLog) -> Iterator[Incoming]:
        """Yield the images, and note in the log what is left out or damaged."""

    def __iter__(self) -> Iterator[Incoming]:
        """Yield the images.

        Raises
        ------
        PoolSourceError
            If a part of it is damaged: at the end, with all that could be read given before.
        InvalidDataError
            If there is no image, or something else where images should be.
        MissingExtraError
            If reading it needs a package that is not there.
        """
        log = self._log = ReadingLog(self._log.name)
        for incoming in self._read(log):
            log.give()
            yield incoming
        log.finish()

    def length(self) -> int | None:
        """Return how many images there may be, where that is known without reading them.

        It is for a progress bar: what is skipped or unreadable counts too.
        """
        return None

    @property
    def skipped(self) -> Sequence[Skipped]:
        """What was found and not taken so far: the first hundred, each with its reason."""
        return tuple(self._log.skipped)

    @property
    def skipped_reasons(self) -> Counter[str]:
        """How many were not taken so far, by reason."""
        return Counter(self._log.reasons)

    @property
    def n_skipped(self) -> int:
        """How many were found and not taken so far."""
        return self._log.reasons.total()

    @staticmethod
    def _title(source: Any) -> str:
        return (
            str(source)
            if hasattr(source, "__fspath__") or isinstance(source, str)
            else "the iterable"
        )


SOURCES: Registry[PoolSource] = Registry("source", "outgroup.pool.sources")
