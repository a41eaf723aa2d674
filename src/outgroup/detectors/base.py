"""The base classes of detectors, and their registry."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, Component
from outgroup._numeric import Array
from outgroup._registry import Registry

if TYPE_CHECKING:
    from typing_extensions import Self


class Detector(Component, ABC):
    """Base of all detectors: gives every row an other-score, higher = more other."""

    #: What a row is: "features" (an embedding) or "logits" (the class scores of a head).
    on: ClassVar[str]

    @abstractmethod
    def other_score(self, X: NDArray[Any]) -> Array:
        """Return the other-scores (n,), float64, of rows (n, d)."""


class LogitDetector(Detector):
    """Base of detectors that compute a formula of the logits and have nothing to fit."""

    on = "logits"


class FittedDetector(Detector):
    """Base of detectors that are fitted to known rows, of embeddings or of logits."""

    #: Whether `tune` and `fit` also take negatives (class index -1). Without negatives such a
    #: detector does what its docstring says.
    learns_from_others: ClassVar[bool] = False

    #: Whether `fit_left_out` is implemented.
    leaves_out: ClassVar[bool] = False

    def cross_fit(
        self,
        X: NDArray[Any],
        y: NDArray[np.int64],
        folds: NDArray[np.int64],
        one_by_one: bool = False,
    ) -> Array:
        """Choose the tuned parameters, and return held-out scores (n,): by models without the row.

        `y` holds class indices, `OTHER` for negatives and `UNSEEN` for rows that no model learns
        from. A row is scored by the model of all other folds; logits in `X` must be held out
        themselves. Rows that no model learns from, as negatives are for most detectors, are scored
        by the model of all training rows: models of fewer rows give larger distances than the final
        model will.

        With `one_by_one`, known rows are scored by `fit_left_out` if the detector `leaves_out`: a
        model without one row is nearly the final model. No two known rows may belong to one group.
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
        """Choose the tuned parameters from all training rows, for the models of all folds."""

    @abstractmethod
    def fit(self, X: NDArray[Any], y: NDArray[np.int64]) -> Self:
        """Fit to rows (n, d) with class indices (n,), -1 only if the class `learns_from_others`."""

    def fit_left_out(self, X: NDArray[Any], y: NDArray[np.int64]) -> Array:
        """Fit, and return the score of each known row by a model without the row, (n_known,)."""
        raise NotImplementedError


class FittedLogitDetector(FittedDetector):
    """Base of detectors that learn what the logits of known images look like.

    They must be fitted to held-out logits: a head is more certain about the rows that it was
    trained on than about any others.
    """

    on = "logits"


class FeatureDetector(FittedDetector):
    """Base of detectors that learn what the embeddings of known images look like."""

    on = "features"

    #: The layer of the backbone that the embeddings are taken from.
    layer: ClassVar[str] = "last"


DETECTORS: Registry[Detector] = Registry("detector", "outgroup.detectors")
