"""Training rows dealt into folds, and what has been cross-fitted on them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup.detectors import FeatureDetector
from outgroup.heads import Head
from outgroup.strategies.features import Features, detector_input, head_input

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
    one_by_one : bool, default=False
        Whether a detector may leave out known rows one by one instead, see
        `FeatureDetector.cross_fit`: no two of them are of one group.
    """

    def __init__(
        self,
        features: Features,
        y: NDArray[np.int64],
        folds: NDArray[np.int64],
        one_by_one: bool = False,
    ) -> None:
        self.features = features
        self.y = y
        self.folds = folds
        self.one_by_one = one_by_one
        #: Seconds that the cross-fits asked for so far took, each counted whenever it is asked for.
        self.seconds = 0.0
        self._done: dict[tuple[object, ...], _Done] = {}

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
        y = self.y if y is None else y
        return self._once(
            head,
            (layers, hashlib.blake2b(y.tobytes()).hexdigest()),
            lambda: head.cross_fit(head_input(self.features, layers), y, self._dealt(y)),
        )

    def other_scores(
        self, detector: FeatureDetector, layer: str | None = None
    ) -> NDArray[np.float64]:
        """Cross-fit a detector, and return its held-out other-scores of shape (n,), float64.

        `layer` is what it looks at instead of the layer that it names.
        """

        def scores() -> NDArray[np.float64]:
            X = detector_input(self.features, detector) if layer is None else self.features[layer]
            return detector.cross_fit(X, self.y, self._dealt(self.y), self.one_by_one)

        return self._once(detector, layer or detector.layer, scores)

    def forget(self) -> None:
        """Let go of the cross-fits made so far."""
        self._done.clear()

    def without_others(self) -> NDArray[np.int64]:
        """Return `y` with the negatives unseen."""
        return np.where(self.y == OTHER, UNSEEN, self.y)

    def _dealt(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(y == UNSEEN, NO_FOLD, self.folds)

    def _once(
        self,
        part: Head | FeatureDetector,
        learned: object,
        cross_fit: Callable[[], NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        key = (part.name, repr(part.given()), learned)
        if key not in self._done:
            start = time.perf_counter()
            scores = cross_fit()
            self._done[key] = _Done(scores, part.chosen(), time.perf_counter() - start)
        done = self._done[key]
        part.choose(done.chosen)
        self.seconds += done.seconds
        return done.scores


class _Done(NamedTuple):
    scores: NDArray[np.float64]
    chosen: dict[str, Any]
    seconds: float
