"""Held-out scores of heads and detectors, computed once for all strategies that share them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup._features import Features
from outgroup.detectors import FeatureDetector
from outgroup.heads import Head
from outgroup.strategies.features import detector_input, head_input

#: Fold of rows that nothing learns from: the model that scores them has learned from all others.
NO_FOLD = -1


class FoldedRows:
    """Training rows in folds, with the cross-fits made on them so far.

    Parameters
    ----------
    targets : ndarray of shape (n,) or, for labels, (n, n_outputs), int64
        Class indices, `OTHER` for negatives, `UNSEEN` for rows that nothing learns from; of labels
        also for single cells.
    folds : ndarray of shape (n,), int64
        From 0. The model that scores a row has learned from all rows of the other folds, and the
        model that scores an unseen row from all others; the folds of unseen rows are ignored.
    one_by_one : bool, default=False
        Whether a detector may leave out known rows one by one, see `FeatureDetector.cross_fit`: no
        two of them are of one group.
    """

    def __init__(
        self,
        features: Features,
        targets: NDArray[np.int64],
        folds: NDArray[np.int64],
        one_by_one: bool = False,
    ) -> None:
        self.features = features
        self.targets = targets.reshape(len(targets), -1)
        self.folds = folds
        self.one_by_one = one_by_one
        #: Seconds that the cross-fits asked for so far took, each counted whenever it is asked for.
        self.seconds = 0.0
        self._done: dict[tuple[object, ...], _Done] = {}

    @property
    def y(self) -> NDArray[np.int64]:
        """Class indices of the only output, (n,)."""
        return self.targets[:, 0]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a class."""
        return np.asarray((self.targets >= 0).any(axis=1))

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which rows may be learned from."""
        return np.asarray((self.targets != UNSEEN).any(axis=1))

    @property
    def has_others(self) -> bool:
        """Whether there are negatives to learn from."""
        return bool((self.targets == OTHER).all(axis=1).any())

    def logits(
        self,
        head: Head,
        layers: tuple[str, ...] | None = None,
        y: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Cross-fit a head, setting in it what it tunes, and return its held-out logits, (n, K).

        It learns `y`, of shape (n,) or (n, K), instead of the class indices of the only output.
        """
        target = self.y if y is None else y
        return self._once(
            head,
            (layers, _digest(target)),
            lambda: head.cross_fit(
                head_input(self.features, layers), target, self._folds_of(target)
            ),
        )

    def other_scores(
        self,
        detector: FeatureDetector,
        layer: str | None = None,
        y: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float64]:
        """Cross-fit a detector, and return its held-out other-scores, (n,).

        It reads `layer` instead of the layer that it names, and learns `y` instead of the class
        indices of the only output.
        """

        def scores() -> NDArray[np.float64]:
            X = detector_input(self.features, detector) if layer is None else self.features[layer]
            target, one_by_one = (self.y, self.one_by_one) if y is None else (y, False)
            return detector.cross_fit(X, target, self._folds_of(target), one_by_one)

        learned = layer or detector.layer, None if y is None else _digest(y)
        return self._once(detector, learned, scores)

    def forget(self) -> None:
        """Drop the cross-fits made so far."""
        self._done.clear()

    def _folds_of(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        unseen = (y == UNSEEN).reshape(len(y), -1).all(axis=1)
        return np.where(unseen, NO_FOLD, self.folds)

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


def _digest(y: NDArray[np.int64]) -> str:
    return hashlib.blake2b(y.tobytes()).hexdigest()
