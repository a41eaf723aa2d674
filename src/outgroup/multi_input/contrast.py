"""Whether anything stands out in an image: its extremes beside those of its own background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.multi_input.made import make_backgrounds

#: Sides of the squares that are looked at; one that does not fit is left out.
SIDES = (1, 3, 5, 9)

#: Smallest part of the spread of training pixels that counts as a difference.
LEAST = 1e-3

#: Images described at once: bounds the memory of their smoothed copies.
CHUNK = 64

#: The median distance from the median of a normal distribution, in standard deviations.
MAD = 0.6745


@dataclass(frozen=True, eq=False)
class Contrast:
    """How much the extremes of an image differ from those that a background has by itself.

    A background has extremes too, the larger the more it is looked at; what these are like is
    learned from backgrounds that are made of the known images themselves. An image in which nothing
    stands out more, at any size, in any channel, bright or dark, has a high other-score if in known
    images something does.

    Parameters
    ----------
    centre, spread : ndarray of shape (d,), float64
        Of what `describe_contrast` says of backgrounds.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    def other_score(self, described: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the largest extreme (n,) of what `describe_contrast` said, (n, d)."""
        score: NDArray[np.float64] = -((described - self.centre) / self.spread).max(axis=1)
        return score


def fit_contrast(images: NDArray[np.float32], seed: int = 0) -> Contrast:
    """Learn the extremes of backgrounds.

    Parameters
    ----------
    images : ndarray of shape (n, C, H, W), float32
        Known ones, scaled.
    seed : int, default=0
        Of the backgrounds.

    Examples
    --------
    >>> draws = np.random.default_rng(0)
    >>> images = draws.normal(size=(40, 1, 20, 20)).astype(np.float32)
    >>> shown = images.copy()
    >>> shown[:, :, 8:12, 8:12] += 3.0
    >>> contrast = fit_contrast(shown)
    >>> odd = [np.median(contrast.other_score(describe_contrast(one))) for one in (images, shown)]
    >>> bool(odd[0] > odd[1] + 5.0)
    True
    """
    described = describe_contrast(make_backgrounds([images], np.random.default_rng(seed))[0])
    centre = np.median(described, axis=0)
    spread = np.median(np.abs(described - centre), axis=0) / MAD
    return Contrast(centre, np.maximum(spread, LEAST))


def describe_contrast(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far the largest and the smallest mean over squares lie from the median one.

    In logarithms of median distances from the median, so that neither scale nor noise level of an
    image matters. Means are over squares, twice, at every place.

    Parameters
    ----------
    images : ndarray of shape (n, C, H, W), float32
        Scaled.

    Returns
    -------
    ndarray of shape (n, 2 * C * sides), float64

    Examples
    --------
    >>> describe_contrast(np.zeros((2, 3, 9, 9), dtype=np.float32)).shape
    (2, 18)
    """
    starts = range(0, max(len(images), 1), CHUNK)
    return np.concatenate([_describe(images[at : at + CHUNK]) for at in starts])


def _describe(images: NDArray[np.float32]) -> NDArray[np.float64]:
    found = []
    for side in SIDES:
        if min(images.shape[2:]) - 2 * (side - 1) < 1:
            continue
        smooth = images.astype(np.float64)
        for axis in (2, 3):
            smooth = _means(_means(smooth, side, axis), side, axis)
        flat = smooth.reshape(*smooth.shape[:2], -1)
        middle = np.median(flat, axis=2)
        usual = np.median(np.abs(flat - middle[:, :, np.newaxis]), axis=2) + LEAST
        beyond = (flat.max(axis=2) - middle, middle - flat.min(axis=2))
        found += [np.log((one + LEAST) / usual) for one in beyond]
    return np.concatenate(found, axis=1)


def _means(values: NDArray[np.float64], side: int, axis: int) -> NDArray[np.float64]:
    """Return means of `side` neighbours along an axis, where there are as many."""
    length = values.shape[axis] - side + 1
    at = [slice(None)] * values.ndim
    at[axis] = slice(0, length)
    total = values[tuple(at)].copy()
    for start in range(1, side):  # one by one, so that no sum depends on the images beside it
        at[axis] = slice(start, start + length)
        total += values[tuple(at)]
    result: NDArray[np.float64] = total / side
    return result
