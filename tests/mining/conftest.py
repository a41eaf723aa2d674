"""A world of embeddings: a class, look-alikes beside it, and much that is far away."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from outgroup.model import Model, fit_model
from outgroup.strategies import choose_strategy
from outgroup.training_set import TrainingSet

WIDTH = 12


class World:
    """Rows of the known class, of look-alikes and of other things, by a seed."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)

    def known(self, n: int) -> np.ndarray:
        return self._around(0, n)

    def alike(self, n: int) -> np.ndarray:
        """Near the class on one side; a model that has learned from none accepts many."""
        rows = self.known(n)
        rows[:, 1] += 7
        return rows

    def far(self, n: int) -> np.ndarray:
        return self._around(2, n) + self.rng.normal(0, 1, (n, WIDTH))

    def _around(self, axis: int, n: int) -> np.ndarray:
        return self.rng.normal(0, 1, (n, WIDTH)) + 6 * np.eye(WIDTH)[axis]

    def stream(self, share_alike: float = 0.2, size: int = 64) -> Iterator[np.ndarray]:
        """Yield batches without end."""
        while True:
            alike = self.rng.random(size) < share_alike
            yield np.where(alike[:, np.newaxis], self.alike(size), self.far(size))


@pytest.fixture
def world() -> World:
    return World()


def training_set(known: np.ndarray, others: np.ndarray) -> TrainingSet:
    y = np.r_[np.zeros(len(known), np.int64), np.full(len(others), -1)]
    return TrainingSet({"last": np.vstack([known, others])}, y, ("cat",))


@pytest.fixture
def data(world: World) -> TrainingSet:
    """100 known rows and 40 far ones, but no look-alikes."""
    return training_set(world.known(100), world.far(40))


@pytest.fixture
def model(data: TrainingSet) -> Model:
    return fit_model(data, choose_strategy("sigmoid"))
