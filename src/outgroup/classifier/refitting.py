"""What it takes to learn a classifier anew: its training set, and a copy with another model."""

from __future__ import annotations

import copy
from typing import Any

from outgroup.artifact import ModelContents
from outgroup.classifier.image_classifier import ImageClassifier
from outgroup.classifier.tasks.one_class import OneClass
from outgroup.errors import InvalidParameterError
from outgroup.training_set import TrainingSet


def training_set_of(
    classifier: ImageClassifier, data: Any = None, other: Any = None, pool: Any = None
) -> tuple[TrainingSet, bool]:
    """Return what a classifier has learned from, and whether it is the very same.

    Parameters
    ----------
    classifier : ImageClassifier
        One that was fitted to images of one class each.
    data, other, pool
        The images once more, as for `ImageClassifier.fit`. They can be left out if the classifier
        was fitted in this process.

    Raises
    ------
    InvalidParameterError
        If they are needed and not given, or of other classes.
    """
    task, contents = classifier.task, classifier.contents
    if not isinstance(task, OneClass):
        raise InvalidParameterError(
            "The 'classifier' parameter must be one that learned one class an image. Got one with "
            "several labels or columns, or classes by names of ImageNet, instead."
        )
    given = classifier._training_set
    if given is not None and data is None and other is None and pool is None:
        return given, True
    if data is None:
        raise InvalidParameterError(
            "The 'data' parameter must be the images that the classifier learned from, because a "
            "model file holds none. Got None instead. Give its negatives as 'other' and 'pool', "
            "too."
        )
    tuned = contents.training.options.get("finetune")
    if tuned is not None and tuned.get("kept", True):
        raise InvalidParameterError(
            "The 'data' parameter must be None for a model whose network was tuned: on the images "
            "that it was tuned on it is too sure. Give the classifier in the process that fitted "
            "it, or train it again with all negatives."
        )
    made, _, fingerprint = task.load(data, other, pool, classifier._means(contents.backbone))[:3]
    if made.classes != contents.model.classes:
        raise InvalidParameterError(
            "The 'data' parameter must have the classes of the model, "
            f"{', '.join(contents.model.classes)}. Got {', '.join(made.classes)} instead."
        )
    return made, fingerprint == contents.training.fingerprint


def with_contents(classifier: ImageClassifier, contents: ModelContents) -> ImageClassifier:
    """Return a copy of a classifier with another model."""
    made = copy.copy(classifier)
    made._contents = contents
    return made
