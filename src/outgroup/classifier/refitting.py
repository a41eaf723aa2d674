"""What it takes to learn a classifier anew: its training set, and a copy with another model."""

from __future__ import annotations

import copy
from typing import Any

from outgroup.artifact import ModelContents
from outgroup.classifier.image_classifier import ImageClassifier
from outgroup.classifier.learning import training_samples
from outgroup.classifier.tasks.one_class import OneClass
from outgroup.classifier.training import prepare
from outgroup.errors import InvalidParameterError
from outgroup.training_set import TrainingSet


def training_set_of(
    classifier: ImageClassifier, data: Any = None, other: Any = None
) -> tuple[TrainingSet, bool]:
    """Return what a classifier has learned from, and whether it is the very same.

    Parameters
    ----------
    classifier : ImageClassifier
        One that was fitted to images of one class each.
    data, other
        The images once more, as for `ImageClassifier.fit`. They can be left out if the classifier
        was fitted in this process.

    Raises
    ------
    InvalidParameterError
        If they are needed and not given, or of other classes.
    """
    task = classifier.task
    if not isinstance(task, OneClass):
        raise InvalidParameterError(
            "The 'classifier' parameter must be one that learned one class an image. Got one with "
            "several labels or columns, or classes by names of ImageNet, instead."
        )
    classes = classifier.classes
    if data is None and classifier._training_set is not None and other is None:
        return classifier._training_set, True
    if data is None:
        raise InvalidParameterError(
            "The 'data' parameter must be the images that the classifier learned from, because a "
            "model file holds none. Got None instead. Give its negatives as 'other', too."
        )
    samples, names, _ = training_samples(data, other, **task.table)
    embedder = classifier._means(classifier.contents.backbone).embedder
    made, _, fingerprint = prepare(samples, embedder.embed(samples.sources), names)
    if made.classes != classes:
        raise InvalidParameterError(
            f"The 'data' parameter must have the classes of the model, {', '.join(classes)}. "
            f"Got {', '.join(made.classes)} instead."
        )
    return made, fingerprint == classifier.contents.training.fingerprint


def with_contents(classifier: ImageClassifier, contents: ModelContents) -> ImageClassifier:
    """Return a copy of a classifier with another model."""
    made = copy.copy(classifier)
    made._contents = contents
    return made
