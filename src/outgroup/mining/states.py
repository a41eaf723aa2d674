"""All of a miner but its model, to go on with in another process."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.mining.memory import Memory
from outgroup.mining.mined import Stage
from outgroup.mining.recipe import Recipe
from outgroup.mining.smallest import Smallest
from outgroup.model import OpenSetModel
from outgroup.training_set import TrainingSet

#: Numbers of a miner that a state holds.
_COUNTERS = (
    "read", "unreadable", "repeated", "n_quarantined", "counted", "accepted", "_in_a_row"
)  # fmt: skip


class State(NamedTuple):
    """All of a miner but its model: what JSON can hold, and arrays by name."""

    plain: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


class KeepsState:
    """What a `Miner` does so that mining can be stopped."""

    model: OpenSetModel
    recipe: Recipe
    memory: Memory
    learned: tuple[str | None, ...]
    _data: TrainingSet
    _mined: Smallest
    _quarantine: Smallest
    _stages: list[Stage]
    _start: float

    def state(self) -> State:
        """Return all that it takes to go on in another process."""
        kept = {**self._kept(), "mined": self._mined}
        names, arrays = {}, {f"seen/{key}": a for key, a in self.memory.seen.state().items()}
        for part, rows in kept.items():
            names[part], found = rows.state()
            arrays |= {f"{part}/{key}": values for key, values in found.items()}
        plain = {
            "counters": {name: getattr(self, name) for name in _COUNTERS},
            "seconds": time.monotonic() - self._start,
            "threshold": self.model.threshold,
            "stages": [asdict(stage) for stage in self._stages],
            "names": names,
        }
        return State(plain, arrays)

    def restore(self, state: State) -> None:
        """Take over what `state` returned; the model is learned once more.

        Raises
        ------
        ValueError
            If it does not fit, or another model comes of it than the one that was counted.
        """
        plain, arrays = state
        self.memory.seen.restore(_part(arrays, "seen"))
        self._mined = Smallest(0)
        for part, rows in {**self._kept(), "mined": self._mined}.items():
            rows.restore(plain["names"][part], _part(arrays, part))
        self._stages = [Stage(**stage) for stage in plain["stages"]]
        if self._stages:
            mined = self._mined
            self._data = self.recipe.with_mined(mined.features, mined.keys, mined.names)
            self.model = self.recipe.fit(self._data)
            self.learned = tuple(mined.names[i] for i in np.argsort(mined.keys))
        if self.model.threshold != plain["threshold"]:
            raise ValueError("another model comes of it than the one that was counted")
        self._start = time.monotonic() - float(plain["seconds"])
        for name in _COUNTERS:
            setattr(self, name, int(plain["counters"][name]))

    def _kept(self) -> dict[str, Smallest]:
        memory = self.memory
        return {
            "hard": memory.hard,
            "new": memory.new,
            "uniform": memory.uniform,
            "rejected": memory.rejected,
            "quarantine": self._quarantine,
        }


def _part(arrays: dict[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    """Return what stands below a name."""
    return {key[len(name) + 1 :]: a for key, a in arrays.items() if key.startswith(f"{name}/")}
