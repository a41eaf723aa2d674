"""Images in, predictions out: the composition of all layers below."""

from typing import TYPE_CHECKING, Any

from outgroup.classifier.image_classifier import ImageClassifier
from outgroup.classifier.loading import load

if TYPE_CHECKING:
    from outgroup.classifier.pool_purge import Answered, Purged, answer, purge

__all__ = ["Answered", "ImageClassifier", "Purged", "answer", "load", "purge"]


def __getattr__(name: str) -> Any:
    """Import what prediction does without only when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from outgroup.classifier import pool_purge

    return getattr(pool_purge, name)
