"""Several answers a row, on arrays, by scikit-learn's contract as far as it has one for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from outgroup.calibration import Budget
from outgroup.errors import InvalidDataError
from outgroup.estimator import FLOATS, padded_groups
from outgroup.evaluation import evaluate_labels
from outgroup.multilabel import (
    LabelPredictions,
    LabelsModel,
    LabelTrainingSet,
    OutputPredictions,
    OutputsModel,
    choose_labeler,
    fit_labels,
    fit_outputs,
)
from outgroup.selection import choose_strategy


class _Several(BaseEstimator):  # type: ignore[misc]
    """Parameters that both have; see their own docstrings."""

    def __init__(
        self,
        strategy: str = "auto",
        *,
        max_known_rejected: float | Literal["auto"] | None = "auto",
        max_other_accepted: float | None = None,
        confidence: float = 0.95,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.strategy = strategy
        self.max_known_rejected = max_known_rejected
        self.max_other_accepted = max_other_accepted
        self.confidence = confidence
        self.n_folds = n_folds
        self.random_state = random_state

    def _budget(self) -> Budget:
        return Budget(self.max_known_rejected, self.max_other_accepted, self.confidence)

    def _rows(self, X: ArrayLike, y: Any) -> NDArray[Any]:
        """Return the checked rows; what is wrong with these is said before what is wrong with y."""
        if y is None:
            raise InvalidDataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        rows: NDArray[Any] = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        return rows

    def _with_others(self, rows: NDArray[Any], other: ArrayLike | None) -> tuple[NDArray[Any], int]:
        """Return the rows with those of `other` behind them, and the number of these."""
        if other is None:
            return rows, 0
        negatives = validate_data(self, other, dtype=rows.dtype, reset=False)
        return np.vstack([rows, negatives]), len(negatives)


class MultiLabelOpenSetClassifier(_Several):
    """A classifier on embeddings that gives each row any number of labels, or none.

    Parameters
    ----------
    strategy : str, default="auto"
        A labeler listed by ``outgroup methods``, or "auto".
    max_known_rejected : float, "auto" or None, default="auto"
        Largest share of the rows of a label that may miss it, for each label. A number is kept, or
        `fit` refuses with `InfeasibleTargetError`; with "auto" 0.05 are expected, and
        `certificate_` says how many it may be.
    max_other_accepted : float or None, default=None
        Largest share of rows of none of the labels that may be given any.
    confidence : float, default=0.95
        Confidence of each promise.
    n_folds : int, default=5
        Folds of the held-out scores.
    random_state : int, default=0
        Seed of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels: sorted names, or 0 to K - 1 where `Y` was a matrix.
    model_ : LabelsModel
        The fitted labeler with its thresholds.
    thresholds_ : ndarray of shape (K,)
        A label is given iff its score is at most its threshold.
    certificate_ : Certificate
        What the thresholds promise.
    n_features_in_ : int
        Number of columns seen in `fit`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.integers(0, 2, (300, 2))  # rows of zeros are of none of the labels
    >>> X = rng.normal(size=(300, 8)) + 6 * Y @ np.eye(2, 8)
    >>> clf = MultiLabelOpenSetClassifier().fit(X, Y)
    >>> new = np.zeros((4, 8))
    >>> new[0, :2], new[1, 1], new[2, 5] = 6, 6, 90
    >>> clf.predict(new)
    array([[1, 1],
           [0, 1],
           [0, 0],
           [0, 0]])
    >>> named = MultiLabelOpenSetClassifier().fit(X, [["cat"] * a + ["dog"] * b for a, b in Y])
    >>> named.predict_labels(new)
    [['cat', 'dog'], ['dog'], [], []]
    """

    def fit(
        self,
        X: ArrayLike,
        Y: ArrayLike | Sequence[Sequence[str]],
        *,
        other: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> MultiLabelOpenSetClassifier:
        """Learn labels of which any number may apply.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        Y : array-like of shape (n, K), or sequence of n sequences of str
            A matrix of 1 and 0, with -1 or NaN where nobody knows; or the names of the labels of
            each row. A row of zeros, or an empty one, is of none of the labels.
        other : array-like of shape (m, d) or None
            More rows of none of the labels.
        groups : array-like of shape (n,) or None
            Rows of one group are held out together, and count as one in a promise.

        Raises
        ------
        InvalidDataError, InvalidParameterError, InfeasibleTargetError
            All three are also `ValueError`.
        """
        budget, labeler = self._budget(), choose_labeler(self.strategy)
        checked = self._rows(X, Y)
        classes, marks, names = _marks(Y)
        check_consistent_length(checked, marks)
        rows, n_others = self._with_others(checked, other)
        data = LabelTrainingSet(
            {"last": rows},
            np.pad(marks, ((0, n_others), (0, 0))),
            names,
            groups=padded_groups(groups, len(marks), len(rows)),
        )
        self.classes_ = classes
        self.model_: LabelsModel = fit_labels(
            data, labeler, budget, self.n_folds, self.random_state
        )
        self.thresholds_ = self.model_.thresholds
        self.certificate_ = self.model_.certificate
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return 1 for each label given, 0 for the others, (n, K), int64."""
        return self.predict_open(X).given.astype(np.int64)

    def predict_labels(self, X: ArrayLike) -> list[list[Any]]:
        """Return the labels given to each row, items of ``classes_``; the list may be empty."""
        return [self.classes_[row].tolist() for row in self.predict_open(X).given]

    def predict_open(self, X: ArrayLike) -> LabelPredictions:
        """Return answers with their scores; ``.at(shift)`` moves all thresholds."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=FLOATS, reset=False)
        return self.model_.predict({"last": rows})

    def score(self, X: ArrayLike, Y: ArrayLike | Sequence[Sequence[str]]) -> float:
        """Return the macro F1; that of answering nothing is 0.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        Y : as for `fit`
            True labels.
        """
        answers = self.predict_open(X)
        _, marks, names = _marks(Y, self.classes_.tolist())
        found = evaluate_labels(marks, answers.given, answers.label_scores, names)
        return found.macro_f1.value

    def __sklearn_tags__(self) -> Any:
        """Say that `y` is a matrix."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


class MultiOutputOpenSetClassifier(_Several):
    """A classifier on embeddings with several outputs, each with an "other" of its own.

    Parameters
    ----------
    strategy : str, default="auto"
        Of every output: a strategy listed by ``outgroup methods``, or "auto".
    max_known_rejected, max_other_accepted, confidence
        As for `OpenSetClassifier`, in each output.
    n_folds : int, default=5
        Folds of the held-out scores.
    random_state : int, default=0
        Seed of the folds.

    Attributes
    ----------
    classes_ : list of ndarray
        The known classes of each output.
    model_ : OutputsModel
        A fitted model for each output.
    thresholds_ : ndarray of shape (n_outputs,)
        An output is other iff its other-score is above its threshold.
    certificate_ : Certificate
        The promises of all outputs.
    n_features_in_ : int
        Number of columns seen in `fit`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> animal, colour = rng.integers(0, 2, (2, 300))
    >>> X = rng.normal(size=(300, 8)) + 6 * np.eye(8)[animal] + 6 * np.eye(8)[2 + colour]
    >>> y = np.stack([np.array(["cat", "dog"])[animal], np.array(["black", "red"])[colour]], axis=1)
    >>> clf = MultiOutputOpenSetClassifier("softmax").fit(X, y)
    >>> clf.predict([[6, 0, 0, 6, 0, 0, 0, 0], [0, 6, 3, 3, 0, 0, 0, 0]])
    array([['cat', 'red'],
           ['dog', None]], dtype=object)
    """

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        other: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> MultiOutputOpenSetClassifier:
        """Learn the classes of each output.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        y : array-like of shape (n, n_outputs)
            A class in each output; None for none of them, NaN where nobody has looked.
        other : array-like of shape (m, d) or None
            Rows of none of the classes of any output.
        groups : array-like of shape (n,) or None
            Rows of one group are held out together, and count as one in a promise.

        Raises
        ------
        InvalidDataError, InvalidParameterError, InfeasibleTargetError
            All three are also `ValueError`; the message names the output, from 0.
        """
        budget = self._budget()
        checked = self._rows(X, y)
        values = np.asarray(y, dtype=object)
        if values.ndim != 2 or not values.shape[1]:
            raise InvalidDataError(
                "The 'y' parameter must have a row for each row of X and a column for each output. "
                f"Got shape {values.shape} instead."
            )
        check_consistent_length(checked, values)
        rows, n_others = self._with_others(checked, other)
        self.classes_, columns = [], {}
        for k, column in enumerate(values.T):
            seen = np.array([not _is_nan(v) for v in column])
            named = seen & np.array([v is not None for v in column])
            classes, index = np.unique(np.array(column[named].tolist()), return_inverse=True)
            # Numbers sort otherwise than their names: positions with leading zeros do not.
            keys = np.full(len(column), None, dtype=object)
            keys[named] = [_key(i) for i in index]
            self.classes_.append(classes)
            everything = [*keys, *[None] * n_others]
            columns[str(k)] = everything, np.pad(seen, (0, n_others), constant_values=True)
        self.model_: OutputsModel = fit_outputs(
            {"last": rows},
            columns,
            partial(choose_strategy, self.strategy),
            budget,
            groups=padded_groups(groups, len(values), len(rows)),
            n_folds=self.n_folds,
            seed=self.random_state,
        )
        self.thresholds_ = np.array([one.threshold for one in self.model_.columns.values()])
        self.certificate_ = self.model_.certificate
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.object_]:
        """Return the class of each output, None for other, (n, n_outputs), object."""
        outputs = self.predict_open(X).outputs.values()
        answers = [
            [None if key is None else classes.astype(object)[int(key)] for key in keys]
            for keys, classes in zip(outputs, self.classes_, strict=True)
        ]
        return np.array(answers, dtype=object).T

    def predict_open(self, X: ArrayLike) -> OutputPredictions:
        """Return answers with their scores; classes go by their place in ``classes_``."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=FLOATS, reset=False)
        return self.model_.predict({"last": rows})

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the mean over outputs of the share answered rightly, None for other.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        y : as for `fit`
            True classes; cells of NaN don't count.
        """
        answers, true = self.predict(X), np.asarray(y, dtype=object)
        shares = []
        for given, values in zip(answers.T, true.T, strict=True):
            right = [a == t for a, t in zip(given, values, strict=True) if not _is_nan(t)]
            shares.append(float(np.mean(right)))
        return float(np.mean(shares))

    def __sklearn_tags__(self) -> Any:
        """Say that `y` is a matrix."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags


def _marks(
    Y: Any, known: list[Any] | None = None
) -> tuple[NDArray[Any], NDArray[np.int64], tuple[str, ...]]:
    """Return the labels, a matrix of 1, 0 and -1, and the labels' names."""
    if _is_matrix(Y):
        values = np.asarray(Y, dtype=np.float64)
        values = np.where(np.isnan(values), -1, values)
        if values.ndim != 2 or not np.isin(values, (-1, 0, 1)).all():
            raise InvalidDataError(
                "The 'Y' parameter must be a matrix of 1, 0 and -1, or a list of labels for each "
                f"row. Got shape {values.shape} instead."
            )
        width = len(str(values.shape[1]))
        names = tuple(f"{k:0{width}d}" for k in range(values.shape[1]))
        return np.arange(values.shape[1]), values.astype(np.int64), names
    lists = [_names(row) for row in Y]
    classes = sorted({name for row in lists for name in row}) if known is None else known
    strange = sorted({name for row in lists for name in row} - {*classes})
    if strange:
        raise InvalidDataError(f"There are labels that were not learned: {', '.join(strange)}.")
    marks = np.array([[int(name in row) for name in classes] for row in lists], dtype=np.int64)
    return np.array(classes, dtype=object), marks.reshape(len(lists), -1), tuple(classes)


def _is_matrix(Y: Any) -> bool:
    if isinstance(Y, np.ndarray) or hasattr(Y, "to_numpy"):
        return np.asarray(Y).dtype.kind in "biuf"
    first = next((cell for row in Y for cell in (row if np.iterable(row) else [row])), "")
    return not isinstance(first, str)


def _names(row: Any) -> set[str]:
    if isinstance(row, str) or not np.iterable(row) or not all(isinstance(n, str) for n in row):
        raise InvalidDataError(
            "The 'Y' parameter must be a matrix of 1, 0 and -1, or a list of labels for each row. "
            f"Got a row {row!r} instead."
        )
    return {str(name) for name in row}


def _is_nan(value: object) -> bool:
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _key(index: int) -> str:
    return f"{index:09d}"
