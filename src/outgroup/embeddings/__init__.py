"""From images to embeddings: decoding and running on all cores, progress, the cache on disk.

>>> from outgroup.backbones import get_backbone
>>> import numpy as np
>>> embedder = Embedder(get_backbone("efficientnet-lite0"))
>>> found = embedder.embed([np.zeros((300, 400, 3), np.uint8), "no/such/photo.jpg"])
>>> found.layers["last"].shape, found.errors
((2, 1280), [None, 'no such file'])
"""

from __future__ import annotations

from outgroup.embeddings.cache import CacheWarning, EmbeddingCache
from outgroup.embeddings.embedder import (
    EmbeddedImage,
    Embedder,
    Embeddings,
    namespace,
    usable_cores,
)
from outgroup.embeddings.progress import ProgressBar

__all__ = [
    "CacheWarning",
    "EmbeddedImage",
    "Embedder",
    "EmbeddingCache",
    "Embeddings",
    "ProgressBar",
    "namespace",
    "usable_cores",
]
