"""A model file opened by the class that wrote it."""

from __future__ import annotations

import os
from typing import Any

from outgroup.classifier.image_classifier import ImageClassifier
from outgroup.multi_input.classifier import MultiInputClassifier
from outgroup.multi_input.files import is_inputs_file


def load(path: str | os.PathLike[str], **options: Any) -> ImageClassifier | MultiInputClassifier:
    """Open a model file; short for `ImageClassifier.load`, or that of the class that wrote it."""
    if is_inputs_file(path):
        return MultiInputClassifier.load(path)
    return ImageClassifier.load(path, **options)
