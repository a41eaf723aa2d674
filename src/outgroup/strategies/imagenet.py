"""The backbone's own classes in place of a trained head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup._features import Features
from outgroup.detectors.answers import learned_shares, odds
from outgroup.errors import InvalidParameterError
from outgroup.strategies.base import STRATEGIES, Scores, Strategy
from outgroup.strategies.cross_fit import NO_FOLD, FoldedRows


@STRATEGIES.register("imagenet")
class ImageNet(Strategy):
    """Read class scores and the other-score off the logits of the backbone's own classifier.

    Which of its answers mean a class is given as `columns`, and then nothing is learned; or it is
    learned from a handful of images of each class: of each answer every class gets the share that
    Bayes' rule gives it, as in `AnswerOdds`.

    The score of a class is the total probability of its answers, in [0, 1]. The other-score is the
    log odds of all other answers against those of the classes: above 0 the classes have less than
    half of the probability.

    Parameters
    ----------
    columns : sequence of sequences of int, or None
        For each class, in the order of their indices, the columns of the layer "logits" that mean
        it; None: learned.
    n_answers : int or None
        The number of all columns; to be given with `columns`.

    References
    ----------
    D. Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022,
    compare the whole softmax of a network with that of known images.
    """

    name = "imagenet"
    summary = "the backbone's own classes by name (--map), without training; or learned from a few"
    reference = "outgroup; after Hendrycks et al. 2022"
    takes_one_class = True
    needs_layers = ("logits",)
    parameters = ("columns", "n_answers")
    arrays = ("shares",)

    #: The threshold where no image has calibrated one.
    uncalibrated_threshold = 0.0

    def __init__(
        self, columns: Sequence[Sequence[int]] | None = None, n_answers: int | None = None
    ) -> None:
        self.columns = None if columns is None else [list(map(int, group)) for group in columns]
        self.n_answers = n_answers
        self.shares: NDArray[np.float64] = np.empty((0, 0))
        if self.columns is not None:
            self.shares = _given_shares(self.columns, n_answers)

    @property
    def learns(self) -> bool:
        """Whether anything is learned from images; if not, all of them can calibrate it."""
        return self.columns is None

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`; where nothing is learned, this is `score`."""
        logits = rows.features["logits"]
        if not self.learns:
            return self.score(rows.features)
        folds = np.where(rows.known, rows.folds, NO_FOLD)
        shape = len(logits), int(rows.y.max()) + 1
        found = Scores(np.empty(shape), np.empty(len(logits)))
        for fold in np.unique(folds):
            train, scored = rows.known & (folds != fold), folds == fold
            shares = learned_shares(logits[train], rows.y[train])
            found.class_scores[scored], found.other_score[scored] = odds(logits[scored], shares)
        return found

    def fit(self, features: Features, y: NDArray[np.int64]) -> ImageNet:
        """See `Strategy.fit`; negatives are not learned from."""
        if self.learns:
            self.shares = learned_shares(features["logits"][y >= 0], y[y >= 0])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return Scores(*odds(features["logits"], self.shares))


def _given_shares(columns: list[list[int]], n_answers: int | None) -> NDArray[np.float64]:
    flat = [column for group in columns for column in group]
    right = isinstance(n_answers, int) and all(columns) and len(flat) == len(set(flat))
    if not (right and flat and min(flat) >= 0 and max(flat) < n_answers > len(flat)):  # type: ignore[operator]
        raise InvalidParameterError(
            "Invalid `columns`: must name different columns of the logits for each class, fewer "
            f"than all {n_answers}, got {columns!r}."
        )
    shares = np.zeros((len(columns), int(n_answers or 0)))
    for k, group in enumerate(columns):
        shares[k, group] = 1.0
    return shares
