"""The strategy interface, and the registries of strategies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup._component import UNSEEN, Component
from outgroup._features import Features, take
from outgroup._registry import Registry
from outgroup.detectors import Detector
from outgroup.errors import InvalidParameterError
from outgroup.heads import HEADS, Head
from outgroup.strategies.cross_fit import FoldedRows
from outgroup.strategies.features import HEAD_LAYERS, head_input


class Scores(NamedTuple):
    """The scores of n images.

    `class_scores` is (n, K), float64, in [0, 1]. `other_score` is float64, higher = more other: of
    shape (n,), or (n, n_labels) from a strategy for labels.
    """

    class_scores: NDArray[np.float64]
    other_score: NDArray[np.float64]


class Strategy(Component, ABC):
    """A head, a detector and a use of negatives: gives class scores and an other-score.

    A strategy never sees a threshold. Call `cross_fit` first, which tunes what is to be tuned and
    returns held-out scores for calibration; then `fit`.
    """

    #: Whether it learns labels, of which an image may have any number, and not exclusive classes.
    for_labels: ClassVar[bool] = False
    #: Whether it can't be fitted without negatives.
    needs_others: ClassVar[bool] = False
    #: Whether it learns from negatives when there are any.
    uses_others: ClassVar[bool] = False
    #: Whether one class is too few even with negatives.
    needs_two_classes: ClassVar[bool] = False
    #: Layers of the backbone that it needs.
    needs_layers: ClassVar[tuple[str, ...]] = ("last",)
    #: Whether a single class is enough for it where it has no negatives to learn from.
    takes_one_class: ClassVar[bool] = False
    #: The type that its argument `detector` must have; None if it has no such argument.
    takes: ClassVar[type[Detector] | tuple[type[Detector], ...] | None] = None
    #: The type that its argument `head` must have; None if it has no such argument.
    takes_head: ClassVar[type[Head] | None] = None
    #: The threshold, where it is part of the method; None: calibrated.
    fixed_threshold: ClassVar[float | None] = None

    @property
    def learns(self) -> bool:
        """Whether it learns from images; if not, it needs none, and no folds."""
        return True

    @abstractmethod
    def cross_fit(self, rows: FoldedRows) -> Scores:
        """Tune what is to be tuned, and score every row by models that have not learned from it."""

    @abstractmethod
    def fit(self, features: Features, y: NDArray[np.int64]) -> Strategy:
        """Learn from all rows, with what `cross_fit` or the constructor fixed.

        `y` holds class indices from 0, (n,), `OTHER` for negatives; for labels (n, n_labels): 0 for
        a label that is there, `OTHER` for one that is not, and `UNSEEN` for one that is not known.
        """

    @abstractmethod
    def score(self, features: Features) -> Scores:
        """Score images; needs NumPy alone."""


class HeadStrategy(Strategy):
    """Base of strategies with a head.

    Parameters
    ----------
    head : Head or None
        None is the `default_head` of the strategy.
    layers : sequence of str or None
        Layers of the backbone that the head reads, side by side; None: all there are.

    Raises
    ------
    InvalidParameterError
        If the strategy does not take such a head, or a layer is unknown.
    """

    takes_head: ClassVar[type[Head]]
    #: Heads of that type that it can't learn with.
    refuses_heads: ClassVar[tuple[type[Head], ...]] = ()
    default_head: ClassVar[type[Head]]
    parameters: ClassVar[tuple[str, ...]] = ("layers",)
    parts: ClassVar[tuple[str, ...]] = ("head",)

    def __init__(self, head: Head | None = None, layers: tuple[str, ...] | None = None) -> None:
        self.head = self.default_head() if head is None else self._checked_head(head)
        self.layers = None if layers is None else _checked_layers(layers)

    def learned(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what the head learns of each row; `UNSEEN` where it does not learn from it."""
        return y

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`."""
        y = rows.targets if self.for_labels else rows.y
        return self._scores(rows.logits(self.head, self.layers, self.learned(y)))

    def fit(self, features: Features, y: NDArray[np.int64]) -> HeadStrategy:
        """See `Strategy.fit`."""
        y = self.learned(y)
        seen = (y != UNSEEN).reshape(len(y), -1).any(axis=1)
        rows = features if seen.all() else take(features, seen)
        self.head.fit(head_input(rows, self.layers), y[seen])
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        return self._scores(self.logits(features))

    def logits(self, features: Features) -> NDArray[np.float64]:
        """Return the logits of the head, (n, K)."""
        return self.head.logits(head_input(features, self.layers))

    def _scores(self, logits: NDArray[np.float64]) -> Scores:
        """Return the scores, where these follow from the logits alone."""
        raise NotImplementedError

    def _checked_head(self, head: Head) -> Head:
        if not self._fits(type(head)):
            fitting = [name for name, cls in HEADS if self._fits(cls)]
            raise InvalidParameterError(
                f"Invalid `head`: the strategy {self.name!r} takes one of {', '.join(fitting)}, "
                f"got {getattr(head, 'name', head)!r}."
            )
        return head

    @classmethod
    def _fits(cls, head: type[Head]) -> bool:
        return issubclass(head, cls.takes_head) and not issubclass(head, cls.refuses_heads)


#: Strategies for exclusive classes, and for labels of which an image may have any number.
STRATEGIES: Registry[Strategy] = Registry("strategy", "outgroup.strategies")
LABEL_STRATEGIES: Registry[Strategy] = Registry("strategy", "outgroup.strategies")


def _checked_layers(layers: tuple[str, ...]) -> tuple[str, ...]:
    fine = isinstance(layers, (tuple, list)) and all(layer in HEAD_LAYERS for layer in layers)
    if not fine or not 0 < len(layers) == len({*layers}):
        raise InvalidParameterError(
            f"Invalid `layers`: must be a sequence of some of {', '.join(HEAD_LAYERS)}, or None "
            f"for all, got {layers!r}."
        )
    return tuple(layers)
