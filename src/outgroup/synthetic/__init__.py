"""Negatives that are made, not collected: garbage that any image classifier should refuse."""

from outgroup.synthetic.squares import random_squares

__all__ = ["random_squares"]
