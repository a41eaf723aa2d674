"""An image whose embedding is known already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class EmbeddedImage:
    """An image of a pool: its embedding is there, and the image itself can be had.

    It can stand wherever a path can: as a path it is the place that the image was found at, which
    need not be there any more.

    Parameters
    ----------
    origin : str
        Where it was found.
    digest : str
        The hash of its content, as `outgroup.images.content_digest` gives it.
    namespace : str
        Of which network and preprocessing the embedding is; see `namespace`.
    layers : mapping of str to ndarray of shape (d,), float32
        The embedding.
    load : callable
        Returns the bytes of the image, for another network.

    Examples
    --------
    >>> import os
    >>> image = EmbeddedImage("cars/1.jpg", "5f", "ab", {"last": np.zeros(2, np.float32)}, bytes)
    >>> os.fspath(image)
    'cars/1.jpg'
    """

    origin: str
    digest: str
    namespace: str
    layers: Mapping[str, npt.NDArray[np.float32]] = field(repr=False)
    load: Callable[[], bytes] = field(repr=False)

    def __fspath__(self) -> str:
        return self.origin
