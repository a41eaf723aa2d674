"""Image classifiers that know when an image is none of their classes.

>>> import outgroup
>>> outgroup.ImageClassifier(strategy="sigmoid").strategy
'sigmoid'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outgroup.classifier import ImageClassifier, MultiInputClassifier, load
    from outgroup.estimator import OpenSetClassifier
    from outgroup.mining import mine
    from outgroup.pool import Pool
    from outgroup.predictions import Prediction, Predictions

__version__ = "0.1.0"

# Loaded when first used: `import outgroup` itself takes no time and pulls in no network runtime.
_EXPORTS = {
    "ImageClassifier": "outgroup.classifier",
    "MultiInputClassifier": "outgroup.classifier",
    "OpenSetClassifier": "outgroup.estimator",
    "Pool": "outgroup.pool",
    "Prediction": "outgroup.predictions",
    "Predictions": "outgroup.predictions",
    "load": "outgroup.classifier",
    "mine": "outgroup.mining",
}

__all__ = [
    "ImageClassifier",
    "MultiInputClassifier",
    "OpenSetClassifier",
    "Pool",
    "Prediction",
    "Predictions",
    "__version__",
    "load",
    "mine",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'outgroup' has no attribute {name!r}")
    value = getattr(importlib.import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
