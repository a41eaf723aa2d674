"""What a detector is, and where detectors are registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, Component
from outgroup._numeric import log_sum_exp as log_sum_exp  # other layers need it too
from outgroup._registry import Registry


class Detector(Component, ABC):
    """Gives every row an other-score: higher = more other."""

    #: What `other_score` looks at: "features" (embeddings) or "logits" (class scores of a head).
    on: ClassVar[str]


class LogitDetector(Detector):
    """A detector that only looks at the logits of a head, and has nothing to learn."""

    on = "logits"

    @abstractmethod
    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for logits of shape (n, K)."""


class FittedLogitDetector(Detector):
    """A detector that looks at the logits of a head, and learns what those of known images are.

    Fit it to held-out logits where there are any: on the rows that a head has learned from it is
    surer of itself than it will ever be again. It is no `LogitDetector`: those have nothing to fit.
    """

    on = "logits"

    def cross_fit(
        self, logits: NDArray[np.float64], y: NDArray[np.int64], folds: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return scores (n,) by models that have not seen the row, of held-out logits (n, K).

        Parameters
        ----------
        logits : ndarray of shape (n, K), float64
            Of each row, by a head that has not learned from it.
        y : ndarray of shape (n,), int64
            Class indices; rows with `OTHER` or `UNSEEN` are scored by the model of all known rows.
        folds : ndarray of shape (n,), int64
            The model that scores a known row has learned from the known rows of the other folds.
        """
        known, scores = y >= 0, np.empty(len(y))
        for fold in np.unique(folds[known]):
            train, held_out = known & (folds != fold), known & (folds == fold)
            scores[held_out] = (
                self.frozen().fit(logits[train], y[train]).other_score(logits[held_out])
            )
        if not known.all():
            final = self.frozen().fit(logits[known], y[known])
            scores[~known] = final.other_score(logits[~known])
        return scores

    @abstractmethod
    def fit(self, logits: NDArray[np.float64], y: NDArray[np.int64]) -> FittedLogitDetector:
        """Learn from the logits (n, K) of known rows and their class indices (n,)."""

    @abstractmethod
    def other_score(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for logits of shape (n, K)."""


class FeatureDetector(Detector):
    """A detector that learns what known embeddings look like."""

    on = "features"

    #: Which layer of the backbone it looks at.
    layer: ClassVar[str] = "last"

    #: Whether `tune` and `fit` take negatives too (class index -1), as a picture of everything
    #: else. Without negatives such a detector does what its docstring says.
    learns_from_others: ClassVar[bool] = False

    #: Whether `fit_left_out` has a closed form.
    leaves_out: ClassVar[bool] = False

    def cross_fit(
        self,
        X: NDArray[Any],
        y: NDArray[np.int64],
        folds: NDArray[np.int64],
        one_by_one: bool = False,
    ) -> NDArray[np.float64]:
        """Choose what is to be tuned, and return scores by models that have not seen the row.

        Parameters
        ----------
        X : ndarray of shape (n, d), floating
            Embeddings.
        y : ndarray of shape (n,), int64
            Class indices, `OTHER` for negatives, `UNSEEN` for rows that no model learns from.
        folds : ndarray of shape (n,), int64
            The model that scores a row has learned from all rows of the other folds. Unseen rows,
            and negatives but for a detector with `learns_from_others`, are scored by the model of
            all rows that are learned from: with fewer of these every distance is larger, and what
            is other would look more so than the final model will find it.
        one_by_one : bool, default=False
            Whether known rows may be left out one by one instead, by a detector that `leaves_out`:
            no two of them are of one group. A model without one row is nearly the final one, where
            each of those without a fifth of the rows differs from it in a way of its own, for which
            a threshold moves.
        """
        known = y >= 0
        used = known | ((y == OTHER) & self.learns_from_others)
        self.tune(X[used], y[used])
        scores, final, in_folds = np.empty(len(X)), self.frozen(), used
        if one_by_one and self.leaves_out:
            scores[known] = final.fit_left_out(X[used], y[used])
            in_folds = used & ~known
        elif not used.all():
            final.fit(X[used], y[used])
        for fold in np.unique(folds[in_folds]):
            train, held_out = used & (folds != fold), in_folds & (folds == fold)
            scores[held_out] = self.frozen().fit(X[train], y[train]).other_score(X[held_out])
        if not used.all():
            scores[~used] = final.other_score(X[~used])
        return scores

    def tune(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        """Choose from all rows to learn from what stays fixed in each fold; by default nothing."""

    @abstractmethod
    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> FeatureDetector:
        """Learn from rows (n, d) and their class indices (n,), -1 only if `learns_from_others`."""

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> NDArray[np.float64]:
        """Fit, and return the scores (n_known,) of known rows, each by a model without the row.

        Only for a detector that `leaves_out`.
        """
        raise NotImplementedError

    @abstractmethod
    def other_score(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return scores of shape (n,) for embeddings of shape (n, d)."""


DETECTORS: Registry[Detector] = Registry("detector", "outgroup.detectors")
