"""Embeddings by layer, and what of them a head reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors import FeatureDetector
from outgroup.errors import InvalidParameterError

#: Embeddings of n images by layer, each (n, d) and floating; "last" is always there.
Features = Mapping[str, NDArray[Any]]

#: Layers that a head reads, side by side, as far as the backbone has them.
HEAD_LAYERS = ("last", "second_last", "logits")


def take(features: Features, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return the given rows (indices or mask) of every layer."""
    return {layer: values[rows] for layer, values in features.items()}


def detector_input(features: Features, detector: FeatureDetector) -> NDArray[Any]:
    """Return the layer that a detector looks at.

    Raises
    ------
    InvalidParameterError
        If it is not there.
    """
    if detector.layer not in features:
        raise InvalidParameterError(
            f"The detector {detector.name!r} looks at the layer {detector.layer!r} of a backbone. "
            f"Got {', '.join(sorted(features))} alone: take a detector of embeddings, such as "
            "'mahalanobis', or images and a backbone that has this layer."
        )
    return features[detector.layer]


def head_input(features: Features, layers: tuple[str, ...] | None = None) -> NDArray[Any]:
    """Return layers side by side.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer.
    layers : tuple of str or None
        Names of layers; None: all of `HEAD_LAYERS` that there are.

    Raises
    ------
    InvalidParameterError
        If a layer was asked for that is not there.
    """
    for name in layers or ():
        if name not in features:
            raise InvalidParameterError(
                f"The 'layers' parameter must name layers of the backbone: "
                f"{', '.join(sorted(features))}. Got {name!r} instead."
            )
    chosen = [features[name] for name in layers or HEAD_LAYERS if name in features]
    return chosen[0] if len(chosen) == 1 else np.hstack(chosen)
