"""What a strategy is, and where strategies are registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup._component import Component
from outgroup._registry import Registry
from outgroup.detectors import Detector
from outgroup.errors import InvalidParameterError
from outgroup.heads import HEADS, Head
from outgroup.strategies.features import HEAD_LAYERS, Features, head_input
from outgroup.strategies.folded import FoldedRows


class Scores(NamedTuple):
    """What a strategy says of n images.

    `class_scores` is (n, K), float64, in [0, 1]; `other_score` is (n,), float64, higher = more
    other.
    """

    class_scores: NDArray[np.float64]
    other_score: NDArray[np.float64]


class Strategy(Component, ABC):
    """A way to say which class an image has, and how much it looks like none of them.

    A strategy never sees a threshold. Call `cross_fit` first: it chooses what is to be tuned and
    returns held-out scores, which calibration needs; then `fit`.
    """

    #: Whether it can't be fitted without negatives.
    needs_others: ClassVar[bool] = False
    #: Whether it learns from negatives when there are any.
    uses_others: ClassVar[bool] = False
    #: Whether one class is too few even with negatives.
    needs_two_classes: ClassVar[bool] = False
    #: Layers of the backbone that it can't do without.
    needs_layers: ClassVar[tuple[str, ...]] = ("last",)
    #: Whether a single class is enough for it where it has no negatives to learn from.
    takes_one_class: ClassVar[bool] = False
    #: What its argument `detector` has to be; None if it has no such argument.
    takes: ClassVar[type[Detector] | tuple[type[Detector], ...] | None] = None
    #: What its argument `head` has to be; None if it has no such argument.
    takes_head: ClassVar[type[Head] | None] = None
    #: The threshold, where it is part of the method; None: chosen from held-out scores.
    fixed_threshold: ClassVar[float | None] = None

    @property
    def learns(self) -> bool:
        """Whether it learns from images; a strategy that doesn't needs none, and no folds."""
        return True

    @abstractmethod
    def cross_fit(self, rows: FoldedRows) -> Scores:
        """Choose what is to be tuned, and score every row by models that have not seen it."""

    @abstractmethod
    def fit(self, features: Features, y: NDArray[np.int64]) -> Strategy:
        """Learn from all rows, with what `cross_fit` or the constructor fixed.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (n, d)
            Embeddings by layer.
        y : ndarray of shape (n,), int64
            Class indices from 0, `OTHER` for negatives.
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
        If the head is not of the kind that the strategy takes, or a layer is unknown.
    """

    takes_head: ClassVar[type[Head]]
    default_head: ClassVar[type[Head]]
    parameters: ClassVar[tuple[str, ...]] = ("layers",)
    parts: ClassVar[tuple[str, ...]] = ("head",)

    def __init__(self, head: Head | None = None, layers: tuple[str, ...] | None = None) -> None:
        self.head = self.default_head() if head is None else self._fitting(head)
        self.layers = None if layers is None else _checked(layers)

    def logits(self, features: Features) -> NDArray[np.float64]:
        """Return the logits of the head, (n, K)."""
        return self.head.logits(head_input(features, self.layers))

    def _fitting(self, head: Head) -> Head:
        if not isinstance(head, self.takes_head):
            fitting = [name for name, cls in HEADS if issubclass(cls, self.takes_head)]
            raise InvalidParameterError(
                f"The strategy {self.name!r} takes one of {', '.join(fitting)} as its head. "
                f"Got {getattr(head, 'name', head)!r} instead."
            )
        return head


STRATEGIES: Registry[Strategy] = Registry("strategy", "outgroup.strategies")


def _checked(layers: tuple[str, ...]) -> tuple[str, ...]:
    fine = isinstance(layers, (tuple, list)) and all(layer in HEAD_LAYERS for layer in layers)
    if not fine or not 0 < len(layers) == len({*layers}):
        raise InvalidParameterError(
            f"The 'layers' parameter must be a sequence of some of {', '.join(HEAD_LAYERS)}, "
            f"or None for all. Got {layers!r} instead."
        )
    return tuple(layers)
