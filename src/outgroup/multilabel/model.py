"""A labeler that was fitted, with its thresholds: embeddings in, lists of labels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import Budget, Certificate
from outgroup.errors import InvalidDataError
from outgroup.multilabel.label_predictions import LabelPredictions
from outgroup.multilabel.labelers import Labeler
from outgroup.multilabel.thresholds import choose_thresholds, remarks
from outgroup.multilabel.training_set import LabelTrainingSet
from outgroup.strategies import Features, take
from outgroup.training_set import deal, units_in


@dataclass(frozen=True)
class LabelsModel:
    """A fitted labeler and what it takes to decide.

    Parameters
    ----------
    classes : tuple of str
        Names of the K labels.
    strategy : Labeler
        Fitted.
    thresholds : ndarray of shape (K,), float64
        A label is given iff its score is at most its threshold.
    certificate : Certificate
        What the thresholds promise.
    held_scores : ndarray of shape (n, K), float64
        The held-out scores that the thresholds were chosen from.
    held_labels : ndarray of shape (n, K), int64
        The labels of the same images: 1, 0, or -1 where nobody knows.
    threshold : float, default=0.0
        By how much all thresholds are moved.
    """

    classes: tuple[str, ...]
    strategy: Labeler
    thresholds: NDArray[np.float64]
    certificate: Certificate
    held_scores: NDArray[np.float64]
    held_labels: NDArray[np.int64]
    threshold: float = 0.0

    @property
    def remarks(self) -> list[str]:
        """What a user should know of labels that few images have."""
        return list(remarks(self.certificate))

    def predict(
        self,
        features: Features,
        paths: Sequence[str | None] | None = None,
        errors: Sequence[str | None] | None = None,
        nearest: int = 0,
    ) -> LabelPredictions:
        """Answer for n images.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (n, d)
            Embeddings by layer; rows of images with an error are not looked at.
        paths : sequence of (str or None) or None
            Where the images came from.
        errors : sequence of (str or None) or None
            Why an image could not be read, None for those that could.
        nearest : int, default=0
            Ignored: such a model does not know its training images.
        """
        n, n_classes = len(features["last"]), len(self.classes)
        none: tuple[None, ...] = (None,) * n
        errors = none if errors is None else tuple(errors)
        readable = np.array([error is None for error in errors], dtype=bool)
        probabilities, other = np.full((n, n_classes), np.nan), np.full((n, n_classes), np.nan)
        if readable.any():
            scores = self.strategy.score(take(features, readable))
            if (
                not scores.probabilities.shape
                == scores.other_score.shape
                == probabilities[readable].shape
            ):
                raise InvalidDataError(
                    f"There must be a score for each of {n_classes} labels. "
                    f"Got {scores.other_score.shape[1]}."
                )
            probabilities[readable], other[readable] = scores
        return LabelPredictions(
            classes=self.classes,
            class_scores=probabilities,
            label_scores=other,
            thresholds=self.thresholds,
            threshold=self.threshold,
            paths=none if paths is None else tuple(paths),
            errors=errors,
        )


def fit_labels(
    data: LabelTrainingSet,
    labeler: Labeler,
    budget: Budget | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> LabelsModel:
    """Fit a labeler and choose the thresholds from held-out scores.

    Parameters
    ----------
    data : LabelTrainingSet
        Embeddings and labels.
    labeler : Labeler
        Unfitted; it is fitted in place.
    budget : Budget or None
        What the thresholds have to keep; None is ``Budget()``.
    n_folds : int, default=5
        Each image is scored by a model that learned from the other folds.
    seed : int, default=0
        Seed of the folds.

    Returns
    -------
    LabelsModel

    Raises
    ------
    InfeasibleTargetError
        If a promise that was asked for can't be given.
    """
    held_out = labeler.cross_fit(data.features, data.Y, deal(data, n_folds, seed)).other_score
    counted = data.is_promised
    held_out, Y, units = held_out[counted], data.Y[counted], units_in(data, counted)
    thresholds, certificate = choose_thresholds(
        held_out, Y, data.classes, budget, units, labeler.fixed_threshold
    )
    labeler.fit(data.features, data.Y)
    return LabelsModel(data.classes, labeler, thresholds, certificate, held_out, Y)
