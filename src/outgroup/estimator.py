"""`OpenSetClassifier`: arrays in, labels or None out, by scikit-learn's contract."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from outgroup.calibration import Budget
from outgroup.data.values import is_missing
from outgroup.data_checks import suspicious
from outgroup.errors import DataWarning, InvalidDataError
from outgroup.given_outputs import GivenOutputsClassifier, from_outputs
from outgroup.model import OpenSetModel, fit_model
from outgroup.predictions import Predictions
from outgroup.selection import select_strategy
from outgroup.training_set import TrainingSet

FLOATS = (np.float64, np.float32)
BOOLS = (bool, np.bool_)


class OpenSetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier on embeddings that answers None for what is none of its classes.

    Parameters
    ----------
    strategy : str, default="auto"
        A name listed by ``outgroup methods``, or "auto" for the one that is best on these data by
        measurement; see `outgroup.selection.compare_strategies`.
    head : str or None, default=None
        The head of the strategy: a name listed by ``outgroup methods``, with options behind commas,
        such as "focal-softmax,gamma=1"; None: the strategy's own. Not to be had with "auto".
    max_known_rejected : float, "auto" or None, default="auto"
        Largest share of images like the known ones that may be called other. A number is kept, or
        `fit` refuses with `InfeasibleTargetError`; with "auto" 0.05 are expected, and
        `certificate_` says how many it may be.
    max_other_accepted : float or None, default=None
        Largest share of images like the negatives that may be given a class.
    confidence : float, default=0.95
        Confidence of each promise.
    n_folds : int, default=5
        Folds of the held-out scores.
    random_state : int, default=0
        Seed of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The known classes, in the type they were given in.
    model_ : OpenSetModel
        The fitted strategy with its threshold.
    comparison_ : Comparison or None
        What "auto" chose by; None if the strategy was named.
    threshold_ : float
        A row is other iff its other-score is above it.
    certificate_ : Certificate
        What the threshold promises.
    n_features_in_ : int
        Number of columns seen in `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(0, 1, (100, 8)) + 5 * np.eye(8)[k] for k in (0, 1)])
    >>> y = np.repeat(["cat", "dog"], 100)
    >>> elephants = rng.normal(0, 1, (200, 8)) + 5 * np.eye(8)[2]
    >>> clf = OpenSetClassifier(strategy="sigmoid").fit(X, y, other=elephants)
    >>> clf.predict([[5.0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 5, 0, 0, 0, 0, 0]])
    array(['cat', None], dtype=object)
    >>> print(clf.certificate_.promises[0].sentence)
    At most 7.8 % of images like your known ones are called other (95 % confidence, n = 200;
    4.5 % expected).
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
        y: ArrayLike,
        *,
        other: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> OpenSetClassifier:
        """Learn the classes in `y`, and what is none of them.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        y : array-like of shape (n,)
            Class of each row; None means other. (To cross-validate with None in `y`, hand
            scikit-learn a splitter such as ``KFold``: its stratified ones can't sort None.)
        other : array-like of shape (m, d) or None
            More negatives.
        groups : array-like of shape (n,) or None
            Rows of one group are held out together, and count as one in a promise.

        Returns
        -------
        OpenSetClassifier

        Raises
        ------
        InvalidDataError, InvalidParameterError, InfeasibleTargetError
            All three are also `ValueError`.

        Warns
        -----
        DataWarning
            If something is allowed and rarely meant, such as a class named "other".
        """
        budget = Budget(self.max_known_rejected, self.max_other_accepted, self.confidence)
        rows, labels, known = self._check_training(X, y)
        self.classes_, index = np.unique(labels, return_inverse=True)
        class_index = np.full(len(rows), -1, dtype=np.int64)
        class_index[known] = index
        if other is not None:
            negatives = validate_data(self, other, dtype=rows.dtype, reset=False)
            rows = np.vstack([rows, negatives])
            class_index = np.pad(class_index, (0, len(negatives)), constant_values=-1)
        data = TrainingSet(
            {"last": rows},
            class_index,
            tuple(str(label) for label in self.classes_),
            groups=padded_groups(groups, len(known), len(rows)),
        )
        strategy, self.comparison_, dealt = select_strategy(
            self.strategy,
            data,
            budget,
            head=self.head,
            n_folds=self.n_folds,
            seed=self.random_state,
        )
        self.model_: OpenSetModel = fit_model(
            data, strategy, budget, self.n_folds, self.random_state, dealt
        )
        for message in suspicious(data, self.model_):
            warnings.warn(message, DataWarning, stacklevel=2)
        self.threshold_ = self.model_.threshold
        self.certificate_ = self.model_.certificate
        return self

    @classmethod
    def from_outputs(
        cls,
        features: ArrayLike,
        logits: ArrayLike,
        y: ArrayLike,
        *,
        classes: Sequence[Any] | None = None,
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
        """Give a network that is trained already a calibrated "other".

        The class is the one that the network says; what it gives for images that it has *not* been
        trained on teaches how far known ones go, and lays the threshold.

        Parameters
        ----------
        features : array-like of shape (n, d)
            What the network's last layer reads, for held-out images.
        logits : array-like of shape (n, K)
            What it says of them, a column for each class.
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
            What makes probabilities of the logits.
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

    def predict(self, X: ArrayLike) -> NDArray[np.object_]:
        """Return the class of each row, None for other.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.

        Returns
        -------
        ndarray of shape (n,), object
            Items of ``classes_``, or None.
        """
        answers = self.predict_open(X)
        best: NDArray[np.object_] = self.classes_[np.argmax(answers.class_scores, axis=1)]
        best = best.astype(object)
        best[answers.other_score > answers.threshold] = None
        return best

    def predict_open(self, X: ArrayLike) -> Predictions:
        """Return answers with their scores, reasons and the training rows they are nearest to.

        ``.at(threshold)`` decides anew at another threshold.

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

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of rows answered rightly; for a row of other that is None.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        y : array-like of shape (n,)
            True classes, None for other.
        sample_weight : array-like of shape (n,) or None
            Weights of the rows.
        """
        answers = self.predict(X)
        right = [a == t for a, t in zip(answers, np.asarray(y, dtype=object), strict=True)]
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        return float(np.average(right, weights=weights))

    def _check_training(
        self, X: ArrayLike, y: ArrayLike
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
        """Return checked rows, the labels of the known ones, and which these are."""
        if y is None:
            raise InvalidDataError(
                "OpenSetClassifier requires y to be passed, but the target y is None."
            )
        as_objects = np.asarray(y, dtype=object)
        missing = [i for i, label in enumerate(as_objects.ravel()) if is_missing(label)]
        if missing:
            raise InvalidDataError(
                f"The labels of {len(missing)} rows are NaN, the first that of row {missing[0]}. "
                "Give None for what is none of the classes, and leave out what nobody has labelled."
            )
        known = np.array([label is not None for label in as_objects.ravel()], dtype=np.bool_)
        _refuse_mixed(as_objects[known])
        if known.all():  # scikit-learn's own checks say best what is wrong with an ordinary y
            rows, labels = validate_data(self, X, y, dtype=FLOATS, ensure_min_samples=2)
        else:
            rows = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
            check_consistent_length(rows, as_objects)
            # in the type they have in common, as NumPy would if None were not among them
            labels = np.array(as_objects[known].tolist())
        check_classification_targets(labels)
        return rows, labels, known


def _refuse_mixed(labels: NDArray[np.object_]) -> None:
    """Refuse labels of several kinds: 7 and "7" may be one class or two, 1 and True as well."""
    kinds = {
        "strings" if isinstance(x, str) else "truth values" if isinstance(x, BOOLS) else "numbers"
        for x in labels.ravel()
    }
    if len(kinds) > 1:
        raise InvalidDataError(
            "Labels must all be strings, all numbers or all truth values, besides None for other. "
            f"Got both {' and '.join(sorted(kinds))}. Write them all as strings."
        )


def padded_groups(groups: ArrayLike | None, n: int, total: int) -> list[str | None] | None:
    """Return the groups of `n` rows as text, and None for the others up to `total`."""
    if groups is None:
        return None
    given = np.asarray(groups, dtype=object)
    if given.shape != (n,):
        raise InvalidDataError(
            f"The 'groups' parameter must have one entry for each of the {n} rows. "
            f"Got shape {given.shape} instead."
        )
    return [None if g is None else str(g) for g in given] + [None] * (total - n)
