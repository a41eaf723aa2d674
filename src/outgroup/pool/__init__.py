"""Negatives without end: a collection of images that are none of the classes, kept on disk."""

from __future__ import annotations

from outgroup.pool.incoming import Incoming
from outgroup.pool.mixing import Mixer, mix

__all__ = ["Incoming", "Mixer", "mix"]
