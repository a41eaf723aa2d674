"""Bringing pixels to a scale that is learned from training rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Scaled values are cut here: a saturated pixel stays odd, and no product of it overflows.
LIMIT = 30.0

#: Pixels of each channel that centre and spread are found from.
SAMPLE = 2_000_000

#: The quartiles of a normal distribution are this many standard deviations apart.
QUARTILES = 1.349


@dataclass(frozen=True)
class Scaling:
    """How the pixels of one input are scaled.

    Parameters
    ----------
    kind : {"robust", "dB", "none"}
        See `Bands`.
    centre, spread : tuple of float
        Of each channel.
    floor : float
        Smallest intensity that is turned into decibels.
    """

    kind: str
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    floor: float = 0.0

    def apply(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return images (n, C, H, W) scaled, within +-30."""
        if self.kind == "none":
            return images
        values = _decibels(images, self.floor) if self.kind == "dB" else images
        centre = np.array(self.centre, dtype=np.float32)[:, np.newaxis, np.newaxis]
        spread = np.array(self.spread, dtype=np.float32)[:, np.newaxis, np.newaxis]
        result: NDArray[np.float32] = np.clip((values - centre) / spread, -LIMIT, LIMIT)
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "kind": self.kind,
            "centre": list(self.centre),
            "spread": list(self.spread),
            "floor": self.floor,
        }


def fit_scaling(kind: str, images: NDArray[np.float32]) -> Scaling:
    """Learn the median and the spread (quartile distance over 1.349) of each channel.

    Parameters
    ----------
    kind : {"robust", "dB", "none"}
        See `Bands`.
    images : ndarray of shape (n, C, H, W), float32
        Training images, those that are missing left out.

    Examples
    --------
    >>> pixels = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    >>> scaling = fit_scaling("robust", pixels)
    >>> scaling.centre, round(scaling.spread[0], 3)
    ((3.5,), 2.595)
    """
    n_channels = images.shape[1]
    if kind == "none" or not len(images):
        return Scaling(kind, (0.0,) * n_channels, (1.0,) * n_channels)
    floor = 0.0
    if kind == "dB":
        positive = images[images > 0]
        floor = float(positive.min()) if positive.size else 1.0
    centres, spreads = [], []
    for channel in range(n_channels):
        values = images[:, channel].ravel()
        values = values[:: max(1, values.size // SAMPLE)].astype(np.float64)
        if kind == "dB":
            values = _decibels(values, floor)
        low, middle, high = np.percentile(values, [25, 50, 75])
        spread = (high - low) / QUARTILES or float(values.std())
        centres.append(float(middle))
        spreads.append(float(spread) or 1.0)
    return Scaling(kind, tuple(centres), tuple(spreads), floor)


def _decibels(values: NDArray[Any], floor: float) -> NDArray[Any]:
    result: NDArray[Any] = 10.0 * np.log10(np.maximum(values, floor))
    return result
