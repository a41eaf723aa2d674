"""Embeddings as whole numbers, whose cosines are the same however they are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError

BLOCK = 512


class Directions:
    """Turns rows of one length into vectors of whole numbers that point the same way.

    A matrix product in float32 adds up in an order that depends on its shape, and so on how rows
    came in chunks; two cosines that are nearly the same may then swap places. Products of whole
    numbers are exact while they stay below 2**24. Vectors of a length of about 4,000 do, and their
    cosines are off by 0.0001.

    Parameters
    ----------
    d : int
        Length of a row.
    """

    def __init__(self, d: int) -> None:
        self.d = d
        self.scale = int(4095 - np.sqrt(d) / 2)  # rounding adds sqrt(d) / 2 to a length at most

    def of(self, features: NDArray[Any]) -> NDArray[np.int16]:
        """Return (m, d) whole numbers; a row of zeros stays one.

        Raises
        ------
        InvalidDataError
            If rows have another length, or numbers that are not finite.
        """
        if features.ndim != 2 or features.shape[1] != self.d:
            raise InvalidDataError(
                f"Embeddings must be rows of the same length: shape {features.shape} came together "
                f"with rows of {self.d} numbers. Were they made by two backbones?"
            )
        whole = np.empty(features.shape, dtype=np.int16)
        for start in range(0, len(features), BLOCK):
            rows = features[start : start + BLOCK].astype(np.float64, order="C")
            largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
            if not np.isfinite(largest).all():
                raise InvalidDataError("Embeddings must be finite numbers; some are not.")
            rows /= np.where(largest > 0, largest, 1.0)
            length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
            rows *= self.scale / np.where(length > 0, length, 1.0)
            whole[start : start + BLOCK] = np.rint(rows)
        return whole

    def products(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
        """Return (m, k) products of whole directions, exact; `scale` squared is the same way."""
        a, b = a.astype(np.float32, copy=False), b.astype(np.float32, copy=False)
        product: NDArray[np.float32] = a @ b.T
        return product
