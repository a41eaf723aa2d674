"""A calibrated "other" for a network that is trained already, from what it gives for images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.calibration import Budget, Certificate
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.heads._given import GivenSigmoid, GivenSoftmax
from outgroup.model import OpenSetModel, fit_model
from outgroup.predictions import Predictions
from outgroup.selection import choose_strategy
from outgroup.strategies import Strategy
from outgroup.training_set import TrainingSet

HEADS = {"softmax": GivenSoftmax, "sigmoid": GivenSigmoid}


class GivenOutputsClassifier:
    """Answers with the classes of a network, or None, from its features and logits.

    Made by `OpenSetClassifier.from_outputs`.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The classes, in the order of the columns of the logits.
    model_ : OpenSetModel
        The strategy with its threshold.
    """

    def __init__(self, classes: NDArray[Any], model: OpenSetModel, n_features: int) -> None:
        self.classes_ = classes
        self.model_ = model
        self._n_features = n_features

    @property
    def threshold_(self) -> float:
        """An image is other iff its other-score is above this."""
        return self.model_.threshold

    @property
    def certificate_(self) -> Certificate:
        """What the threshold promises."""
        return self.model_.certificate

    def predict(self, features: ArrayLike, logits: ArrayLike) -> NDArray[np.object_]:
        """Return the class of each image, None for other.

        Parameters
        ----------
        features : array-like of shape (n, d)
        logits : array-like of shape (n, K)
            Of the network, as for `from_outputs`.

        Returns
        -------
        ndarray of shape (n,), object
        """
        answers = self.predict_open(features, logits)
        best: NDArray[np.object_] = self.classes_[np.argmax(answers.class_scores, axis=1)]
        best = best.astype(object)
        best[answers.other_score > answers.threshold] = None
        return best

    def predict_open(self, features: ArrayLike, logits: ArrayLike) -> Predictions:
        """Return answers with their scores and reasons."""
        rows = checked(features, logits, self._n_features, len(self.classes_))
        return self.model_.predict(rows)

    def other_score(self, features: ArrayLike, logits: ArrayLike) -> NDArray[np.float64]:
        """Return the other-score of each image, higher = more other."""
        return self.predict_open(features, logits).other_score


def from_outputs(
    features: ArrayLike,
    logits: ArrayLike,
    y: ArrayLike,
    *,
    classes: Sequence[Any] | None,
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
        raise InvalidDataError(f"The 'classes' parameter does not have {', '.join(strange)}.")
    class_index = np.array([-1 if label is None else index[label] for label in labels])
    if other is not None:
        more = checked(*other, rows["last"].shape[1], n_columns)
        rows = {layer: np.vstack([rows[layer], more[layer]]) for layer in rows}
        class_index = np.pad(class_index, (0, len(more["last"])), constant_values=-1)
        groups = None if groups is None else [*groups, *[None] * len(more["last"])]
    data = TrainingSet(rows, class_index, tuple(str(n) for n in names), groups=groups, tuned=True)
    chosen = _with_given_head(choose_strategy(strategy), probabilities)
    model = fit_model(data, chosen, budget, n_folds, seed)
    return GivenOutputsClassifier(names, model, rows["last"].shape[1])


def checked(
    features: ArrayLike, logits: ArrayLike, n_features: int | None, n_columns: int | None
) -> dict[str, NDArray[Any]]:
    """Return both as float64 layers of as many rows.

    Raises
    ------
    InvalidDataError
        If they are not as they must be.
    """
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
    if probabilities not in HEADS:
        raise InvalidParameterError(
            f"The 'probabilities' parameter must be one of {', '.join(map(repr, HEADS))}. "
            f"Got {probabilities!r} instead."
        )
    if strategy.takes_head is None or not issubclass(GivenSoftmax, strategy.takes_head):
        raise InvalidParameterError(
            f"The 'strategy' parameter must be one with a head for the known classes, such as "
            f"'blend', 'softmax:energy' or 'detector'. Got {strategy.name!r} instead."
        )
    parts = {name: getattr(strategy, name) for name in strategy.parts if name != "head"}
    given = {**strategy.given(), "layers": ("logits",)}
    cls: type[Any] = type(strategy)
    given_head: Strategy = cls(head=HEADS[probabilities](), **given, **parts)
    return given_head
