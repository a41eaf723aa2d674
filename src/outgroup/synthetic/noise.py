"""Noise, from grain to clouds."""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError
from outgroup.synthetic._checks import whole_numbers
from outgroup.synthetic._stream import Stream, blocks
from outgroup.synthetic.base import GENERATORS, Generator

#: Exponents of the amplitude spectrum: grain; each octave as strong as the next, which is about
#: what photographs have (Field 1987, J. Opt. Soc. Am. A 4, 2379-2394); and clouds.
SPECTRA = {"white": 0.0, "pink": 1.0, "brown": 2.0}

BLOCK = 4


def random_noise(
    n: int,
    size: int = 224,
    *,
    exponent: float | None = None,
    coloured: bool = True,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Draw noise whose amplitude falls with the frequency f as about ``1 / f**exponent``.

    Octaves of independent noise are added up, from coarse to fine: each is spread to twice the
    size by a quadratic spline and has the strength that leaves the wanted spectrum, which is flat
    only within the last octave. Each image fills the range of values.

    Parameters
    ----------
    n : int
        How many images.
    size : int, default=224
        Side in pixels.
    exponent : float or None, default=None
        From 0 (white) to 2 (brown); None: those of `SPECTRA` take turns.
    coloured : bool, default=True
        Whether the colours differ; otherwise the images are grey.
    seed : int, default=0
        Seed of the drawing; the first images are the same for any `n`.

    Returns
    -------
    ndarray of shape (n, size, size, 3), uint8

    Raises
    ------
    InvalidParameterError
        If a number is out of range.

    References
    ----------
    Fournier, Fussell, Carpenter, "Computer rendering of stochastic models", CACM 1982, for noise
    from octaves; Chaikin, "An algorithm for high-speed curve generation", 1974, for the spline.

    Examples
    --------
    >>> images = random_noise(2, size=16)
    >>> images.shape, int(images.min()), int(images.max())
    ((2, 16, 16, 3), 0, 255)
    """
    whole_numbers(n=(n, 0), size=(size, 2), seed=(seed, 0))
    if not isinstance(coloured, bool):
        raise InvalidParameterError(
            f"The 'coloured' parameter must be True or False. Got {coloured!r} instead."
        )
    real = isinstance(exponent, numbers.Real) and not isinstance(exponent, bool)
    if exponent is not None and not (real and 0.0 <= exponent <= 2.0):
        raise InvalidParameterError(
            f"The 'exponent' parameter must be None or from 0 to 2. Got {exponent!r} instead."
        )
    turns = [*SPECTRA.values()] if exponent is None else [float(exponent)]
    sides = _sides(size)
    strengths = np.array([_strengths(turn, len(sides)) for turn in turns], dtype=np.float32)
    channels = 3 if coloured else 1
    stream = Stream(seed)
    images = np.empty((n, size, size, 3), dtype=np.uint8)
    pairs = list(zip([0, *sides[:-2]], sides[:-1], strict=True)) if len(sides) > 1 else []
    coarse = [_Octave(min(n, BLOCK), channels, old, new) for old, new in pairs]
    finest = _Finest(channels, sides[-2] if len(sides) > 1 else 0, size)
    for block in blocks(n, BLOCK):
        drawn = stream.take(block.stop - block.start, channels * sum(s * s for s in sides))
        strength = strengths[np.arange(block.start, block.stop) % len(turns)]
        field, at = None, 0
        for level, octave in enumerate(coarse):
            field = octave.add(field, drawn[:, at : at + octave.taken], strength[:, level])
            at += octave.taken
        for i in range(len(drawn)):
            below = None if field is None else field[i]
            finest.draw(below, drawn[i, at:], images[block.start + i])
    return images


def _sides(size: int) -> list[int]:
    """Return the sides of the octaves, coarse to fine; each covers the next when spread.

    >>> _sides(32)
    [4, 6, 10, 17, 32]
    """
    sides = [size]
    while sides[0] > 4:
        sides.insert(0, (sides[0] + 1) // 2 + 1)
    return sides


def _strengths(exponent: float, octaves: int) -> NDArray[np.float64]:
    """Return the factors of the octaves, coarse to fine; that of the finest is one.

    White noise on a grid of spacing h has a power density of ``variance * h**2`` up to the
    frequency 1 / 2h and, spread, next to nothing above; so an octave has to add what the density
    is to grow by from the octave above it.
    """
    h = 2.0 ** np.arange(octaves - 1, -1, -1)
    density = h ** (2 * exponent)
    gain = np.append(density[:-1] - density[1:], density[-1])
    strengths: NDArray[np.float64] = np.sqrt(gain) / h
    return strengths


def _double(
    field: NDArray[np.float32], fine: NDArray[np.float32], step: NDArray[np.float32]
) -> None:
    """Put two points between each two neighbours on the last axis but one.

    They are 3/4 of one and 1/4 of the other, so that no point has less noise than others.
    """
    np.subtract(field[..., 1:, :], field[..., :-1, :], out=step)
    step *= np.float32(0.25)
    np.add(field[..., :-1, :], step, out=fine[..., 0::2, :])
    np.subtract(field[..., 1:, :], step, out=fine[..., 1::2, :])


class _Octave:
    """Doubles fields and adds noise, in memory that is used again."""

    def __init__(self, n: int, channels: int, old: int, new: int) -> None:
        self.taken = channels * new * new
        doubled, less = max(2 * old - 2, 0), max(old - 1, 0)
        self.down = np.empty((n, channels, doubled, old), np.float32)
        self.down_step = np.empty((n, channels, less, old), np.float32)
        self.turned = np.empty((n, channels, old, new), np.float32)
        self.across = np.empty((n, channels, doubled, new), np.float32)
        self.across_step = np.empty((n, channels, less, new), np.float32)
        self.field = np.empty((n, channels, new, new), np.float32)

    def add(
        self,
        field: NDArray[np.float32] | None,
        drawn: NDArray[np.uint8],
        strength: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return the fields with this octave; they come out turned over, which noise may be."""
        n, new = len(drawn), self.field.shape[-1]
        mine = self.field[:n]
        np.copyto(mine, drawn.reshape(mine.shape))
        mine *= strength[:, np.newaxis, np.newaxis, np.newaxis]
        if field is not None:
            _double(field, self.down[:n], self.down_step[:n])
            np.copyto(self.turned[:n], self.down[:n, :, :new].swapaxes(2, 3))
            _double(self.turned[:n], self.across[:n], self.across_step[:n])
            mine += self.across[:n, :, :new]
        return mine


class _Finest:
    """Adds the finest octave of one image at a time and makes pixels of it."""

    def __init__(self, channels: int, old: int, size: int) -> None:
        self.size, self.channels = size, channels
        doubled, less = max(2 * old - 2, 0), max(old - 1, 0)
        self.down = np.empty((channels, doubled, old), np.float32)
        self.down_step = np.empty((channels, less, old), np.float32)
        self.turned = np.empty((old, size, channels), np.float32)
        self.across = np.empty((doubled, size * channels), np.float32)
        self.across_step = np.empty((less, size * channels), np.float32)
        self.values = np.empty((size, size * channels), np.float32)

    def draw(
        self,
        field: NDArray[np.float32] | None,
        drawn: NDArray[np.uint8],
        image: NDArray[np.uint8],
    ) -> None:
        """Write an image of shape (size, size, 3)."""
        values = self.values
        np.copyto(values, drawn.reshape(values.shape))
        if field is not None:
            _double(field, self.down, self.down_step)
            for channel in range(self.channels):  # one by one is faster than all at once
                self.turned[..., channel] = self.down[channel, : self.size].T
            flat = self.turned.reshape(len(self.turned), -1)
            _double(flat, self.across, self.across_step)
            values += self.across[: self.size]
        least, most = values.min(), values.max()
        # a hair less than 256 levels of the same width: the lowest value is 0, the highest 255
        values -= least
        values *= np.float32(255.999) / max(most - least, np.float32(1e-6))
        if self.channels == 3:
            image.reshape(values.shape)[...] = values
        else:
            grey = values.astype(np.uint8)
            for channel in range(3):
                image[..., channel] = grey


@GENERATORS.register("noise")
class Noise(Generator):
    """Coloured noise of the spectra white, pink and brown in turn, see `random_noise`."""

    name = "noise"
    summary = "coloured noise: white, pink and brown in turn"
    reference = "Field 1987; Fournier, Fussell, Carpenter 1982"

    def draw(
        self,
        n: int,
        size: int = 224,
        *,
        images: NDArray[np.uint8] | None = None,
        seed: int = 0,
    ) -> NDArray[np.uint8]:
        """Draw images; see `Generator.draw`."""
        return random_noise(n, size, seed=seed)
