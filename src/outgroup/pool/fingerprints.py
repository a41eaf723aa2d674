"""Perceptual hashes: 64 bits that hardly change when a picture is scaled or compressed again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.images.resizing import REDUCING_GAP

BITS = 64
_SIDE, _FREQUENCIES = 32, 8

# Grey levels of 255. Below this the bits are noise: every blank frame would be every other's twin.
MIN_CONTRAST = 4.0
# Frequencies that an image has none of are not the median's equals by a hair's breadth: in blurred
# pictures and drawings these bits would be noise.
_MARGIN = 4.0


def fingerprint(image: Image.Image) -> int | None:
    """Return the perceptual hash of an image.

    The image is made 32 x 32 and grey; the 8 x 8 lowest frequencies of its discrete cosine
    transform are compared with their median. Scaling, compression and small changes of brightness
    flip a bit or two; another picture differs in about 32 bits.

    Parameters
    ----------
    image : PIL.Image.Image
        Of mode RGB.

    Returns
    -------
    int or None
        From 0 to 2**64 - 1; None for an image without contrast, such as a blank frame, which has no
        shape to tell it by.

    References
    ----------
    C. Zauner, Implementation and benchmarking of perceptual image hash functions, 2010 (section
    3.2.1), http://www.phash.org/docs/pubs/thesis_zauner.pdf

    Examples
    --------
    >>> ramp = Image.linear_gradient("L").convert("RGB")
    >>> difference = fingerprint(ramp) ^ fingerprint(ramp.resize((90, 60)))
    >>> bin(difference).count("1") <= 2
    True
    >>> fingerprint(Image.new("RGB", (64, 64), "white")) is None
    True
    """
    small = image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
    grey = np.asarray(small.convert("L"), np.float64)
    if grey.std() < MIN_CONTRAST:
        return None
    low = np.rint(_COSINES @ grey @ _COSINES.T).ravel()  # rounded: the same on every machine
    # The first is the brightness, which says nothing of the shape.
    bits = low > np.median(low[1:]) + _MARGIN
    return int(np.packbits(bits).view(">u8")[0])


def distances(one: int, others: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return in how many bits a hash differs from each of others, of shape (n,).

    Examples
    --------
    >>> distances(0b0111, np.array([0b0111, 0b0001, 2**63], np.uint64)).tolist()
    [0, 2, 4]
    """
    differing = np.bitwise_xor(others, np.uint64(one)).view(np.uint16).reshape(len(others), 4)
    return np.asarray(_ONES[differing].sum(axis=1, dtype=np.int64))


def _cosines() -> npt.NDArray[np.float64]:
    """Return the lowest frequencies of the discrete cosine transform (type II), one a row."""
    k, x = np.mgrid[:_FREQUENCIES, :_SIDE]
    rows = np.cos(np.pi * k * (2 * x + 1) / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows)


_COSINES = _cosines()
_ONES = np.array([bin(number).count("1") for number in range(2**16)], np.uint8)
