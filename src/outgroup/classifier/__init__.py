"""Images in, predictions out: `ImageClassifier`, the same for several inputs, and model files."""

import importlib
from typing import TYPE_CHECKING, Any

from outgroup.classifier.image_classifier import ImageClassifier
from outgroup.classifier.loading import load

if TYPE_CHECKING:
    from outgroup.classifier.multi_input_classifier import MultiInputClassifier
    from outgroup.classifier.pool_purge import answer, purge

#: Loaded when first used: predicting images does without.
_EXPORTS = {"MultiInputClassifier": "multi_input_classifier"} | dict.fromkeys(
    ("answer", "purge"), "pool_purge"
)

__all__ = ["ImageClassifier", "MultiInputClassifier", "answer", "load", "purge"]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
