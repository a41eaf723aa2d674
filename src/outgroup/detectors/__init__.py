"""Detectors: embeddings or class scores in, other-scores out (higher = more other, everywhere).

To add one, write a module here with one class that derives from `FeatureDetector`, `LogitDetector`
or `FittedLogitDetector` and registers itself.
"""

from outgroup.detectors.base import (
    DETECTORS,
    Detector,
    FeatureDetector,
    FittedLogitDetector,
    LogitDetector,
)

__all__ = ["DETECTORS", "Detector", "FeatureDetector", "FittedLogitDetector", "LogitDetector"]
