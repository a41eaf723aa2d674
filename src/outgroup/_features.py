"""Embeddings by layer, as all encoders give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

#: Embeddings of n images by layer, each (n, d) and floating; "last" is always there.
Features: TypeAlias = Mapping[str, NDArray[Any]]

#: Layers of an encoder that gives class scores and other-scores itself.
CLASS_SCORES, OTHER_SCORES = "class_scores", "other_scores"


def take(features: Features, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the given rows (indices or mask) of every layer."""
    return {layer: values[rows] for layer, values in features.items()}
