"""Synthetic negatives: generated images that any image classifier should reject."""

from outgroup.synthetic.base import GENERATORS, Generator, draw, made_from_nothing
from outgroup.synthetic.generators import (
    SPECTRA,
    inverted_crops,
    random_gradients,
    random_noise,
    random_squares,
    shuffled_patches,
)

__all__ = [
    "GENERATORS",
    "SPECTRA",
    "Generator",
    "draw",
    "inverted_crops",
    "made_from_nothing",
    "random_gradients",
    "random_noise",
    "random_squares",
    "shuffled_patches",
]
