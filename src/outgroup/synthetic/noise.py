"""Noise, from grain to clouds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.synthetic._checks import whole_numbers

#: Exponents of the amplitude spectrum: white noise, that of photographs, and clouds.
EXPONENTS = (0.0, 1.0, 2.0)


def random_noise(n: int, size: int = 224, *, seed: int = 0) -> NDArray[np.uint8]:
    """Draw coloured noise whose amplitude falls with the frequency f as ``1 / f**a``.

    The exponents a of `EXPONENTS` take turns; 1 is about that of photographs (Field 1987, J. Opt.
    Soc. Am. A 4, 2379-2394). Each image fills the range of values.

    Parameters
    ----------
    n : int
        How many images.
    size : int, default=224
        Side in pixels.
    seed : int, default=0
        Seed of the drawing; the first images are the same for any `n`.

    Returns
    -------
    ndarray of shape (n, size, size, 3), uint8

    Raises
    ------
    InvalidParameterError
        If a number is out of range.

    Examples
    --------
    >>> images = random_noise(2, size=16)
    >>> images.shape, int(images.min()), int(images.max())
    ((2, 16, 16, 3), 0, 255)
    """
    whole_numbers(n=(n, 0), size=(size, 2), seed=(seed, 0))
    rows, columns = np.fft.fftfreq(size), np.fft.rfftfreq(size)
    frequency = np.hypot(rows[:, np.newaxis], columns)
    frequency[0, 0] = 1.0 / size  # the mean, which is stretched away
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    for i in range(n):
        white = np.random.default_rng([seed, i]).normal(size=(3, size, size))
        spectrum = np.fft.rfft2(white) / frequency ** EXPONENTS[i % len(EXPONENTS)]
        values = np.fft.irfft2(spectrum, s=(size, size))
        values -= values.min()
        images[i] = np.round(values * (255.0 / values.max())).transpose(1, 2, 0)
    return images
