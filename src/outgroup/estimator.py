"""`OpenSetClassifier`: arrays in, labels or None out, by scikit-learn's contract."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from outgroup._component import OTHER
from outgroup.calibration import Budget
from outgroup.data.label_arrays import (
    ArrayLabels,
    is_vector,
    known_of_vector,
    matrix_labels,
    vector_labels,
)
from outgroup.data.values import is_missing
from outgroup.data_checks import data_warnings
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.evaluation import evaluate
from outgroup.given_outputs import GivenOutputsClassifier, from_outputs
from outgroup.model import Model, fit_model
from outgroup.predictions import Predictions
from outgroup.selection import select_strategy
from outgroup.strategies import Strategy
from outgroup.training_set import TrainingSet

FLOATS = (np.float64, np.float32)

#: The labels of n rows: see `OpenSetClassifier.fit`.
Labels = ArrayLike | Sequence[Sequence[str]]


class OpenSetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier on embeddings that answers None for what is none of its classes.

    The shape of `y` decides what is learned, as scikit-learn's ``type_of_target`` names it: one
    class a row, any number of labels, or a class in each of several columns.

    Parameters
    ----------
    strategy : str, default="auto"
        A name listed by ``outgroup methods``, or "auto" for the one that measures best on these
        data; see `outgroup.selection.compare_strategies`.
    head : str or None, default=None
        The head of the strategy: a name listed by ``outgroup methods``, with options after commas,
        such as "focal-softmax,gamma=1"; None: the strategy's own. Not possible with "auto".
    max_known_rejected : float, "auto" or None, default="auto"
        Largest share of images like the known ones that may be rejected. A number is guaranteed, or
        `fit` refuses with `InfeasibleTargetError`; with "auto" 0.05 are expected, and
        `certificate_` states the bound. It holds for each label and each column.
    max_other_accepted : float or None, default=None
        Largest share of images like the negatives that may be accepted.
    confidence : float, default=0.95
        Confidence of each guarantee.
    n_folds : int, default=5
        Folds of the held-out scores.
    random_state : int, default=0
        Seed of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (K,), or list of ndarray
        The known classes or labels, in the type they were given in; with columns a list of those of
        each column.
    model_ : Model
        The fitted strategies with their thresholds.
    comparison_ : Comparison or None
        What "auto" chose by; None if nothing was compared.
    threshold_ : float
        A row is other iff its other-score is above it.
    thresholds_ : ndarray of shape (n_outputs,)
        The threshold of each output: of the only one, of each label, or of each column.
    certificate_ : Certificate
        What the thresholds guarantee.
    n_features_in_ : int
        Number of columns seen in `fit`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 8)) + 5 * np.eye(8)[k] for k in (0, 1)])
    >>> y = np.repeat(["cat", "dog"], 100)
    >>> elephants = rng.normal(0, 1, (200, 8)) + 5 * np.eye(8)[2]
    >>> clf = OpenSetClassifier(strategy="sigmoid").fit(X, y, other=elephants)
    >>> clf.predict([[5.0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 5, 0, 0, 0, 0, 0]])
    array(['cat', None], dtype=object)
    >>> print(clf.certificate_.guarantees[0].sentence)
    At most 7.8 % of images like your known ones are rejected (95 % confidence, n = 200;
    4.5 % expected).

    Any number of labels; rows of zeros have none of them:

    >>> Y = rng.integers(0, 2, (300, 2))
    >>> X = rng.normal(size=(300, 8)) + 6 * Y @ np.eye(2, 8)
    >>> clf = OpenSetClassifier().fit(X, Y)
    >>> new = np.zeros((4, 8))
    >>> new[0, :2], new[1, 1], new[2, 5] = 6, 6, 90
    >>> clf.predict(new)
    array([[1, 1],
           [0, 1],
           [0, 0],
           [0, 0]])
    >>> OpenSetClassifier().fit(X, [["cat"] * a + ["dog"] * b for a, b in Y]).predict_labels(new)
    [['cat', 'dog'], ['dog'], [], []]

    A class in each of several columns:

    >>> animal, colour = rng.integers(0, 2, (2, 300))
    >>> X = rng.normal(size=(300, 8)) + 6 * np.eye(8)[animal] + 6 * np.eye(8)[2 + colour]
    >>> y = np.stack([np.array(["cat", "dog"])[animal], np.array(["black", "red"])[colour]], axis=1)
    >>> clf = OpenSetClassifier("softmax").fit(X, y)
    >>> clf.predict([[6, 0, 0, 6, 0, 0, 0, 0], [0, 6, 3, 3, 0, 0, 0, 0]])
    array([['cat', 'red'],
           ['dog', None]], dtype=object)
    """

    def __init__(
        self,
        strategy: str = "auto",
        *,
        head: str | None = None,
        max_known_rejected: float | Literal["auto"] | None = "auto",
        max_other_accepted: float | None = None,
        confidence: float = 0.95,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.strategy = strategy
        self.head = head
        self.max_known_rejected = max_known_rejected
        self.max_other_accepted = max_other_accepted
        self.confidence = confidence
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: Labels,
        *,
        other: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> OpenSetClassifier:
        """Learn the classes in `y`, and what is none of them.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        y : array-like of shape (n,), (n, n_labels) or (n, n_columns), or sequence of n sequences
            One class a row: a vector; None means other. (To cross-validate with None in `y`, give
            scikit-learn a splitter such as ``KFold``: its stratified ones can't sort None.)
            Any number of labels: a matrix of 1 and 0, with -1 or NaN where it is not known; or the
            names of the labels of each row. A row of zeros, or an empty one, is other.
            Columns: a two-dimensional array or DataFrame of classes; None means none of those of
            the column, NaN that it is not known (pandas makes NaN of None among strings, unless
            their type is object).
        other : array-like of shape (m, d) or None
            More negatives.
        groups : array-like of shape (n,) or None
            Rows of one group are held out together, and count as one in a guarantee.

        Returns
        -------
        OpenSetClassifier

        Raises
        ------
        InvalidDataError, InvalidParameterError, InfeasibleTargetError
            All three are also `ValueError`; with columns the message names the column.

        Warns
        -----
        DataWarning
            If something is allowed and rarely meant, such as a class named "other".
        """
        budget = Budget(self.max_known_rejected, self.max_other_accepted, self.confidence)
        rows, target = self._check_training(X, y)
        targets, n = target.targets, len(target.targets)
        if other is not None:
            negatives = validate_data(self, other, dtype=rows.dtype, reset=False)
            rows = np.vstack([rows, negatives])
            targets = np.pad(targets, ((0, len(negatives)), (0, 0)), constant_values=OTHER)
        self._schema = target.schema
        self.classes_ = target.classes if len(target.classes) > 1 else target.classes[0]
        data = TrainingSet(
            {"last": rows}, targets, target.schema, groups=padded_groups(groups, n, len(rows))
        )
        strategies: list[Strategy] = []
        for _, part in data.parts():
            strategy, self.comparison_, folded = select_strategy(
                self.strategy,
                part,
                budget,
                head=self.head,
                n_folds=self.n_folds,
                seed=self.random_state,
            )
            strategies.append(strategy)
        self.model_: Model = fit_model(
            data, strategies, budget, self.n_folds, self.random_state, folded
        )
        for message in data_warnings(data, self.model_):
            warnings.warn(message, DataWarning, stacklevel=2)
        self.threshold_ = self.model_.threshold
        self.thresholds_ = np.array([*self.model_.thresholds.values()])
        self.certificate_ = self.model_.certificate
        return self

    @classmethod
    def from_outputs(
        cls,
        features: ArrayLike,
        logits: ArrayLike,
        y: ArrayLike,
        *,
        classes: Sequence[object] | None = None,
        other: tuple[ArrayLike, ArrayLike] | None = None,
        groups: Sequence[str | None] | None = None,
        strategy: str = "blend",
        probabilities: Literal["softmax", "sigmoid"] = "softmax",
        max_known_rejected: float | Literal["auto"] | None = "auto",
        max_other_accepted: float | None = None,
        confidence: float = 0.95,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> GivenOutputsClassifier:
        """Calibrate a threshold for a network that is trained already.

        The class is the one that the network gives; its outputs for images that it has *not* been
        trained on calibrate the threshold.

        Parameters
        ----------
        features : array-like of shape (n, d)
            Input of the network's last layer, for held-out images.
        logits : array-like of shape (n, K)
            Its logits for them, a column for each class.
        y : array-like of shape (n,)
            Their classes; None means other.
        classes : sequence or None
            The class of each column; None: those in `y`, sorted.
        other : (features, logits) or None
            Of more negatives.
        groups : sequence of (str or None) or None
            As for `fit`.
        strategy : str, default="blend"
            One with a head, such as "blend", "softmax:energy" or "detector:knn".
        probabilities : {"softmax", "sigmoid"}, default="softmax"
            How logits become probabilities.
        max_known_rejected, max_other_accepted, confidence, n_folds, random_state
            As for the constructor.

        Returns
        -------
        GivenOutputsClassifier
            With ``predict(features, logits)``.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat(["cat", "dog"], 100)
        >>> features = rng.normal(0, 1, (200, 8)) + 5 * np.eye(8)[np.repeat([0, 1], 100)]
        >>> clf = OpenSetClassifier.from_outputs(features, features[:, :2], y)
        >>> new = np.array([[5.0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 9, 0, 0, 0, 0, 0]])
        >>> clf.predict(new, new[:, :2])
        array(['cat', None], dtype=object)
        """
        return from_outputs(
            features,
            logits,
            y,
            classes=classes,
            other=other,
            groups=groups,
            strategy=strategy,
            probabilities=probabilities,
            budget=Budget(max_known_rejected, max_other_accepted, confidence),
            n_folds=n_folds,
            seed=random_state,
        )

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the classes of each row.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.

        Returns
        -------
        ndarray
            One class a row: (n,), object, items of ``classes_`` or None. Labels: (n, n_labels),
            int64, 1 for each label given. Columns: (n, n_columns), object, a class or None in each.
        """
        answers = self.predict_open(X)
        if self._learned_labels():
            return answers.given.astype(np.int64)
        classes = [self.classes_] if self._schema.is_single else self.classes_
        found = np.empty(answers.given.shape, dtype=object)
        for o, names in enumerate(classes):
            found[:, o] = names.astype(object)[answers.best[:, o]]
        found[~answers.given] = None
        return found[:, 0] if self._schema.is_single else found

    def predict_labels(self, X: ArrayLike) -> list[list[Any]]:
        """Return all classes given to each row, items of ``classes_``; a list may be empty."""
        found = self.predict(X)
        if self._learned_labels():
            return [self.classes_[row.astype(bool)].tolist() for row in found]
        rows = found.reshape(len(found), -1).tolist()
        return [[name for name in row if name is not None] for row in rows]

    def predict_open(self, X: ArrayLike) -> Predictions:
        """Return answers with their scores, reasons and the training rows they are nearest to.

        ``.at(threshold)`` decides again at another threshold. Classes go by their text; those of
        a column by "0=cat", with the index of the column.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=FLOATS, reset=False)
        return self.model_.predict({"last": rows})

    def other_score(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the other-score of each row, higher = more other."""
        return self.predict_open(X).other_score

    def score(self, X: ArrayLike, y: Labels, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of rows answered rightly; for a row of other that is None.

        With labels it is the macro F1, which is 0 for answering nothing; with columns the mean over
        columns, where cells of NaN don't count.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        y : as for `fit`
            True classes.
        sample_weight : array-like of shape (n,) or None
            Weights of the rows; not with labels.
        """
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        if self._learned_labels():
            if weights is not None:
                raise InvalidParameterError(
                    "Invalid `sample_weight`: must be None with labels, got an array."
                )
            true = matrix_labels(y, [*self.classes_]).targets
            return evaluate(true, self.predict_open(X)).macro_f1.value
        answers = self.predict(X)
        rows = np.asarray(y, dtype=object).reshape(len(answers), -1)
        shares = []
        for given, values in zip(answers.reshape(rows.shape).T, rows.T, strict=True):
            seen = [not is_missing(value) for value in values]
            right = np.array([a == t for a, t in zip(given, values, strict=True)])[seen]
            shares.append(np.average(right, weights=None if weights is None else weights[seen]))
        return float(np.mean(shares))

    def _learned_labels(self) -> bool:
        """Tell whether a row may have any number of labels."""
        check_is_fitted(self)
        return not (self._schema.is_single or isinstance(self.classes_, list))

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: `y` may have several columns."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags

    def _check_training(self, X: ArrayLike, y: Labels) -> tuple[NDArray[Any], ArrayLabels]:
        """Return checked rows, and their labels."""
        if y is None:
            raise InvalidDataError(
                "OpenSetClassifier requires y to be passed, but the target y is None."
            )
        if hasattr(y, "__array__"):
            y = np.asarray(y)
        if not is_vector(y):
            rows = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
            target = matrix_labels(y)
            check_consistent_length(rows, target.targets)
            return rows, target
        values, known = known_of_vector(y)
        if known.all():  # scikit-learn's own checks explain best what is wrong with an ordinary y
            rows, labels = validate_data(self, X, y, dtype=FLOATS, ensure_min_samples=2)
        else:
            rows = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
            check_consistent_length(rows, values)
            # in the type they have in common, as NumPy would if None were not among them
            labels = np.array(values[known].tolist())
        return rows, vector_labels(labels, known)


def padded_groups(groups: ArrayLike | None, n: int, total: int) -> list[str | None] | None:
    """Return the groups of `n` rows as text, and None for the others up to `total`."""
    if groups is None:
        return None
    given = np.asarray(groups, dtype=object)
    if given.shape != (n,):
        raise InvalidDataError(
            f"Invalid `groups`: must have one entry for each of the {n} rows, got shape "
            f"{given.shape}."
        )
    return [None if g is None else str(g) for g in given] + [None] * (total - n)
