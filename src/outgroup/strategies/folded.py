"""Training rows dealt into folds, and what has been cross-fitted on them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.component import OTHER, UNSEEN
from outgroup.detectors import FeatureDetector
from outgroup.heads import Head
from outgroup.strategies.features import Features, head_input

#: Fold of the rows that nothing learns from: the model that scores them has learned from all else.
NO_FOLD = -1


class FoldedRows:
    """Training rows dealt into folds, and the cross-fits already made on them.

    Strategies that hold the same head or detector share its cross-fit here, so that comparing all
    of them costs what their different parts cost.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer.
    y : ndarray of shape (n,), int64
        Class indices from 0, `OTHER` for negatives, `UNSEEN` for rows that nothing learns from.
    folds : ndarray of shape (n,), int64
        From 0; the model that scores a row has learned from all rows of the other folds, and the
        model that scores an unseen row from all others. What is given for unseen rows is ignored.
    """

    def __init__(self, features: Features, y: NDArray[np.int64], folds: NDArray[np.int64]) -> None:
        self.features = features
        self.y = y
        self.folds = folds
        self._done: dict[tuple[object, ...], tuple[NDArray[np.float64], dict[str, Any]]] = {}

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows are of a known class."""
        return self.y >= 0

    @property
    def has_others(self) -> bool:
        """Whether there are negatives to learn from."""
        return bool((self.y == OTHER).any())

    def logits(
        self,
        head: Head,
        layers: tuple[str, ...] | None = None,
        y: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Cross-fit a head, and return its held-out logits.

        Parameters
        ----------
        head : Head
            What fitting tunes is set in it.
        layers : tuple of str or None
            Layers that it reads; None: all.
        y : ndarray of shape (n,) or None
            What it learns instead of the class indices of these rows.

        Returns
        -------
        ndarray of shape (n, K), float64
        """
        return self._once(head, head_input(self.features, layers), y, layers)

    def other_scores(self, detector: FeatureDetector, layer: str = "last") -> NDArray[np.float64]:
        """Cross-fit a detector, and return its held-out other-scores of shape (n,), float64."""
        return self._once(detector, self.features[layer], None, layer)

    def without_others(self) -> NDArray[np.int64]:
        """Return `y` with the negatives unseen."""
        return np.where(self.y == OTHER, UNSEEN, self.y)

    def _once(
        self,
        part: Head | FeatureDetector,
        X: NDArray[Any],
        y: NDArray[np.int64] | None,
        layers: object,
    ) -> NDArray[np.float64]:
        y = self.y if y is None else y
        learned = hashlib.blake2b(y.tobytes()).hexdigest()
        key = (part.name, repr(part.given()), layers, learned)
        if key not in self._done:
            folds = np.where(y == UNSEEN, NO_FOLD, self.folds)
            self._done[key] = part.cross_fit(X, y, folds), part.chosen()
        scores, chosen = self._done[key]
        part.choose(chosen)
        return scores
