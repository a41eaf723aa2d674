"""Detectors: embeddings or logits in, other-scores out; a higher score is more other.

A new detector is one class, in a module of this package or anywhere else. It derives from
`FeatureDetector`, `LogitDetector` or `FittedLogitDetector` and is registered in `DETECTORS`.
"""

from outgroup.detectors.base import (
    DETECTORS,
    Detector,
    FeatureDetector,
    FittedLogitDetector,
    LogitDetector,
)

__all__ = ["DETECTORS", "Detector", "FeatureDetector", "FittedLogitDetector", "LogitDetector"]
