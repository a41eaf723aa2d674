"""Calibrate a threshold for a trained network, from its features and logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup._numeric import require
from outgroup.calibration import Budget, Certificate
from outgroup.errors import InvalidDataError
from outgroup.heads.base import GivenSigmoid, GivenSoftmax
from outgroup.label_schema import LabelSchema
from outgroup.model import Model, fit_model
from outgroup.predictions import Predictions
from outgroup.strategies import Strategy, choose_strategy
from outgroup.strategies.softmax import OtherClass
from outgroup.training_set import TrainingSet

HEADS = {"softmax": GivenSoftmax, "sigmoid": GivenSigmoid}


class GivenOutputsClassifier:
    """Predict a class of a network, or None for other, from its features and logits.

    Made by `OpenSetClassifier.from_outputs`.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The classes, in the order of the columns of the logits.
    model_ : Model
        The strategy with its threshold.
    """

    def __init__(self, classes: NDArray[Any], model: Model, n_features: int) -> None:
        self.classes_ = classes
        self.model_ = model
        self._n_features = n_features

    @property
    def threshold_(self) -> float:
        """Images with a higher other-score are other."""
        return self.model_.threshold

    @property
    def certificate_(self) -> Certificate:
        """What the threshold guarantees."""
        return self.model_.certificate

    def predict(self, features: ArrayLike, logits: ArrayLike) -> NDArray[np.object_]:
        """Return the class of each image, None for other.

        Parameters
        ----------
        features : array-like of shape (n, d)
        logits : array-like of shape (n, K)
            In the columns of `from_outputs`.

        Returns
        -------
        ndarray of shape (n,), object
        """
        answers = self.predict_open(features, logits)
        best = self.classes_.astype(object)[answers.best[:, 0]]
        best[~answers.given[:, 0]] = None
        return best

    def predict_open(self, features: ArrayLike, logits: ArrayLike) -> Predictions:
        """Return predictions with their scores and reasons."""
        rows = checked(features, logits, self._n_features, len(self.classes_))
        return self.model_.predict(rows)

    def other_score(self, features: ArrayLike, logits: ArrayLike) -> NDArray[np.float64]:
        """Return the other-score of each image, (n,), higher = more other."""
        return self.predict_open(features, logits).other_score


def from_outputs(
    features: ArrayLike,
    logits: ArrayLike,
    y: ArrayLike,
    *,
    classes: Sequence[object] | None,
    other: tuple[ArrayLike, ArrayLike] | None,
    groups: Sequence[str | None] | None,
    strategy: str,
    probabilities: str,
    budget: Budget,
    n_folds: int,
    seed: int,
) -> GivenOutputsClassifier:
    """See `OpenSetClassifier.from_outputs`."""
    labels = np.asarray(y, dtype=object)
    known = [label for label in labels if label is not None]
    names = np.unique(np.array(known)) if classes is None else np.array(list(classes))
    rows = checked(features, logits, None, None)
    n_columns = rows["logits"].shape[1]
    if n_columns != len(names):
        raise InvalidDataError(
            f"There must be a column of logits for each of the {len(names)} classes "
            f"{', '.join(map(str, names))}. Got {n_columns}. Give classes=, the class of each "
            "column in their order; leave out a column that stands for other."
        )
    if len(labels) != len(rows["last"]):
        raise InvalidDataError(
            f"There must be one label for each of the {len(rows['last'])} rows. Got {len(labels)}."
        )
    index = {name: k for k, name in enumerate(names.tolist())}
    strange = sorted({str(label) for label in known if label not in index})
    if strange:
        raise InvalidDataError(
            f"Invalid `classes`: must have every label in `y`, but does not have "
            f"{', '.join(strange)}."
        )
    class_index = np.array([-1 if label is None else index[label] for label in labels])
    if other is not None:
        more = checked(*other, rows["last"].shape[1], n_columns)
        rows = {layer: np.vstack([rows[layer], more[layer]]) for layer in rows}
        class_index = np.pad(class_index, (0, len(more["last"])), constant_values=-1)
        groups = None if groups is None else [*groups, *[None] * len(more["last"])]
    schema = LabelSchema.single([str(n) for n in names])
    data = TrainingSet(rows, class_index, schema, groups=groups, tuned=True)
    chosen = _with_given_head(choose_strategy(strategy), probabilities)
    model = fit_model(data, chosen, budget, n_folds, seed)
    return GivenOutputsClassifier(names, model, rows["last"].shape[1])


def checked(
    features: ArrayLike, logits: ArrayLike, n_features: int | None, n_columns: int | None
) -> dict[str, NDArray[Any]]:
    """Return the layers "last" and "logits", in float64."""
    found = {}
    for name, values, width in (("last", features, n_features), ("logits", logits, n_columns)):
        what = "features" if name == "last" else "logits"
        array = np.asarray(values, dtype=np.float64)
        if array.ndim != 2 or (width is not None and array.shape[1] != width):
            must = "(n, d)" if width is None else f"(n, {width})"
            raise InvalidDataError(
                f"The {what!r} must be an array of shape {must}. Got {array.shape}."
            )
        if not np.isfinite(array).all():
            raise InvalidDataError(f"The {what!r} have NaN or infinite values. Leave them out.")
        found[name] = array
    if len(found["last"]) != len(found["logits"]):
        raise InvalidDataError(
            f"There must be as many rows of features as of logits. Got {len(found['last'])} and "
            f"{len(found['logits'])}."
        )
    return found


def _with_given_head(strategy: Strategy, probabilities: str) -> Strategy:
    """Return the strategy with a head that returns the probabilities of the given logits."""
    known = ", ".join(map(repr, HEADS))
    require(probabilities in HEADS, "probabilities", f"one of {known}", probabilities)
    suits = strategy.takes_head is not None and issubclass(GivenSoftmax, strategy.takes_head)
    suits = suits and not isinstance(strategy, OtherClass)  # its head has one more class
    needed = (
        "one with a head for the known classes, such as 'blend', 'softmax:energy' or 'detector'"
    )
    require(suits, "strategy", needed, strategy.name)
    parts = {name: getattr(strategy, name) for name in strategy.parts if name != "head"}
    given = {**strategy.given(), "layers": ("logits",)}
    cls: type[Any] = type(strategy)
    given_head: Strategy = cls(head=HEADS[probabilities](), **given, **parts)
    return given_head
