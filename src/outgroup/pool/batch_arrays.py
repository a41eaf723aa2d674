"""Rows and labels of negatives in the shape, scale and type of a batch, for NumPy and PyTorch.

PyTorch is never imported here: where it is not loaded, nothing is a tensor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from outgroup.errors import InvalidDataError
from outgroup.images import image_from_array

LAYOUTS = ("NHWC", "NCHW")

#: Takes uint8 images (n, height, width, channels), returns what a batch has in their place.
Transform = Callable[[NDArray[np.uint8]], Any]
#: Takes labels, the number of negatives and of classes; returns the labels of all.
Labeller = Callable[[Any, int, "int | None"], Any]


def is_tensor(values: Any) -> bool:
    """Tell whether it is a PyTorch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def is_array(values: Any) -> bool:
    """Tell whether it is a NumPy array or a PyTorch tensor."""
    return isinstance(values, np.ndarray) or is_tensor(values)


def kind(values: Any) -> str:
    """Return "float", "integer", "bool" or "other" for the type of an array."""
    if is_tensor(values):
        if values.dtype.is_floating_point:
            return "float"
        return "bool" if values.dtype == sys.modules["torch"].bool else "integer"
    kinds = {"f": "float", "i": "integer", "u": "integer", "b": "bool"}
    return kinds.get(values.dtype.kind, "other")


def join(values: Any, rows: NDArray[Any]) -> Any:
    """Return an array with rows after it, in the array's own type and on its device."""
    if is_tensor(values):
        torch = sys.modules["torch"]
        more = torch.from_numpy(np.ascontiguousarray(rows))
        return torch.cat([values, more.to(device=values.device, dtype=values.dtype)])
    return np.concatenate([values, rows.astype(values.dtype, copy=False)])


def _is_uint8(values: Any) -> bool:
    return str(values.dtype) in ("uint8", "torch.uint8")


class RowFitter:
    """Brings negatives to the size, layout, scale and type of a batch."""

    def __init__(self, layout: str | None, transform: Transform | None) -> None:
        self._layout = layout
        self._transform = transform
        self._scale_known = False

    def fit(self, negatives: NDArray[Any] | Sequence[NDArray[Any]], batch: Any) -> NDArray[Any]:
        """Return (k, ...) rows for k negatives and a batch (n, ...)."""
        shape = tuple(batch.shape[1:])
        if (
            self._transform is None
            and isinstance(negatives, np.ndarray)
            and negatives.shape[1:] == shape
            and _is_uint8(negatives) == _is_uint8(batch)
        ):
            return negatives
        if len(shape) != 3:
            raise InvalidDataError(
                f"A batch of shape {tuple(batch.shape)} needs negatives of the same row shape "
                f"{shape}. Got {_described(negatives)}. For a batch of embeddings give embeddings "
                "by the same backbone; only images are resized."
            )
        channels_last = self._channels_last(shape, batch)
        height, width, channels = shape if channels_last else (*shape[1:], shape[0])
        images = _resized(negatives, height, width, channels)
        values = self._scaled(images, batch)
        if values.shape == images.shape and not channels_last:
            values = values.transpose(0, 3, 1, 2)
        if values.shape != (len(images), *shape):
            raise InvalidDataError(
                f"'transform' must return the shape it was given, {images.shape}, or the batch's, "
                f"{(len(images), *shape)}. Got {values.shape}."
            )
        return values

    def _channels_last(self, shape: tuple[int, ...], batch: Any) -> bool:
        last, first = shape[-1] in (1, 3), shape[0] in (1, 3)
        if self._layout is not None:
            last, first = last and self._layout == "NHWC", first and self._layout == "NCHW"
        if last and first:
            return not is_tensor(batch)
        if last or first:
            return last
        raise InvalidDataError(
            f"A batch of images must have one or three channels. Got shape {tuple(batch.shape)}"
            + (f" with layout={self._layout!r}." if self._layout else ".")
        )

    def _scaled(self, images: NDArray[np.uint8], batch: Any) -> NDArray[Any]:
        if self._transform is not None:
            return np.asarray(self._transform(images))
        if _is_uint8(batch):
            return images
        if not self._scale_known and len(batch):
            low, high = float(batch.min()), float(batch.max())
            if kind(batch) != "float" or not (low >= 0.0 and high <= 1.0):
                raise InvalidDataError(
                    f"The batch has values from {low:.4g} to {high:.4g} of type {batch.dtype}, "
                    "neither bytes nor floats from 0 to 1, so its images were transformed, and "
                    "negatives have to be too. Give the same as 'transform', for example "
                    "transform=lambda images: (images / 255 - mean) / std."
                )
            self._scale_known = True
        return images.astype(np.float32) / np.float32(255.0)


def _resized(
    negatives: NDArray[Any] | Sequence[NDArray[Any]], height: int, width: int, channels: int
) -> NDArray[np.uint8]:
    """Return (k, height, width, channels): resized to cover, cropped at the centre."""
    images = np.empty((len(negatives), height, width, channels), dtype=np.uint8)
    mode = "RGB" if channels == 3 else "L"
    for row, negative in zip(images, negatives, strict=True):
        array = np.asarray(negative)
        if array.dtype != np.uint8 or array.ndim not in (2, 3):
            raise InvalidDataError(
                "Negatives for a batch of images must be uint8 images, or have the batch's own "
                f"shape and scale. Got {_described(negatives)}."
            )
        if array.shape == row.shape:
            row[...] = array
            continue
        image = image_from_array(array).convert(mode)
        if image.size != (width, height):
            image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
        row[...] = np.asarray(image).reshape(row.shape)
    return images


def _described(negatives: Any) -> str:
    if isinstance(negatives, np.ndarray):
        return f"{negatives.dtype} of shape {negatives.shape}"
    first = np.asarray(negatives[0]) if len(negatives) else np.empty(0)
    return f"a list of {first.dtype} of shape {first.shape}"


def class_after_known(labels: Any, n: int, n_classes: int | None) -> Any:
    """Add class `n_classes` to whole numbers, or a one in the last column of one-hot rows."""
    assert n_classes is not None
    if isinstance(labels, (list, tuple)):
        if not all(isinstance(label, (int, np.integer)) for label in labels):
            raise _not_numbers(labels)
        _check_range(max(labels, default=0), n_classes)
        return type(labels)([*labels, *[n_classes] * n])
    _check_array(labels)
    if kind(labels) == "other":
        raise _not_numbers(labels)
    if labels.ndim == 2:
        if labels.shape[1] != n_classes + 1:
            raise InvalidDataError(
                f"One-hot labels with a class for negatives must have {n_classes + 1} columns, one "
                f"more than there are classes. Got {labels.shape[1]}. Add a column, or give "
                "target='zeros' for a row of zeros."
            )
        rows = np.zeros((n, n_classes + 1), dtype=np.float32)
        rows[:, n_classes] = 1
        return join(labels, rows)
    if labels.ndim != 1 or kind(labels) == "bool":
        raise _not_numbers(labels)
    if len(labels):
        _check_range(float(labels.max()), n_classes)
    info = sys.modules["torch"].iinfo if is_tensor(labels) else np.iinfo
    if kind(labels) == "integer" and n_classes > info(labels.dtype).max:
        raise InvalidDataError(
            f"Labels of type {labels.dtype} can't hold {n_classes}, the index of the negatives. "
            "Give them as int64."
        )
    return join(labels, np.full(n, n_classes, dtype=np.int64))


def none_labels(labels: Any, n: int, n_classes: int | None) -> Any:
    """Add None: a list gets longer, an array becomes one of objects, a tensor a list."""
    if isinstance(labels, (list, tuple)):
        return type(labels)([*labels, *[None] * n])
    _check_array(labels)
    values = labels.tolist()
    if is_tensor(labels):
        return [*values, *[None] * n]
    joined = np.empty(len(values) + n, dtype=object)
    joined[: len(values)] = values if labels.ndim == 1 else [list(row) for row in values]
    return joined


def zero_rows(labels: Any, n: int, n_classes: int | None) -> Any:
    """Add rows of zeros to one-hot or multi-hot labels."""
    _check_array(labels)
    if labels.ndim != 2 or (n_classes is not None and labels.shape[1] != n_classes):
        columns = "a column" if n_classes is None else f"{n_classes} columns, one"
        raise InvalidDataError(
            f"With target='zeros' labels must be one-hot or multi-hot: {columns} a class. Got "
            f"shape {tuple(labels.shape)}. Give target='index' for labels that are whole numbers."
        )
    return join(labels, np.zeros((n, labels.shape[1]), dtype=np.uint8))


LABELLERS: dict[str, Labeller] = {
    "index": class_after_known,
    "none": none_labels,
    "zeros": zero_rows,
}


def _check_array(labels: Any) -> None:
    if not is_array(labels):
        must = "Labels must be a list, a NumPy array or a PyTorch tensor."
        raise InvalidDataError(f"{must} Got {type(labels).__name__}.")


def _check_range(highest: float, n_classes: int) -> None:
    if highest >= n_classes:
        raise InvalidDataError(
            f"Labels go up to {highest:g}, and with n_classes={n_classes} the last known class is "
            f"{n_classes - 1}; {n_classes} is for the negatives. Give the right n_classes."
        )


def _not_numbers(labels: Any) -> InvalidDataError:
    got = type(labels).__name__ if isinstance(labels, (list, tuple)) else str(labels.dtype)
    return InvalidDataError(
        "With target='index' labels must be whole numbers from 0, or one-hot rows. "
        f"Got {got}. Give target='none' for labels that are names."
    )
