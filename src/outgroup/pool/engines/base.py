"""What an engine is: it computes, in the order of the source, with a bounded number in work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from outgroup._registry import Registry
from outgroup.backbones import Backbone
from outgroup.embeddings import Embeddings
from outgroup.errors import InvalidParameterError
from outgroup.images import ImageSource
from outgroup.pool.incoming import Incoming
from outgroup.pool.preparing import Prepared
from outgroup.pool.stored_images import StoredForm

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
#: An image, and the stamp of its file; None for what is no file.
Stamped: TypeAlias = "tuple[Incoming, str | None]"
#: The layers of an embedding one after the other, or why there is none.
Row: TypeAlias = "npt.NDArray[np.float32] | str"


@dataclass(frozen=True)
class Task:
    """How images become what a pool keeps of them.

    Parameters
    ----------
    backbone : Backbone
    form : StoredForm
    is_known : callable
        Tells whether an image with this digest is in the pool. Threads may call it at the same
        time. What is known need not be computed, but may be.
    is_new : callable
        Told of each image once, in the order of the source, by the thread that takes the rows; it
        returns whether a row is wanted.
    """

    backbone: Backbone
    form: StoredForm
    is_known: Callable[[str], bool]
    is_new: Callable[[Prepared], bool]


class Streams(Protocol):
    """What embeds a stream of images, as `Embedder.stream` does."""

    def stream(self, sources: Iterable[ImageSource], chunk: int = 256) -> Iterator[Embeddings]:
        """Yield the rows by the chunk, in the order of the sources."""
        ...


class Engine(ABC):
    """Computes what a pool keeps, somewhere.

    An engine may be used for several sources, one after the other; what it starts for that is shut
    down by `close`, or at the end of a ``with``.

    Attributes
    ----------
    summary : str
        A line for the list of what there is.
    """

    summary: ClassVar[str]

    @abstractmethod
    def rows(self, images: Iterator[Stamped], task: Task) -> Generator[Row, None, None]:
        """Prepare and embed images.

        Parameters
        ----------
        images : iterator of (Incoming, str or None)
            Taken one by one, and only so many ahead that all have work.
        task : Task

        Yields
        ------
        ndarray of float32, shape (d,), or str
            For each image that `task.is_new` wanted a row of, in the order of the source: its
            layers one after the other, or why it can't be embedded.

        Raises
        ------
        BackboneError
            If the network fails.
        PoolError
            If what the engine works with fails for good.
        """

    @abstractmethod
    def map(
        self, make: Callable[[], Callable[[Chunk], Result]], chunks: Iterable[Chunk]
    ) -> Iterator[Result]:
        """Apply a function to chunks, and yield what it returns in their order.

        Parameters
        ----------
        make : callable
            Returns the function; called once by each worker, so it is where a model is loaded.
        chunks : iterable
            Taken one by one, and only so many ahead that all have work.

        Raises
        ------
        PoolError
            If what the engine works with fails for good. What the function raises is raised.

        Examples
        --------
        >>> from outgroup.pool.engines import get_engine
        >>> list(get_engine("local").map(lambda: sum, [[1, 2], [3, 4]]))
        [3, 7]
        """

    @abstractmethod
    def embedder(self, backbone: Backbone, threads: int | None = None) -> Streams:
        """Return what embeds streams of images.

        Parameters
        ----------
        backbone : Backbone
        threads : int or None
            Threads of this machine, where it is this one that computes.
        """

    def close(self) -> None:  # noqa: B027
        """Shut down what the engine has started."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


ENGINES: Registry[Engine] = Registry("engine", "outgroup.pool.engines")


def get_engine(engine: str | Engine) -> Engine:
    """Return the engine of a name, or what is one.

    Raises
    ------
    InvalidParameterError
        If there is no such engine.
    MissingExtraError
        If it needs a package that is not installed.

    Examples
    --------
    >>> get_engine("cloud")
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'engine' parameter must be one of 'local', 'ray'. Got
    'cloud' instead.
    """
    if isinstance(engine, Engine):
        return engine
    if not isinstance(engine, str):
        raise InvalidParameterError(
            f"The 'engine' parameter must be a name or an Engine. Got {engine!r} instead."
        )
    return ENGINES.get(engine)()
