"""Heads: embeddings in, class scores out."""

from outgroup.heads.base import (
    HEADS,
    OTHER,
    UNSEEN,
    ExposedHead,
    Head,
    SigmoidHead,
    SoftmaxHead,
    one_thread,
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
