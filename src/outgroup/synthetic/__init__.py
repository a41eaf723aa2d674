"""Negatives that are made, not collected: garbage that any image classifier should refuse."""

from outgroup.synthetic.gradients import random_gradients
from outgroup.synthetic.noise import random_noise
from outgroup.synthetic.squares import random_squares

__all__ = ["random_gradients", "random_noise", "random_squares"]
