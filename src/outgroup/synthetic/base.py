"""What every generator of synthetic negatives is, and the registry of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._registry import Registry
from outgroup.errors import InvalidParameterError
from outgroup.synthetic._checks import whole_numbers

Images = NDArray[np.uint8]


class Generator(ABC):
    """Makes images that are none of anybody's classes."""

    name: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str] = ""
    #: Whether it makes them out of the user's own images.
    needs_images: ClassVar[bool] = False

    @abstractmethod
    def draw(
        self, n: int, size: int = 224, *, images: Images | None = None, seed: int = 0
    ) -> Images:
        """Draw images.

        Parameters
        ----------
        n : int
            How many.
        size : int, default=224
            Side in pixels.
        images : ndarray of shape (m, height, width, 3), uint8, or None
            The user's images, no side under `size`; only for those with `needs_images`.
        seed : int, default=0
            Seed of the drawing; the first images are the same for any `n`.

        Returns
        -------
        ndarray of shape (n, size, size, 3), uint8
        """


GENERATORS: Registry[Generator] = Registry("generator", "outgroup.synthetic")


def made_from_nothing() -> list[str]:
    """Return the names of the generators that need no images, sorted.

    Examples
    --------
    >>> made_from_nothing()
    ['gradients', 'noise', 'squares']
    """
    return [name for name, cls in GENERATORS if not cls.needs_images]


def draw(
    n: int,
    size: int = 224,
    *,
    kinds: Sequence[str] | None = None,
    images: Images | None = None,
    seed: int = 0,
) -> tuple[Images, list[str]]:
    """Draw images of several kinds, which take turns.

    Parameters
    ----------
    n : int
        How many images in all.
    size : int, default=224
        Side in pixels.
    kinds : sequence of str or None
        Names of generators; None: those that need no images. What is made of the known images is
        still known to a network that has learned from photographs, and as negatives it does
        harm: with them look-alikes are taken for a known class more often, see docs/negatives.md.
    images : ndarray of shape (m, height, width, 3), uint8, or None
        The user's images, for the kinds that are made out of them; no side under `size`.
    seed : int, default=0
        Seed of the drawing; the first images are the same for any `n`.

    Returns
    -------
    drawn : ndarray of shape (n, size, size, 3), uint8
    names : list of str
        The kind of each.

    Raises
    ------
    InvalidParameterError
        If a number is out of range, or a kind is unknown or needs images and there are none.

    Examples
    --------
    >>> drawn, names = draw(4, size=16)
    >>> drawn.shape, names
    ((4, 16, 16, 3), ['gradients', 'noise', 'squares', 'gradients'])
    """
    whole_numbers(n=(n, 0), size=(size, 1), seed=(seed, 0))
    if kinds is None:
        kinds = made_from_nothing()
    if isinstance(kinds, str) or not kinds:
        raise InvalidParameterError(
            f"The 'kinds' parameter must be a list of names of generators. Got {kinds!r} instead."
        )
    generators = [GENERATORS.get(kind)() for kind in kinds]
    drawn = np.empty((n, size, size, 3), dtype=np.uint8)
    for i, generator in enumerate(generators):
        given: dict[str, Any] = {"images": images} if generator.needs_images else {}
        turns = len(range(i, n, len(generators)))
        drawn[i :: len(generators)] = generator.draw(turns, size, seed=seed, **given)
    return drawn, [kinds[i % len(kinds)] for i in range(n)]
