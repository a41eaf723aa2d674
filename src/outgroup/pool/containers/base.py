"""A file that holds many images, and what it gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar, Protocol

from outgroup._registry import Registry
from outgroup.images import ImageSource


class Log(Protocol):
    """Where a reader notes what it leaves out and what is damaged."""

    def skip(self, path: str, reason: str) -> None:
        """Note something that is not taken."""

    def damaged(self, path: str, reason: str | Exception) -> None:
        """Note a part that can't be read."""


@dataclass(frozen=True)
class StoredFile:
    """A file, wherever it is stored.

    Parameters
    ----------
    path : str
        Where it is, as it was reached; for messages, and the origin of what is in it.
    source : str
        The collection it is of.
    opener : callable
        Returns the file, opened, in binary mode and with `seek`.
    folder : str or None, default=None
        The local folder it is in, which paths in it start from; None where there is none.
    """

    path: str
    source: str
    opener: Callable[[], BinaryIO]
    folder: str | None = None


@dataclass(frozen=True)
class Member:
    """One image of a container.

    Parameters
    ----------
    name : str
        What it is called in there; the same whenever the container is read.
    image : ImageSource
        Its bytes, or the path of a local file that the container names.
    source : str or None, default=None
        The collection it is of, where the container says so.
    group : str or None, default=None
        Images that belong together, where the container says so.
    """

    name: str
    image: ImageSource
    source: str | None = None
    group: str | None = None


class Container(ABC):
    """One format of files that hold images; subclasses are registered in `CONTAINERS`.

    Attributes
    ----------
    suffixes : tuple of str
        The endings of names of such files, in lower case.
    """

    suffixes: ClassVar[tuple[str, ...]]

    @classmethod
    def check(cls) -> None:
        """Raise `MissingExtraError` if the format can't be read for lack of a package."""
        return

    @classmethod
    @abstractmethod
    def read(cls, file: StoredFile, log: Log, column: str | None = None) -> Iterator[Member]:
        """Yield the images of a file one by one, in the order they are stored in.

        Parameters
        ----------
        file : StoredFile
            The file.
        log : Log
            Takes what is left out, and parts that are damaged where those behind can be read.
        column : str or None, default=None
            The column of the images, in formats that have columns.

        Raises
        ------
        Exception
            Of any kind, if the file is damaged and nothing behind the damage can be read.
        InvalidDataError, InvalidParameterError, MissingExtraError
            If it is not damaged and yet can't be read as it is.
        """

    @classmethod
    def length(cls, file: StoredFile) -> int | None:
        """Return how many images there may be, where that is known without reading them."""
        return None


class DamagedError(Exception):
    """A container that is not as it should be; caught where its file is known."""


class DamagedMemberError(DamagedError):
    """One member that is not as it should be, of a container whose others can be read."""


CONTAINERS: Registry[Any] = Registry("container", "outgroup.pool.containers")


def container_for(path: str) -> type[Container] | None:
    """Return the format of a file by the ending of its name; None for a file by itself.

    >>> container_for("photos.TAR.GZ").__name__, container_for("photo.jpg")
    ('TarContainer', None)
    """
    for _name, container in CONTAINERS:
        if path.lower().endswith(container.suffixes):
            found: type[Container] = container
            return found
    return None
