"""The layers of the embeddings that a head or a detector reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._features import Features
from outgroup.detectors import FeatureDetector
from outgroup.errors import InvalidParameterError

#: Layers that a head reads, side by side, as far as the backbone has them.
HEAD_LAYERS = ("last", "second_last", "logits")


def detector_input(features: Features, detector: FeatureDetector) -> NDArray[Any]:
    """Return the layer that a detector looks at."""
    if detector.layer not in features:
        raise InvalidParameterError(
            f"The detector {detector.name!r} looks at the layer {detector.layer!r} of a backbone. "
            f"Got {', '.join(sorted(features))} alone: take a detector of embeddings, such as "
            "'mahalanobis', or images and a backbone that has this layer."
        )
    return features[detector.layer]


def head_input(features: Features, layers: tuple[str, ...] | None = None) -> NDArray[Any]:
    """Return the named layers side by side; by default all of `HEAD_LAYERS` that there are."""
    for name in layers or ():
        if name not in features:
            raise InvalidParameterError(
                f"Invalid `layers`: must name layers of the backbone: "
                f"{', '.join(sorted(features))}, got {name!r}."
            )
    chosen = [features[name] for name in layers or HEAD_LAYERS if name in features]
    return chosen[0] if len(chosen) == 1 else np.hstack(chosen)
