"""A strategy that was fitted, with its threshold and certificate: embeddings in, answers out.

Fitting takes the one road of every strategy: fold, cross-fit, choose the threshold from held-out
scores, fit to everything. Predicting needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import (
    Budget,
    Certificate,
    HeldOut,
    choose_threshold,
    describe_threshold,
)
from outgroup.errors import InvalidParameterError
from outgroup.neighbours import NEAREST
from outgroup.predictions import Predictions
from outgroup.reasons import Reasons, learn_reasons
from outgroup.strategies import Features, FoldedRows, Strategy
from outgroup.training_set import TrainingSet, deal, units_in

OTHERS = "images like your negatives"


@dataclass(frozen=True)
class OpenSetModel:
    """A fitted strategy and what it takes to decide.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes, sorted.
    strategy : Strategy
        Fitted.
    threshold : float
        An image is other iff its other-score is above this.
    certificate : Certificate
        What the threshold promises.
    known_scores, other_scores : ndarray of shape (n_known,) and (n_others,), float64
        The held-out other-scores of the training images, which the threshold was chosen from.
    reasons : Reasons or None
        What tells ambiguous images from unknown ones, and names the nearest training images; None
        if the model comes from a file that is older than these.
    """

    classes: tuple[str, ...]
    strategy: Strategy
    threshold: float
    certificate: Certificate
    known_scores: NDArray[np.float64]
    other_scores: NDArray[np.float64]
    reasons: Reasons | None = None

    def predict(
        self,
        features: Features,
        paths: Sequence[str | None] | None = None,
        errors: Sequence[str | None] | None = None,
        nearest: int = NEAREST,
    ) -> Predictions:
        """Answer for n images.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (n, d)
            Embeddings by layer; rows of images with an error are not looked at.
        paths : sequence of (str or None) or None
            Where the images came from.
        errors : sequence of (str or None) or None
            Why an image could not be read, None for those that could.
        nearest : int, default=5
            How many training images to name for each; they are looked up when they are asked for.

        Returns
        -------
        Predictions

        Raises
        ------
        InvalidParameterError
            If `nearest` is not a whole number from 0 up.
        """
        n = len(features["last"])
        none: tuple[None, ...] = (None,) * n
        errors = none if errors is None else tuple(errors)
        readable = np.array([error is None for error in errors], dtype=bool)
        class_scores = np.full((n, len(self.classes)), np.nan)
        other_score = np.full(n, np.nan)
        if readable.any():
            rows = {layer: values[readable] for layer, values in features.items()}
            class_scores[readable], other_score[readable] = self.strategy.score(rows)
        ambiguous, table = None, None
        if self.reasons is not None:
            ambiguous, table = self.reasons.explain(
                class_scores, features["last"], readable, nearest
            )
        return Predictions(
            classes=self.classes,
            class_scores=class_scores,
            other_score=other_score,
            threshold=self.threshold,
            paths=none if paths is None else tuple(paths),
            errors=errors,
            ambiguous=ambiguous,
            percentile=self._percentiles(other_score),
            nearest=table,
        )

    def _percentiles(self, other_score: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.searchsorted(self._known_in_order, other_score, side="left")
        return np.where(
            np.isnan(other_score), np.nan, 100.0 * below / max(len(self.known_scores), 1)
        )

    @cached_property
    def _known_in_order(self) -> NDArray[np.float64]:
        return np.sort(self.known_scores)


def fit_model(
    data: TrainingSet,
    strategy: Strategy,
    budget: Budget | None = None,
    n_folds: int = 5,
    seed: int = 0,
    rows: FoldedRows | None = None,
) -> OpenSetModel:
    """Fit a strategy and choose its threshold from held-out scores.

    All rows are learned from, and those that are `promised` lay the threshold.

    Parameters
    ----------
    data : TrainingSet
        Embeddings and labels.
    strategy : Strategy
        Unfitted; it is fitted in place.
    budget : Budget or None
        What the threshold has to keep; None is ``Budget()``.
    n_folds : int, default=5
        Each image is scored by a model that learned from the other folds.
    seed : int, default=0
        Seed of the folds.
    rows : FoldedRows or None
        The same training rows, dealt as `deal` does, and unseen rows behind them: what was
        cross-fitted there is not cross-fitted again.

    Returns
    -------
    OpenSetModel

    Raises
    ------
    InvalidParameterError
        If the strategy can't be had with these data.
    InfeasibleTargetError
        If a promise that was asked for can't be given.
    """
    check_suits(strategy, data)
    y, known = data.y, data.y >= 0
    if rows is None:
        rows = FoldedRows(data.features, y, deal(data, n_folds, seed), data.ungrouped)
    class_scores, held_out = (scores[: len(y)] for scores in strategy.cross_fit(rows))
    if len(held_out) > 1 and np.ptp(held_out) <= 1e-9 * np.abs(held_out).max():
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} gives all images the same other-score, so that no "
            "threshold can part them. Take another strategy or detector (of a single class "
            "'one-class'), or other images, if these are all alike."
        )
    counted = known & data.is_promised
    known_held = HeldOut(held_out[counted], units_in(data, counted))
    others_held = None
    others = ~known & data.is_promised
    if others.any():  # also where the strategy does not learn from them
        others_held = HeldOut(held_out[others], units_in(data, others), OTHERS)
    if strategy.fixed_threshold is None:
        calibration = choose_threshold(known_held, others_held, budget)
    else:
        calibration = describe_threshold(strategy.fixed_threshold, known_held, others_held, budget)
    strategy.fit(data.features, y)
    return OpenSetModel(
        classes=data.classes,
        strategy=strategy,
        threshold=calibration.threshold,
        certificate=calibration.certificate,
        known_scores=held_out[counted],
        other_scores=held_out[~known],
        reasons=learn_reasons(
            data.classes,
            data.features["last"],
            y,
            class_scores,
            data.units,
            data.paths,
            data.promised,
        ),
    )


def check_suits(strategy: Strategy, data: TrainingSet) -> None:
    """Refuse a strategy that can't learn from these data.

    Raises
    ------
    InvalidParameterError
        If it needs negatives, classes or a layer that are not there.
    """
    known = data.y >= 0
    for layer in strategy.needs_layers:
        if layer not in data.features:
            raise InvalidParameterError(
                f"The strategy {strategy.name!r} reads the layer {layer!r}. Got only "
                f"{', '.join(map(repr, data.features))}. Take a backbone that has it, such as "
                "'efficientnet-lite0', or another strategy."
            )
    if strategy.needs_others and known.all():
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} learns from negatives, and there are none. Give some, "
            "or take a strategy that needs none, such as 'blend'."
        )
    learns = strategy.uses_others and not known.all()
    enough = not strategy.needs_two_classes and (strategy.takes_one_class or learns)
    if len(data.classes) < 2 and not enough:
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} tells classes from each other, and there is only one, "
            f"{data.classes[0]!r}. Take 'one-class', 'blend' or 'detector', to which one class is "
            "enough, or give negatives to a strategy that learns from them."
        )
