"""Detectors: embeddings or class scores in, other-scores out (higher = more other, everywhere).

To add one, write a module here with one class that derives from `FeatureDetector` or
`LogitDetector` and registers itself.
"""

from outgroup.detectors.base import DETECTORS, Detector, FeatureDetector, LogitDetector

__all__ = ["DETECTORS", "Detector", "FeatureDetector", "LogitDetector"]
