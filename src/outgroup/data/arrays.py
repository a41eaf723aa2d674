"""Images and labels that are in Python already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from outgroup.data.folders import IN_MEMORY
from outgroup.data.samples import Samples
from outgroup.data.tables import Row, samples_from_rows
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource


def from_arrays(
    images: Iterable[ImageSource] | npt.NDArray[Any],
    labels: Iterable[object],
    groups: Iterable[object] | None = None,
    sources: Iterable[object] | None = None,
) -> Samples:
    """Return images with their labels.

    Parameters
    ----------
    images : iterable of ImageSource, or numpy.ndarray
        Paths, bytes, Pillow images or arrays; or one array of shape (n, height, width) or
        (n, height, width, channels).
    labels : iterable of object
        n labels: text or numbers. None, and empty text, mean other; NaN that the image is
        unlabelled.
    groups : iterable of object or None
        n groups, text or numbers; None and NaN for images of no group.
    sources : iterable of object or None
        n origins, text or numbers.

    Returns
    -------
    Samples
        In the order given. The origin is "memory" where none is given.

    Raises
    ------
    InvalidParameterError
        If `images` is a single path or image.
    InvalidDataError
        If the lengths differ, there is no image, or a label is neither text nor a number.

    Examples
    --------
    >>> from_arrays(["1.jpg", "2.jpg", "3.jpg"], [7, None, 8.0]).labels
    ('7', None, '8')
    """
    if isinstance(images, (str, bytes)) or not np.iterable(images):
        raise InvalidParameterError(
            "The 'images' parameter must be a sequence of images. "
            f"Got a single {type(images).__name__} instead."
        )
    columns: dict[str, list[Any]] = {"images": list(images), "labels": list(labels)}
    for name, column in (("groups", groups), ("sources", sources)):
        columns[name] = [None] * len(columns["images"]) if column is None else list(column)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise InvalidDataError(f"There must be one of each for an image. Got {listed} instead.")
    rows = (Row(f"row {i}", *cells) for i, cells in enumerate(zip(*columns.values(), strict=True)))
    return samples_from_rows(rows, root=None, origin=IN_MEMORY)
