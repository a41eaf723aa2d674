"""A fitted model: embeddings in, answers out.

Fitting takes the same steps for every strategy and every kind of labels: split into folds,
cross-fit, choose thresholds from held-out scores, fit to everything. Predicting needs NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup.calibration import (
    Budget,
    Certificate,
    HeldOut,
    choose_threshold,
)
from outgroup.calibration.label_thresholds import choose_thresholds
from outgroup.errors import (
    InfeasibleTargetError,
    InvalidDataError,
    InvalidParameterError,
    OutgroupError,
)
from outgroup.explain import NEAREST, Reasons, learn_reasons
from outgroup.label_schema import LabelSchema
from outgroup.predictions import Predictions
from outgroup.strategies import DEFAULT, Features, FoldedRows, Strategy, take
from outgroup.training_set import TrainingSet

#: What the training examples are called in a certificate.
IMAGES, ROWS = "images", "rows"


@dataclass(frozen=True)
class Model:
    """Fitted strategies with thresholds and a certificate.

    Parameters
    ----------
    threshold : float
        The threshold of a single output; with several, what is added to the threshold of each.
    offsets : ndarray of shape (n_outputs,), float64
        Threshold of each output less `threshold`; 0 for a single output.
    known_scores, other_scores : ndarray of shape (n_known,) and (n_others,), float64
        Held-out `Predictions.other_score` of the training images that have a class and calibrate,
        and of those that have none.
    """

    schema: LabelSchema
    strategies: tuple[Strategy, ...]
    threshold: float
    offsets: NDArray[np.float64]
    certificate: Certificate
    known_scores: NDArray[np.float64]
    other_scores: NDArray[np.float64]
    reasons: Reasons | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes."""
        return self.schema.class_names

    @property
    def strategy(self) -> Strategy:
        """The strategy of the first part."""
        return self.strategies[0]

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each output, by its name."""
        values = (self.offsets + self.threshold).tolist()
        return {o.name: value for o, value in zip(self.schema.outputs, values, strict=True)}

    def predict(
        self,
        features: Features,
        paths: Sequence[str | None] | None = None,
        errors: Sequence[str | None] | None = None,
        nearest: int = NEAREST,
    ) -> Predictions:
        """Answer for n images; rows of images with an error are not looked at.

        `nearest` training images are named for each, looked up on first use.
        """
        n, schema = len(features["last"]), self.schema
        none: tuple[None, ...] = (None,) * n
        errors = none if errors is None else tuple(errors)
        readable = np.array([error is None for error in errors], dtype=bool)
        class_scores = np.full((n, len(schema.class_names)), np.nan)
        other_scores = np.full((n, len(schema.outputs)), np.nan)
        if readable.any():
            rows = take(features, readable)
            for outputs, strategy in zip(schema.parts, self.strategies, strict=True):
                columns = class_columns(schema, outputs)
                found = strategy.score(rows)
                other = found.other_score.reshape(len(found.other_score), -1)
                if (found.class_scores.shape[1], other.shape[1]) != (len(columns), len(outputs)):
                    raise InvalidDataError(
                        f"The strategy {strategy.name!r} must give {len(columns)} class scores and "
                        f"{len(outputs)} other-scores, got {found.class_scores.shape[1]} and "
                        f"{other.shape[1]}."
                    )
                class_scores[np.ix_(readable, np.array(columns))] = found.class_scores
                other_scores[np.ix_(readable, np.array(outputs))] = other
        ambiguous, table = None, None
        if self.reasons is not None:
            ambiguous, table = self.reasons.explain(
                class_scores, features["last"], readable, nearest
            )
        answers = Predictions(
            schema=schema,
            class_scores=class_scores,
            other_scores=other_scores,
            threshold=self.threshold,
            paths=none if paths is None else tuple(paths),
            errors=errors,
            offsets=self.offsets,
            ambiguous=ambiguous,
            nearest=table,
        )
        return replace(answers, percentile=self._percentiles(answers.other_score))

    def _percentiles(self, other_score: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.searchsorted(self._known_in_order, other_score, side="left")
        return np.where(
            np.isnan(other_score), np.nan, 100.0 * below / max(len(self.known_scores), 1)
        )

    @cached_property
    def _known_in_order(self) -> NDArray[np.float64]:
        return np.sort(self.known_scores)


@dataclass(frozen=True)
class FittedPart:
    """A strategy fitted to some of the outputs, with thresholds and held-out scores.

    `thresholds` is of shape (o,), the scores are (n, K) and (n, o), float64.
    """

    strategy: Strategy
    thresholds: NDArray[np.float64]
    certificate: Certificate
    class_scores: NDArray[np.float64]
    other_scores: NDArray[np.float64]


def fit_model(
    data: TrainingSet,
    strategy: Strategy | Sequence[Strategy],
    budget: Budget | None = None,
    n_folds: int = 5,
    seed: int = 0,
    rows: FoldedRows | None = None,
) -> Model:
    """Fit strategies, and choose the thresholds from held-out scores.

    All rows are learned from; thresholds rest on those that calibrate.

    Parameters
    ----------
    rows : FoldedRows or None
        For a single part: the same rows in the same folds, followed by unseen rows, with the
        cross-fits made on them.
    """
    schema = data.schema
    strategies = (strategy,) if isinstance(strategy, Strategy) else tuple(strategy)
    n, n_outputs = len(data.targets), len(schema.outputs)
    class_scores = np.full((n, len(schema.class_names)), np.nan)
    other_scores = np.full((n, n_outputs), np.inf)
    thresholds, certificates = np.zeros(n_outputs), []
    for outputs, one in zip(schema.parts, strategies, strict=True):
        first = schema.outputs[outputs[0]]
        column = first.name if not first.is_label else ""
        try:
            own, where = data.part(outputs)
            part = _fit_part(own, one, budget, n_folds, seed, rows)
        except OutgroupError as error:
            raise (in_column(error, column) if column else error) from error
        class_scores[np.ix_(where, np.array(class_columns(schema, outputs)))] = part.class_scores
        other_scores[np.ix_(where, np.array(outputs))] = part.other_scores
        thresholds[list(outputs)] = part.thresholds
        certificates.append(_of_column(part.certificate, column) if column else part.certificate)
    threshold, offsets = _threshold_and_offsets(schema, thresholds)
    held_out = (other_scores - offsets).min(axis=1)
    counted = data.known & data.calibrating
    reasons = learn_reasons(
        schema,
        data.features["last"],
        data.targets,
        data.strata,
        class_scores,
        data.units,
        data.paths,
        data.calibrates,
    )
    return Model(
        schema=schema,
        strategies=strategies,
        threshold=threshold,
        offsets=offsets,
        certificate=_joined(certificates),
        known_scores=held_out[counted],
        other_scores=held_out[data.negative],
        reasons=reasons,
    )


def _fit_part(
    data: TrainingSet,
    strategy: Strategy,
    budget: Budget | None,
    n_folds: int,
    seed: int,
    rows: FoldedRows | None,
) -> FittedPart:
    check_suits(strategy, data)
    if rows is None:
        rows = FoldedRows(data.features, data.targets, data.folds(n_folds, seed), data.ungrouped)
    scores = strategy.cross_fit(rows)
    n = len(data.targets)
    class_scores, other_scores = scores.class_scores[:n], scores.other_score[:n].reshape(n, -1)
    if n > 1 and np.ptp(other_scores) <= 1e-9 * np.abs(other_scores).max():
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} gives all images the same other-score, so no "
            "threshold can separate them. Take another strategy or detector (for a single class "
            "'one-class'), or other images if these are all alike."
        )
    thresholds, certificate = calibrate(data, other_scores, budget, strategy.fixed_threshold)
    strategy.fit(data.features, data.targets if strategy.for_labels else data.y)
    return FittedPart(strategy, thresholds, certificate, class_scores, other_scores)


def calibrate(
    data: TrainingSet,
    other_scores: NDArray[np.float64],
    budget: Budget | None = None,
    fixed: float | None = None,
    method: str = "out-of-fold",
    what: str = IMAGES,
) -> tuple[NDArray[np.float64], Certificate]:
    """Choose the thresholds of one part from held-out scores, (n, n_outputs).

    `fixed` is the threshold where it is part of the strategy; `method` and `what` tell the
    certificate how the scores came about and what the rows are.
    """
    rows = data.calibrating
    if data.schema.is_multi_label:
        Y, names = data.schema.indicator(data.targets)[rows], data.classes
        units = data.units_of(rows)
        thresholds, certificate = choose_thresholds(
            other_scores[rows], Y, names, budget, units, fixed
        )
        return thresholds, replace(certificate, method=method)
    scores, y = other_scores[:, 0], data.targets[:, 0]
    known, negative = (y >= 0) & rows, (y == OTHER) & rows
    known_held = HeldOut(scores[known], data.units_of(known), f"{what} like your known ones")
    others_held = None
    if negative.any():  # also where the strategy does not learn from them
        units = data.units_of(negative)
        others_held = HeldOut(scores[negative], units, f"{what} like your negatives")
    found = choose_threshold(known_held, others_held, budget, fixed=fixed, method=method)
    return np.array([found.threshold]), found.certificate


def fixed_model(schema: LabelSchema, strategy: Strategy, threshold: float) -> Model:
    """Return a model that has seen no image and guarantees nothing; its strategy learns nothing."""
    none = np.empty(0)
    certificate = Certificate((), "none")
    return Model(schema, (strategy,), threshold, np.zeros(1), certificate, none, none)


def calibrated_model(
    data: TrainingSet, strategy: Strategy, budget: Budget | None = None, what: str = IMAGES
) -> Model:
    """Return a model of a strategy that learns nothing, with thresholds from these rows.

    No row has to be held out, so their scores are used as they are. `what` names the rows in the
    certificate.
    """
    if strategy.learns:
        raise InvalidParameterError(
            "Invalid `strategy`: must be one that learns nothing from images, got "
            f"{strategy.name!r}. Fit it to images instead."
        )
    scores = strategy.score(data.features).other_score.reshape(len(data.targets), -1)
    thresholds, certificate = calibrate(data, scores, budget, method="held-out", what=what)
    threshold, offsets = _threshold_and_offsets(data.schema, thresholds)
    held_out = (scores - offsets).min(axis=1)
    return Model(
        data.schema,
        (strategy,),
        threshold,
        offsets,
        certificate,
        held_out[data.known],
        held_out[data.negative],
    )


def _threshold_and_offsets(
    schema: LabelSchema, thresholds: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Return the threshold of a single output; several have 0, and an offset each."""
    single = schema.is_single
    return (float(thresholds[0]), np.zeros(1)) if single else (0.0, thresholds)


def check_suits(strategy: Strategy, data: TrainingSet) -> None:
    """Refuse a strategy that can't learn from these data."""
    for layer in strategy.needs_layers:
        if layer not in data.features:
            raise InvalidParameterError(
                f"The strategy {strategy.name!r} reads the layer {layer!r}, got only "
                f"{', '.join(map(repr, data.features))}. Take a backbone that has it, such as "
                "'efficientnet-lite0', or another strategy."
            )
    if strategy.for_labels != data.schema.is_multi_label:
        kinds = ("exclusive classes", "labels of which an image may have any number")
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} learns {kinds[strategy.for_labels]}, got "
            f"{kinds[data.schema.is_multi_label]}."
        )
    has_others = bool(data.negative.any())
    if strategy.needs_others and not has_others:
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} learns from negatives, and there are none. Give some, "
            f"or take a strategy that needs none, such as {DEFAULT!r}."
        )
    learns = strategy.uses_others and has_others
    enough = not strategy.needs_two_classes and (strategy.takes_one_class or learns)
    if not strategy.for_labels and len(data.classes) < 2 and not enough:
        raise InvalidParameterError(
            f"The strategy {strategy.name!r} tells classes from each other, and there is only one, "
            f"{data.classes[0]!r}. Take 'one-class', 'blend' or 'detector', for which one class is "
            "enough, or give negatives to a strategy that learns from them."
        )


def _of_column(certificate: Certificate, name: str) -> Certificate:
    """Return a certificate whose guarantees name the column that they are about."""
    made = [replace(p, event=f"{p.event} in {name!r}") for p in certificate.guarantees]
    return replace(certificate, guarantees=tuple(made))


def _joined(certificates: Sequence[Certificate]) -> Certificate:
    """Return one certificate with the guarantees of all."""
    guarantees = tuple(guarantee for one in certificates for guarantee in one.guarantees)
    return replace(certificates[0], guarantees=guarantees)


def class_columns(schema: LabelSchema, outputs: tuple[int, ...]) -> list[int]:
    """Return where the classes of some outputs are among all class scores."""
    return [k for o in outputs for k in range(schema.slices[o].start, schema.slices[o].stop)]


def in_column(error: OutgroupError, name: str) -> OutgroupError:
    """Return an error whose message names the column that it is about."""
    message = f"Column {name!r}: {error}"
    if isinstance(error, InfeasibleTargetError):
        return InfeasibleTargetError(message, error.n_needed)
    return type(error)(message)
