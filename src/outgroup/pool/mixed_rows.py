"""Negatives in the shape of the batch they are added to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from outgroup.errors import InvalidDataError
from outgroup.images.arrays import image_from_array
from outgroup.pool import arrays

LAYOUTS = ("NHWC", "NCHW")

#: Takes uint8 images (n, height, width, channels), returns what a batch has in their place.
Transform = Callable[[NDArray[np.uint8]], Any]


class Fitting:
    """Brings negatives to the size, layout, scale and type of a batch.

    Parameters
    ----------
    layout : {"NHWC", "NCHW"} or None
        Where the channels of a batch are; None: where there are one or three, and if both ends
        have so many, last for NumPy and first for PyTorch.
    transform : callable or None
        See `Transform`. None for batches of uint8, and of floats from 0 to 1.
    """

    def __init__(self, layout: str | None, transform: Transform | None) -> None:
        self._layout = layout
        self._transform = transform
        self._scale_known = False

    def rows(self, negatives: NDArray[Any] | Sequence[NDArray[Any]], batch: Any) -> NDArray[Any]:
        """Return (k, ...) rows for k negatives and a batch (n, ...).

        Raises
        ------
        InvalidDataError
            If they don't fit and can't be made to.
        """
        shape = tuple(batch.shape[1:])
        same = isinstance(negatives, np.ndarray) and negatives.shape[1:] == shape
        if same and self._transform is None:
            assert isinstance(negatives, np.ndarray)
            if arrays.is_uint8(negatives) == arrays.is_uint8(batch):
                return negatives
        if len(shape) != 3:
            raise InvalidDataError(
                f"A batch of shape {tuple(batch.shape)} needs negatives of the same row shape "
                f"{shape}. Got {_told(negatives)}. For a batch of embeddings give embeddings by "
                "the same backbone; only images are resized."
            )
        channels_last = self._channels_last(shape, batch)
        height, width, channels = shape if channels_last else (*shape[1:], shape[0])
        images = _resized(negatives, height, width, channels)
        values = self._scaled(images, batch)
        if values.shape == images.shape:
            values = values if channels_last else values.transpose(0, 3, 1, 2)
        if values.shape != (len(images), *shape):
            raise InvalidDataError(
                f"'transform' must return the shape it was given, {images.shape}, or the batch's, "
                f"{(len(images), *shape)}. Got {values.shape}."
            )
        return values

    def _channels_last(self, shape: tuple[int, ...], batch: Any) -> bool:
        if self._layout is not None:
            channels = shape[-1] if self._layout == "NHWC" else shape[0]
            if channels in (1, 3):
                return self._layout == "NHWC"
        elif shape[-1] in (1, 3) or shape[0] in (1, 3):
            both = shape[-1] in (1, 3) and shape[0] in (1, 3)
            return not arrays.is_tensor(batch) if both else shape[-1] in (1, 3)
        raise InvalidDataError(
            f"A batch of images must have one or three channels. Got shape {tuple(batch.shape)}"
            + (f" with layout={self._layout!r}." if self._layout else ".")
        )

    def _scaled(self, images: NDArray[np.uint8], batch: Any) -> NDArray[Any]:
        if self._transform is not None:
            return np.asarray(self._transform(images))
        if arrays.is_uint8(batch):
            return images
        if not self._scale_known and len(batch):
            low, high = arrays.span(batch)
            if arrays.kind(batch) != "float" or not (low >= 0.0 and high <= 1.0):
                raise InvalidDataError(
                    f"The batch has values from {low:.4g} to {high:.4g} of type {batch.dtype}, "
                    "neither bytes nor floats from 0 to 1, so its images went through something "
                    "that negatives have to go through too. Give it as 'transform', for example "
                    "transform=lambda images: (images / 255 - mean) / std."
                )
            self._scale_known = True
        return images.astype(np.float32) / np.float32(255.0)


def _resized(
    negatives: NDArray[Any] | Sequence[NDArray[Any]], height: int, width: int, channels: int
) -> NDArray[np.uint8]:
    """Return (k, height, width, channels): resized to cover, the centre cut out."""
    images = np.empty((len(negatives), height, width, channels), dtype=np.uint8)
    mode = "RGB" if channels == 3 else "L"
    for row, negative in zip(images, negatives, strict=True):
        array = np.asarray(negative)
        if array.dtype != np.uint8 or array.ndim not in (2, 3):
            raise InvalidDataError(
                f"Negatives for a batch of images must be uint8 images, or have the batch's own "
                f"shape and scale. Got {_told(negatives)}."
            )
        if array.shape == row.shape:
            row[...] = array
            continue
        image = image_from_array(array).convert(mode)
        if image.size != (width, height):
            image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
        row[...] = np.asarray(image).reshape(row.shape)
    return images


def _told(negatives: Any) -> str:
    if isinstance(negatives, np.ndarray):
        return f"{negatives.dtype} of shape {negatives.shape}"
    first = np.asarray(negatives[0]) if len(negatives) else np.empty(0)
    return f"a list of {first.dtype} of shape {first.shape}"
