"""The interface of a generator of synthetic negatives, and what all generators share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._registry import Registry
from outgroup.errors import InvalidParameterError

Images = NDArray[np.uint8]


class Generator(ABC):
    """Draw images that belong to none of the classes."""

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str] = ""
    #: Whether it makes them from the user's images.
    needs_images: ClassVar[bool] = False

    @abstractmethod
    def draw(
        self, n: int, size: int = 224, *, images: Images | None = None, seed: int = 0
    ) -> Images:
        """Draw `n` square images, (n, size, size, 3), uint8.

        The first images of a seed do not depend on `n`. `images`, (m, height, width, 3), are the
        user's, no side below `size`; read if `needs_images`.
        """


GENERATORS: Registry[Generator] = Registry("generator", "outgroup.synthetic")


def made_from_nothing() -> list[str]:
    """Return the names of the generators that need no images, sorted."""
    return [name for name, cls in GENERATORS if not cls.needs_images]


def draw(
    n: int,
    size: int = 224,
    *,
    kinds: Sequence[str] | None = None,
    images: Images | None = None,
    seed: int = 0,
) -> tuple[Images, list[str]]:
    """Draw images of several kinds in turn; return them, (n, size, size, 3), and the kind of each.

    None as `kinds` is all that need no images: to a network trained on photographs, an image made
    from a known image still looks known, so as a negative it does harm. Other kinds are made from
    `images`.
    """
    whole_numbers(n=(n, 0), size=(size, 1), seed=(seed, 0))
    if kinds is None:
        kinds = made_from_nothing()
    if isinstance(kinds, str) or not kinds:
        raise InvalidParameterError(
            f"Invalid `kinds`: must be a list of names of generators, got {kinds!r}."
        )
    generators = [GENERATORS.get(kind)() for kind in kinds]
    drawn = np.empty((n, size, size, 3), dtype=np.uint8)
    for i, generator in enumerate(generators):
        turns = len(range(i, n, len(generators)))
        drawn[i :: len(generators)] = generator.draw(turns, size, images=images, seed=seed)
    return drawn, [kinds[i % len(kinds)] for i in range(n)]


class Stream:
    """A stream of random bytes that is the same on every machine.

    Every image takes the same number of bytes, whether images are drawn at once or one by one.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.SFC64(seed)

    def take(self, n: int, each: int) -> NDArray[np.uint8]:
        """Return (n, each) bytes."""
        words = -(-each // 8)
        raw = self._bits.random_raw(n * words).astype("<u8", copy=False)
        return raw.view(np.uint8).reshape(n, 8 * words)[:, :each]

    def numbers(self, n: int, each: int) -> NDArray[np.float64]:
        """Return (n, each) numbers in [0, 1)."""
        words = self._bits.random_raw(n * each).reshape(n, each)
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def blocks(n: int, most: int) -> Iterator[slice]:
    """Yield slices of at most `most` that cover ``range(n)``."""
    for start in range(0, n, most):
        yield slice(start, min(start + most, n))


def whole_numbers(**numbers: tuple[object, int]) -> None:
    """Raise unless each value, given with its least value, is a whole number."""
    for name, (value, least) in numbers.items():
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < least:  # type: ignore[operator]
            raise InvalidParameterError(
                f"Invalid `{name}`: must be a whole number from {least} up, got {value!r}."
            )
