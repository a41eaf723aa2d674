"""Several columns of classes, each with a softmax (or what its strategy has) and its own other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import Budget, Certificate
from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError
from outgroup.model import OpenSetModel, fit_model
from outgroup.multilabel.output_predictions import OutputPredictions, output_class
from outgroup.strategies import Features, Strategy, take
from outgroup.training_set import TrainingSet


@dataclass(frozen=True)
class OutputsModel:
    """A model for each column, on the same embeddings.

    Parameters
    ----------
    columns : dict of str to OpenSetModel
        The model of each column.
    threshold : float, default=0.0
        By how much all thresholds are moved.
    """

    columns: dict[str, OpenSetModel]
    threshold: float = 0.0

    @property
    def classes(self) -> tuple[str, ...]:
        """All of "column=value", in the order of the columns."""
        return tuple(output_class(k, name) for k, m in self.columns.items() for name in m.classes)

    @property
    def strategy(self) -> Strategy:
        """The strategy of the first column; all have the same kind."""
        return next(iter(self.columns.values())).strategy

    @property
    def certificate(self) -> Certificate:
        """The promises of all columns, each of which names its column."""
        return Certificate(
            tuple(
                replace(promise, event=f"{promise.event} in {name!r}")
                for name, model in self.columns.items()
                for promise in model.certificate.promises
            )
        )

    def predict(
        self,
        features: Features,
        paths: Sequence[str | None] | None = None,
        errors: Sequence[str | None] | None = None,
        nearest: int = 0,
    ) -> OutputPredictions:
        """Answer for n images; as `OpenSetModel.predict`, for each column."""
        answers = {k: model.predict(features, paths, errors) for k, model in self.columns.items()}
        return OutputPredictions(answers, self.threshold)


def fit_outputs(
    features: Features,
    columns: Mapping[str, tuple[Sequence[str | None], NDArray[np.bool_]]],
    make_strategy: Callable[[], Strategy],
    budget: Budget | None = None,
    groups: Sequence[str | None] | None = None,
    origins: Sequence[str] | None = None,
    n_folds: int = 5,
    seed: int = 0,
    promised: NDArray[np.bool_] | None = None,
) -> OutputsModel:
    """Fit a model for each column to the images that are labelled in it.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer.
    columns : mapping of str to (sequence of (str or None), ndarray of bool), each of length n
        For each column its values (None: none of these), and which of the images are labelled in
        it; what the value of the others is does not matter.
    make_strategy : callable
        Returns an unfitted strategy.
    budget : Budget or None
        What the threshold of each column has to keep; None is ``Budget()``.
    groups, origins : sequence or None
        As for `TrainingSet`.
    n_folds, seed : int
        As for `fit_model`.
    promised : ndarray of shape (n,), bool, or None
        As for `TrainingSet`.

    Raises
    ------
    InvalidDataError, InvalidParameterError, InfeasibleTargetError
        As `fit_model` does; the message names the column.
    """
    if not columns:
        raise InvalidParameterError("There must be at least one column of classes. Got none.")
    fitted = {}
    for name, (labels, seen) in columns.items():
        data = training_set(name, features, labels, seen, groups, origins)
        if promised is not None:
            data = replace(data, promised=promised[seen])
        try:
            model = fit_model(data, make_strategy(), budget, n_folds, seed)
            # the same training images in each column would multiply the size of a model's file
            fitted[name] = replace(model, reasons=None)
        except InfeasibleTargetError as error:
            raise InfeasibleTargetError(f"Column {name!r}: {error}", error.n_needed) from error
        except (InvalidDataError, InvalidParameterError) as error:
            raise type(error)(f"Column {name!r}: {error}") from error
    return OutputsModel(fitted)


def training_set(
    name: str,
    features: Features,
    labels: Sequence[str | None],
    seen: NDArray[np.bool_],
    groups: Sequence[str | None] | None = None,
    origins: Sequence[str] | None = None,
) -> TrainingSet:
    """Return the images that are labelled in one column.

    Raises
    ------
    InvalidDataError
        If nothing can be learned from them; the message names the column.
    """
    rows = np.flatnonzero(seen).tolist()
    try:
        return TrainingSet.from_labels(
            take(features, np.array(rows, dtype=np.int64)),
            [labels[i] for i in rows],
            None if groups is None else [groups[i] for i in rows],
            None if origins is None else [origins[i] for i in rows],
        )
    except InvalidDataError as error:
        raise InvalidDataError(f"Column {name!r}: {error}") from error
