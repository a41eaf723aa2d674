"""Negatives that are made, not collected: garbage that any image classifier should refuse."""

from outgroup.synthetic.base import GENERATORS, Generator, draw, made_from_nothing
from outgroup.synthetic.crops import inverted_crops
from outgroup.synthetic.gradients import random_gradients
from outgroup.synthetic.noise import SPECTRA, random_noise
from outgroup.synthetic.patches import shuffled_patches
from outgroup.synthetic.squares import random_squares

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
