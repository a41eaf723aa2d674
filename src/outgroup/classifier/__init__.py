"""Images in, predictions out: the composition of all layers below."""

from outgroup.classifier.image_classifier import ImageClassifier, load

__all__ = ["ImageClassifier", "load"]
