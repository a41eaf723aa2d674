"""Columns brought to mean zero and one size, as heads read them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Standardised:
    """What a head needs to standardise columns: `mean` and `scale`, found in the training rows."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def standardise(self, X: NDArray[Any]) -> NDArray[Any]:
        """Find mean and scale, and return the standardised rows, of the dtype of `X`."""
        self.mean = X.mean(axis=0, dtype=np.float64)
        Z: NDArray[Any] = X - self.mean.astype(X.dtype)
        scale = np.sqrt(np.square(Z).mean(axis=0, dtype=np.float64))
        # A (nearly) constant column is left small: divided by its own scale it would be noise.
        typical = float(np.sqrt((scale**2).mean())) or 1.0
        self.scale = np.where(scale > 1e-3 * typical, scale, typical)
        Z /= self.scale.astype(X.dtype)
        return Z

    def scaled(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return rows standardised by mean and scale as they are, of the dtype of `X`."""
        Z: NDArray[Any] = X - self.mean.astype(X.dtype)
        Z /= self.scale.astype(X.dtype)
        return Z
