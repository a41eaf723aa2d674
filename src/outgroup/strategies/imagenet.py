"""The backbone's own classes for the user's: nothing is trained, or hardly anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors.answer_odds import learned_shares, odds
from outgroup.errors import InvalidParameterError
from outgroup.strategies.base import STRATEGIES, Scores, Strategy
from outgroup.strategies.features import Features
from outgroup.strategies.folded import NO_FOLD, FoldedRows


@STRATEGIES.register("imagenet")
class ImageNet(Strategy):
    """Read each class, and everything else, off the answers of the backbone's own classifier.

    Which answers belong to a class is said beforehand with `columns`, and then nothing is learned
    from images: it works without one. Or it is learned from a handful of images of each class: of
    an answer each class gets the share that Bayes' rule gives it, as `AnswerOdds` describes.

    The score of a class is the probability that its answers hold together, in [0, 1]; what is
    missing to 1 is everything else. The other-score is the logarithm of the odds of everything else
    against all classes: above 0 the classes hold less than half of the probability.

    Parameters
    ----------
    columns : sequence of sequences of int, or None
        For each class, in the order of their indices, the columns of the layer "logits" that mean
        it; None: learned.
    n_answers : int or None
        The number of all columns; to be given with `columns`.

    Raises
    ------
    InvalidParameterError
        If a class has no column, two classes have the same one, none is left for everything else,
        or there is no such column.

    References
    ----------
    D. Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022,
    compare the whole softmax of a network with that of known images.

    Examples
    --------
    >>> strategy = ImageNet(columns=[[0], [1, 2]], n_answers=4)
    >>> answers = {"logits": np.log([[0.7, 0.1, 0.1, 0.1], [0.0001, 0.0001, 0.0001, 0.9997]])}
    >>> strategy.score(answers).class_scores.round(2)
    array([[0.7, 0.2],
           [0. , 0. ]])
    >>> strategy.score(answers).other_score.round(1)
    array([-2.2,  8.1])
    """

    name = "imagenet"
    summary = "the backbone's own classes by name (--map), without training; or learned from a few"
    reference = "outgroup; after Hendrycks et al. 2022"
    takes_one_class = True
    needs_layers = ("logits",)
    parameters = ("columns", "n_answers")
    arrays = ("shares",)

    #: The threshold where no image has calibrated one: the classes hold half of the probability.
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
        """See `Strategy.cross_fit`; where nothing is learned, no row is one that was learned."""
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
            "The 'columns' parameter must name different columns of the logits for each class, "
            f"fewer than all {n_answers}. Got {columns!r} instead."
        )
    shares = np.zeros((len(columns), int(n_answers or 0)))
    for k, group in enumerate(columns):
        shares[k, group] = 1.0
    return shares
