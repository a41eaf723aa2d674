"""Test, then train: a model meets a stream, and learns from what it got wrong."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import anytime_interval, anytime_upper_bound
from outgroup.contamination import find_suspects
from outgroup.errors import InvalidParameterError
from outgroup.mining.effort import Effort
from outgroup.mining.memory import Memory
from outgroup.mining.mined import Mined, Quarantined, Stage, with_promise
from outgroup.mining.recipe import Recipe
from outgroup.mining.seen import Seen, keys_of
from outgroup.mining.smallest import Smallest, uniform_ranks
from outgroup.mining.states import KeepsState
from outgroup.mining.suspects import Suspects, TypicalOfAClass
from outgroup.model import OpenSetModel
from outgroup.strategies import Features, take

#: A stream that gave nothing new for as many images as it had given new ones, and for this many at
#: least, goes round in a circle.
MANY_REPEATS = 1000

#: Images of the stream that suspects are compared with.
COMPARED = 1000

#: Suspects that are kept to be shown.
SHOWN = 1000


class Batch(NamedTuple):
    """Some images of a stream: rows of those that could be read, and how many could not."""

    features: Features
    names: Sequence[str | None]
    unreadable: int = 0


class Miner(KeepsState):
    """A model on a stream: scores, counts, keeps the hardest, refits.

    Parameters
    ----------
    model : OpenSetModel
        The present model; it has learned from ``recipe.data``.
    recipe : Recipe
        How it is learned anew.
    target : float or None
        Share of the stream that may be accepted; None: refit whenever enough was counted.
    confidence : float
        Of the bounds of all models together.
    effort : Effort
        How much mining may take.
    hardest, uniform : int
        How many of the hardest negatives are kept, and how many of a uniform sample.
    suspects : Suspects or None
        Says what may well be of a known class; None is `TypicalOfAClass`, and before each refit
        a look at all that is to be learned from, as at a pool.
    seed : int
        Seed of the uniform sample.
    length : int or None
        Images of the stream, where that is known.
    before : Memory or None
        What was kept of an earlier stream.
    """

    def __init__(
        self,
        model: OpenSetModel,
        recipe: Recipe,
        *,
        target: float | None = 0.01,
        confidence: float = 0.95,
        effort: Effort | None = None,
        hardest: int = 1000,
        uniform: int = 1000,
        suspects: Suspects | None = None,
        seed: int = 0,
        length: int | None = None,
        before: Memory | None = None,
    ) -> None:
        _check(target, confidence, hardest, uniform)
        self.model, self.recipe = model, recipe
        self.target, self.confidence = target, confidence
        self.effort = effort or Effort()
        self._each = self.effort.confidence_of_each(confidence)
        self._suspects = suspects or TypicalOfAClass()
        self._looks_again = suspects is None
        self._seed = seed
        self._length = length
        self._data = recipe.data
        self.memory = Memory(
            Smallest(hardest), Smallest(hardest), Smallest(uniform), Smallest(COMPARED), Seen()
        )
        if before is not None:
            self.memory.seen = copy.deepcopy(before.seen)
            for name in ("hard", "new", "uniform", "rejected"):
                getattr(self.memory, name).merge(getattr(before, name))
        self.memory.seen.add(keys_of(recipe.data.features))
        # A pool keeps images re-encoded, so that a training image there has another embedding.
        self._paths = frozenset(map(_full, filter(None, recipe.data.paths or ())))
        self._quarantine = Smallest(SHOWN)
        self.learned: tuple[str | None, ...] = ()
        #: The mined negatives that the present model has learned from.
        self._mined = Smallest(0)
        self._stages: list[Stage] = []
        self._start = time.monotonic()
        self.read = self.unreadable = self.repeated = self.n_quarantined = 0
        self.counted = self.accepted = 0  # by the present model
        self._in_a_row = 0

    @property
    def seconds(self) -> float:
        """Seconds since mining began."""
        return time.monotonic() - self._start

    @property
    def refits(self) -> int:
        """How often the model has learned anew."""
        return len(self._stages)

    @property
    def bound(self) -> float:
        """Upper bound of the share of the stream that the present model accepts."""
        return float(anytime_upper_bound(self.accepted, self.counted, self._each))

    @property
    def kept(self) -> int:
        """Negatives that the next model would learn from."""
        parts = (self.memory.hard, self.memory.new, self.memory.uniform)
        return len(np.unique(np.concatenate([part.keys for part in parts])))

    def feed(self, batch: Batch) -> None:
        """Score a batch by the present model, count it, and only then keep what is hard."""
        finite = np.isfinite(np.hstack(list(batch.features.values()))).all(axis=1)
        self.read += len(finite) + batch.unreadable
        self.unreadable += int((~finite).sum()) + batch.unreadable
        rows = np.flatnonzero(finite)
        keys = keys_of(take(batch.features, rows))
        new = self.memory.seen.add(keys)
        names = [_full(batch.names[i]) for i in rows.tolist()]
        new &= np.array([name not in self._paths for name in names], dtype=bool)
        self._note_repeats(new)
        rows, keys = rows[new], keys[new]
        if not len(rows):
            return
        features, names = take(batch.features, rows), [batch.names[i] for i in rows.tolist()]
        scores, other_score = self.model.strategy.score(features)
        accepted = other_score <= self.model.threshold
        self.counted += len(rows)
        self.accepted += int(accepted.sum())  # suspects too: to leave them out would flatter it
        suspect = np.zeros(len(rows), dtype=bool)
        rejected = self.memory.rejected
        others = np.flatnonzero(~accepted)
        last, ranks = {"last": features["last"][others]}, uniform_ranks(keys[others], self._seed)
        rejected.add(ranks, keys[others], last, [None] * len(others))
        if accepted.any():
            met = rejected.features["last"] if len(rejected) else last["last"]
            few = take(features, accepted)
            suspect[accepted] = self._suspects(few, self.model, self._data, met)
        self._set_aside(suspect, keys, names, scores, other_score)
        self._keep(~suspect, keys, names, features, other_score)

    def verdict(self) -> str | None:
        """Return why mining is over, one of `outgroup.mining.mined.REASONS`; None if it is not."""
        below = self.target is not None and self.accepted < self.counted * self.target
        if self.target is not None and below and self.bound <= self.target:
            return "target"
        if self.target is not None and not below and self.refits == self.effort.refits:
            lower, _ = anytime_interval(self.accepted, self.counted, self._each)
            if lower > self.target:
                return "refits"
        if self._in_a_row >= max(MANY_REPEATS, self.memory.seen.total):
            return "repeats"
        return self.effort.used_up(self.read, self.seconds)

    def due(self) -> bool:
        """Whether to learn anew: enough was counted to see that it is worth it.

        A model that accepts half of what it may, or less, is counted on with: the bound comes down
        by itself. Without a target there is always something to get better at.
        """
        return (
            (self.target is None or self.accepted > self.counted * self.target / 2)
            and self.refits < self.effort.refits
            and self.counted >= self.effort.images_before_refit(self.refits)
            and self.effort.half_left(self.read, self.seconds, self._length)
            and len(self.memory.new) + len(self.memory.uniform) > 0
        )

    def refit(self) -> None:
        """Learn anew from all that is kept, and begin to count afresh."""
        if self._looks_again:
            self._look_again()
        mined = self.memory.mined()
        if not len(mined):  # all were set aside
            return
        data = self.recipe.with_mined(mined.features, mined.keys, mined.names)
        model = self.recipe.fit(data)
        held_out = model.other_scores[-len(mined) :]  # in the order of the keys
        order = np.argsort(mined.keys)
        hard = Smallest(self.memory.hard.capacity)
        for one in (self.memory.hard, self.memory.new):
            ranks = held_out[np.searchsorted(mined.keys[order], one.keys)]
            if len(one):
                hard.add(ranks, one.keys, one.features, one.names)
        self._stages.append(self._stage())
        self.learned = tuple(mined.names[i] for i in order)
        self.model, self._data, self.memory.hard = model, data, hard
        self._mined = mined
        self.memory.new.clear()
        self.counted = self.accepted = 0

    def result(self, stopped: str, error: Exception | None = None) -> Mined:
        """Return what there is."""
        stages = (*self._stages, self._stage())
        aside = self._quarantine
        classes = self.model.classes
        return Mined(
            model=with_promise(self.model, stages[-1], self.confidence, self.target),
            stages=stages,
            confidence=self.confidence,
            target=self.target,
            stopped=stopped,
            read=self.read,
            unreadable=self.unreadable,
            repeated=self.repeated,
            quarantined=tuple(
                Quarantined(name, classes[int(label)], float(score), int(key))
                for name, label, score, key in zip(
                    aside.names,
                    aside.features["label"][:, 0] if len(aside) else (),
                    aside.ranks,
                    aside.keys,
                    strict=True,
                )
            ),
            n_quarantined=self.n_quarantined,
            negatives=self.learned,
            error=error,
            memory=self.memory,
        )

    def _stage(self) -> Stage:
        return Stage(
            self.counted, self.accepted, self.bound, len(self.learned), self.read, self.seconds
        )

    def _note_repeats(self, new: NDArray[np.bool_]) -> None:
        self.repeated += int((~new).sum())
        after_last = len(new) if not new.any() else int(np.argmax(new[::-1]))
        self._in_a_row = after_last + (0 if new.any() else self._in_a_row)

    def _set_aside(
        self,
        suspect: NDArray[np.bool_],
        keys: NDArray[np.uint64],
        names: list[str | None],
        scores: NDArray[np.float64],
        other_score: NDArray[np.float64],
    ) -> None:
        self.n_quarantined += int(suspect.sum())
        if suspect.any():
            rows = np.flatnonzero(suspect)
            labels = np.argmax(scores[rows], axis=1)[:, np.newaxis]
            chosen = [names[i] for i in rows]
            self._quarantine.add(other_score[rows], keys[rows], {"label": labels}, chosen)

    def _look_again(self) -> None:
        """Set aside what looks like a class among all that is to be learned from.

        One image is judged as soon as it is met, by a model that may not know it yet; many can be
        told from each other, and are judged by models that have learned from the others.
        """
        mined = self.memory.mined()
        order = np.argsort(mined.keys)  # so that it does not depend on the order of the stream
        kept = take(mined.features, order)
        found = find_suspects(self.recipe.data, kept["last"], seed=self._seed)
        rows = order[found.rows]
        if not len(rows):
            return
        few = take(mined.features, rows)
        scores, other_score = self.model.strategy.score(few)
        names = [mined.names[i] for i in rows.tolist()]
        keys = mined.keys[rows]
        self._set_aside(np.ones(len(rows), dtype=bool), keys, names, scores, other_score)
        for part in (self.memory.hard, self.memory.new, self.memory.uniform):
            part.drop(keys)

    def _keep(
        self,
        usable: NDArray[np.bool_],
        keys: NDArray[np.uint64],
        names: list[str | None],
        features: Features,
        other_score: NDArray[np.float64],
    ) -> None:
        rows = np.flatnonzero(usable)
        keys, features, chosen = keys[rows], take(features, rows), [names[i] for i in rows]
        self.memory.new.add(other_score[rows], keys, features, chosen)
        self.memory.uniform.add(uniform_ranks(keys, self._seed), keys, features, chosen)


def run(
    batches: Callable[[], Batch | None], miner: Miner, say: Callable[[str, Miner], None]
) -> str:
    """Mine until there is a reason to stop, and return it.

    Parameters
    ----------
    batches : callable
        Returns the next batch, None at the end.
    miner : Miner
        What it is done with.
    say : callable
        Called with what has just been done, "batch" or "refit".
    """
    while True:
        if miner.read:  # it may have come out of a state between two batches
            stopped = miner.verdict()
            if stopped is not None:
                return stopped
            done = miner.refits
            if miner.due():
                miner.refit()
            if miner.refits > done:
                say("refit", miner)
        batch = batches()
        if batch is None:
            return "end"
        miner.feed(batch)
        say("batch", miner)


def _full(path: str | None) -> str | None:
    return path and os.path.abspath(path)


def _check(target: object, confidence: object, hardest: object, uniform: object) -> None:
    for name, value in (("target", target), ("confidence", confidence)):
        if value is None and name == "target":
            continue
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and 0.0 < value < 1.0):  # type: ignore[operator]
            raise InvalidParameterError(
                f"The {name!r} parameter must be a share between 0 and 1, both excluded"
                f"{', or None' if name == 'target' else ''}. Got {value!r} instead."
            )
    for name, value in (("hardest", hardest), ("uniform", uniform)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidParameterError(
                f"The {name!r} parameter must be a whole number from 0 up. Got {value!r} instead."
            )
