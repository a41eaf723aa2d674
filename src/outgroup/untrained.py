"""Models of strategies that learn nothing: with a threshold from images, or without one."""

from __future__ import annotations

import numpy as np

from outgroup.calibration import Budget, Certificate, HeldOut, choose_threshold
from outgroup.errors import InvalidParameterError
from outgroup.model import OTHERS, OpenSetModel
from outgroup.strategies.imagenet import ImageNet
from outgroup.training_set import TrainingSet


def uncalibrated_model(classes: tuple[str, ...], strategy: ImageNet) -> OpenSetModel:
    """Return a model that has seen no image, and promises nothing.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes, sorted.
    strategy : ImageNet
        One that learns nothing.
    """
    none = np.empty(0)
    return OpenSetModel(
        classes=classes,
        strategy=_checked(strategy),
        threshold=strategy.uncalibrated_threshold,
        certificate=Certificate((), "none"),
        known_scores=none,
        other_scores=none,
    )


def calibrated_model(
    data: TrainingSet, strategy: ImageNet, budget: Budget | None = None
) -> OpenSetModel:
    """Return a model whose threshold comes from images that nothing was learned from.

    No image has to be held out, so that their scores are used as they are.

    Parameters
    ----------
    data : TrainingSet
        Embeddings and labels.
    strategy : ImageNet
        One that learns nothing.
    budget : Budget or None
        What the threshold has to keep; None is ``Budget()``.

    Raises
    ------
    InfeasibleTargetError
        If a promise that was asked for can't be given.
    """
    known, units = data.y >= 0, data.units
    scores = _checked(strategy).score(data.features).other_score
    held = HeldOut(scores[known], None if units is None else units[known])
    others = None
    if not known.all():
        others = HeldOut(scores[~known], None if units is None else units[~known], OTHERS)
    calibration = choose_threshold(held, others, budget, method="held-out")
    return OpenSetModel(
        classes=data.classes,
        strategy=strategy,
        threshold=calibration.threshold,
        certificate=calibration.certificate,
        known_scores=scores[known],
        other_scores=scores[~known],
    )


def _checked(strategy: ImageNet) -> ImageNet:
    if strategy.learns:
        raise InvalidParameterError(
            "The 'strategy' parameter must be one that learns nothing from images. Got "
            f"{strategy.name!r} without 'columns' instead. Give them, or fit it to images."
        )
    return strategy
