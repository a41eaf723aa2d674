"""Heads: embeddings in, class scores out.

To add one, write a module here with one class that derives from `Head` and registers itself.
"""

from outgroup.heads._linear import one_thread
from outgroup.heads.base import (
    HEADS,
    OTHER,
    UNSEEN,
    ExposedHead,
    Head,
    SigmoidHead,
    SoftmaxHead,
)

__all__ = [
    "HEADS",
    "OTHER",
    "UNSEEN",
    "ExposedHead",
    "Head",
    "SigmoidHead",
    "SoftmaxHead",
    "one_thread",
]
