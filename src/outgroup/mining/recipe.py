"""How a model is learned anew when negatives of a stream come on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup.calibration import Budget
from outgroup.classifier.tasks.base import Way
from outgroup.errors import InvalidParameterError
from outgroup.model import OpenSetModel, fit_model
from outgroup.strategies import Features, Strategy, take
from outgroup.training_set import TrainingSet

STREAM = "stream"


@dataclass(frozen=True)
class Recipe:
    """What a model is learned from, and how.

    The road is that of every model: fold, cross-fit, choose the threshold from held-out scores, fit
    to everything. What was mined is learned from in each fold that does not hold it out, and counts
    in no promise: it is no sample of anything.

    Parameters
    ----------
    data : TrainingSet
        Known images, and negatives that were there before.
    way : Way
        The strategy, its head and the layers that this reads.
    budget : Budget
        What the threshold has to keep.
    seed, n_folds : int
        As for `fit_model`.

    Raises
    ------
    InvalidParameterError
        If the strategy learns nothing from negatives.
    """

    data: TrainingSet
    way: Way
    budget: Budget
    seed: int = 0
    n_folds: int = 5

    def __post_init__(self) -> None:
        strategy = self._strategy()
        if not strategy.uses_others:
            raise InvalidParameterError(
                f"The strategy {strategy.name!r} learns nothing from negatives, so that there is "
                "nothing to mine for. Train with 'blend', 'one-class', 'sigmoid' or 'other-class'."
            )

    def with_mined(
        self, features: Features, keys: NDArray[np.uint64], names: Sequence[str | None]
    ) -> TrainingSet:
        """Return the training set with mined negatives behind it, in the order of their keys."""
        data, order = self.data, np.argsort(keys)
        n = len(order)
        mined = take(features, order)
        paths = None
        if data.paths is not None:
            paths = [*data.paths, *(names[i] for i in order)]
        return TrainingSet(
            {
                layer: np.concatenate([values, mined[layer].astype(values.dtype)])
                for layer, values in data.features.items()
            },
            np.concatenate([data.y, np.full(n, OTHER)]),
            data.classes,
            None if data.groups is None else [*data.groups, *[None] * n],
            self._origins(keys[order]),
            paths,
            promised=np.concatenate([data.is_promised, np.zeros(n, dtype=np.bool_)]),
        )

    def fit(self, data: TrainingSet) -> OpenSetModel:
        """Return the model of a training set that `with_mined` returned."""
        return fit_model(data, self._strategy(), self.budget, self.n_folds, self.seed)

    def _strategy(self) -> Strategy:
        from outgroup.selection import choose_strategy

        return choose_strategy(*self.way)

    def _origins(self, keys: NDArray[np.uint64]) -> list[str] | None:
        """Return origins by which negatives are dealt as they were without the mined ones.

        Where there are enough folders they are held out whole, and a single one of a stream, with
        as many images as all the others, would leave one fold without any.
        """
        origins = self.data.origins
        if origins is None:
            return None
        pairs = zip(origins, self.data.y, strict=True)
        if len({origin for origin, y in pairs if y < 0}) < self.n_folds:
            return None
        return [*origins, *(f"{STREAM} {part}" for part in (keys % 50).tolist())]
