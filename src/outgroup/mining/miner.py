"""Test, then train: a model is tested on a stream, and learns from what it got wrong."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass
from heapq import nsmallest
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER
from outgroup._numeric import require, whole_number
from outgroup.calibration import Budget, anytime_interval, anytime_upper_bound
from outgroup.contamination import find_suspects
from outgroup.errors import InvalidParameterError
from outgroup.mining.memory import (
    Memory,
    Quarantined,
    Smallest,
    Stage,
    StreamRows,
    extended,
    keys_of,
    uniform_ranks,
)
from outgroup.mining.mined import Mined, with_guarantee
from outgroup.model import Model, fit_model
from outgroup.strategies import Features, Strategy, take
from outgroup.training_set import TrainingSet

Array: TypeAlias = NDArray[np.floating[Any]]

#: A stream repeats itself if it gave nothing new for as many images as it gave new ones before, and
#: for at least this many.
MANY_REPEATS = 1000

#: Rejected images of the stream that suspects are compared with, and suspects that are listed.
COMPARED = SHOWN = 1000

#: Nearest images of a suspect that are all of one class, and the share of typical known images.
NEIGHBOURS, TYPICAL = 5, 0.95

N_FOLDS = 5


@dataclass(frozen=True)
class Effort:
    """Limits on mining.

    Parameters
    ----------
    images : int or None, default=None
        Largest number of images to take from the stream, readable or not; None: no limit.
    seconds : float or None, default=None
        Longest time to take, checked between batches; None: no limit.
    refits : int, default=8
        Largest number of refits. The bound holds for all ``refits + 1`` models together: with 8 it
        takes about two thirds more images to show the same share than with none.
    first : int, default=256
        Images to count before the first refit; before each later one twice as many as before the
        last, so that refits take a small share of the time.

    Raises
    ------
    InvalidParameterError
        If a number is not as described.
    """

    images: int | None = None
    seconds: float | None = None
    refits: int = 8
    first: int = 256

    def __post_init__(self) -> None:
        if self.images is not None:
            whole_number("images", self.images)
        whole_number("refits", self.refits, 0)
        whole_number("first", self.first)
        s = self.seconds
        fine = s is None or (_is_number(s) and 0 < s < math.inf)
        require(fine, "seconds", "a number above 0, or None", s)

    @classmethod
    def of(cls, budget: Effort | int | None) -> Effort:
        """Return the limits of a parameter `budget`, where a number is that of images."""
        if isinstance(budget, Effort):
            return budget
        fine = budget is None or (isinstance(budget, int) and not isinstance(budget, bool))
        require(fine, "budget", "an Effort, a number of images, or None", budget)
        return cls(budget)


class Batch(NamedTuple):
    """Images of a stream: embeddings by layer, not finite if unreadable, and the name of each."""

    features: Features
    names: Sequence[str | None]

    def first(self, n: int) -> Batch:
        """Return at most n images."""
        return Batch({name: rows[:n] for name, rows in self.features.items()}, self.names[:n])


#: Tells which images that a model accepts look like a known class: takes their embeddings by layer,
#: the model, its training set, and embeddings (m, d), layer "last", of a uniform sample of the
#: rejected images of the stream; returns a mask (n,).
Suspects: TypeAlias = Callable[[Features, Model, TrainingSet, Array], NDArray[np.bool_]]


class TypicalOfAClass:
    """Suspect images that look like a known class in every respect.

    Such an image has an other-score that is no higher than that of 95 % of the held-out known
    images. Its 5 nearest images, among the training images and rejected images of the stream, are
    all of one class. And it is as near to the first of them as 95 % of the images of that class are
    to their nearest. An image that is merely accepted is no suspect: it is what mining is for.
    """

    def __init__(self) -> None:
        self._data: TrainingSet | None = None
        self._reach = np.empty(0)

    def __call__(
        self, features: Features, model: Model, data: TrainingSet, rejected: Array
    ) -> NDArray[np.bool_]:
        """Return which images are suspects; see `Suspects`."""
        typical = np.quantile(model.known_scores, TYPICAL)
        suspect = model.strategy.score(features).other_score <= typical
        if not suspect.any():
            return suspect
        last = data.features["last"]
        if self._data is not data:
            within = [_distances(last[data.y == k], None, 1)[0] for k in range(len(data.classes))]
            self._reach = np.array([np.quantile(found, TYPICAL) for found in within])
            self._data = data
        known = np.vstack([last, rejected]) if len(rejected) else last
        y = np.concatenate([data.y, np.full(len(rejected), OTHER)])
        distances, nearest = _distances(known, features["last"][suspect], NEIGHBOURS)
        classes = y[nearest]
        one_class = (classes[:, 0] >= 0) & (classes == classes[:, :1]).all(axis=1)
        reach = self._reach[np.maximum(classes[:, 0], 0)]
        suspect[suspect] = one_class & (distances[:, 0] <= reach)
        return suspect


def _distances(rows: Array, asked: Array | None, k: int) -> tuple[Array, NDArray[np.int64]]:
    """Return cosine distances and indices of the k nearest rows; without `asked`, of the others."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(k, len(rows)), metric="cosine", algorithm="brute")
    found: tuple[Array, NDArray[np.int64]] = index.fit(rows).kneighbors(asked)
    return found


@dataclass(frozen=True)
class Recipe:
    """How a model is refitted with mined negatives: as any model is.

    Mined negatives are learned from in each fold that does not hold them out, and count in no
    guarantee: they are no sample of anything.
    """

    data: TrainingSet
    strategy: Callable[[], Strategy]
    budget: Budget
    seed: int = 0

    def fit(self, negatives: StreamRows) -> tuple[Model, TrainingSet]:
        """Return the model, and what it has learned from, the mined negatives at the end."""
        data, n = self.data, len(negatives)
        features = {
            layer: np.concatenate([values, negatives.features[layer].astype(values.dtype)])
            for layer, values in data.features.items()
        }
        learned = TrainingSet(
            features,
            np.concatenate([data.y, np.full(n, OTHER)]),
            data.schema,
            None if data.groups is None else [*data.groups, *[None] * n],
            self._origins(negatives.keys),
            None if data.paths is None else [*data.paths, *negatives.names],
            calibrates=np.concatenate([data.calibrating, np.zeros(n, dtype=np.bool_)]),
        )
        return fit_model(learned, self.strategy(), self.budget, N_FOLDS, self.seed), learned

    def _origins(self, keys: NDArray[np.uint64]) -> list[str] | None:
        """Return origins that leave negatives in the folds that they had without the mined ones.

        Where there are enough folders, each is held out as a whole. A single one for the stream,
        with as many images as all others, would leave one fold without any.
        """
        data = self.data
        if data.origins is None:
            return None
        of_others = {origin for origin, y in zip(data.origins, data.y, strict=True) if y < 0}
        if len(of_others) < N_FOLDS:
            return None
        return [*data.origins, *(f"stream {part}" for part in (keys % 50).tolist())]


@dataclass
class Miner:
    """A model on a stream: tested on each batch, and refitted with the hardest images.

    The fields are as for `outgroup.mining.mine`; the model has learned from ``recipe.data``, and
    `length` is the number of images of the stream, where it is known.
    """

    model: Model
    recipe: Recipe
    effort: Effort
    target: float | None
    confidence: float
    hardest: int
    uniform: int
    suspects: Suspects | None
    before: InitVar[Mined | None]
    seed: int
    length: int | None = None

    def __post_init__(self, before: Mined | None) -> None:
        share, target = "a share between 0 and 1, both excluded", self.target
        fine = target is None or (_is_number(target) and 0 < target < 1)
        require(fine, "target", f"{share}, or None", target)
        fine = _is_number(self.confidence) and 0 < self.confidence < 1
        require(fine, "confidence", share, self.confidence)
        whole_number("hardest", self.hardest, 0)
        whole_number("uniform", self.uniform, 0)
        strategy = self.recipe.strategy()
        if not strategy.uses_others:
            raise InvalidParameterError(
                f"The strategy {strategy.name!r} learns nothing from negatives, so there is "
                "nothing to mine for. Train with 'blend', 'one-class', 'sigmoid' or 'other-class'."
            )
        # A further model is fitted until one seems good, so the bounds of all have to hold.
        self._each = 1.0 - (1.0 - self.confidence) / (self.effort.refits + 1)
        self._looks_like_a_class = self.suspects or TypicalOfAClass()
        self._data = self.recipe.data
        # A pool keeps images re-encoded, so a training image in it has another embedding.
        self._paths = frozenset(map(_full, filter(None, self._data.paths or ())))
        hard, new, sample = (Smallest(n) for n in (self.hardest, self.hardest, self.uniform))
        self.memory = Memory(hard, new, sample, Smallest(COMPARED), self.model.threshold)
        if before is not None and before.memory is not None:
            self.memory.merge(before.memory)
        self.memory.seen.add(keys_of(self._data.features))

    def resume(self, memory: Memory) -> bool:
        """Go on from a memory, and fit its model again; return whether it is the same model."""
        self.memory = memory
        if memory.stages:
            self.model, self._data = self.recipe.fit(memory.learned)
        return self.model.threshold == memory.threshold

    @property
    def refits(self) -> int:
        """How often the model was refitted."""
        return len(self.memory.stages)

    @property
    def bound(self) -> float:
        """Upper bound of the share of the stream that the present model accepts."""
        return float(anytime_upper_bound(self.memory.accepted, self.memory.counted, self._each))

    def feed(self, batch: Batch) -> None:
        """Test the model on a batch and count the answers; only then keep what is hard."""
        memory = self.memory
        if self.effort.images is not None:
            batch = batch.first(self.effort.images - memory.read)
        finite = np.isfinite(np.hstack(list(batch.features.values()))).all(axis=1)
        memory.read += len(finite)
        memory.trail = extended(memory.trail, batch.names)
        memory.unreadable += int((~finite).sum())
        features = take(batch.features, finite)
        names = np.array(batch.names, dtype=object)[finite]
        rows = StreamRows(keys_of(features), names, features)
        new = memory.seen.add(rows.keys)
        new &= np.array([_full(name) not in self._paths for name in rows.names], dtype=bool)
        memory.repeated += int((~new).sum())
        memory.in_a_row = int(np.argmax(new[::-1])) if new.any() else memory.in_a_row + len(new)
        rows = rows.take(new)
        if not len(rows):
            return
        scores, other_score = self.model.strategy.score(rows.features)
        accepted = other_score <= self.model.threshold
        memory.counted += len(rows)
        memory.accepted += int(accepted.sum())  # suspects too: without them it would be flattered
        rejected = rows.take(~accepted)
        rejected = StreamRows(rejected.keys, rejected.names, {"last": rejected.features["last"]})
        memory.rejected.add(uniform_ranks(rejected.keys, self.seed), rejected)
        suspect = np.zeros(len(rows), dtype=bool)
        if accepted.any():
            met = (memory.rejected.rows if len(memory.rejected) else rejected).features["last"]
            few = rows.take(accepted).features
            suspect[accepted] = self._looks_like_a_class(few, self.model, self._data, met)
        self._set_aside(rows.take(suspect), scores[suspect], other_score[suspect])
        rows, other_score = rows.take(~suspect), other_score[~suspect]
        memory.new.add(other_score, rows)
        memory.uniform.add(uniform_ranks(rows.keys, self.seed), rows)

    def verdict(self) -> str | None:
        """Return why mining is over, a key of `REASONS`; None if it is not."""
        memory, target, effort = self.memory, self.target, self.effort
        if not memory.read:
            return None
        if target is not None:
            below = memory.accepted < memory.counted * target
            if below and self.bound <= target:
                return "target"
            if not below and self.refits == effort.refits:
                lower, _ = anytime_interval(memory.accepted, memory.counted, self._each)
                if lower > target:
                    return "refits"
        if memory.in_a_row >= max(MANY_REPEATS, memory.seen.total):
            return "repeats"
        if effort.images is not None and memory.read >= effort.images:
            return "images"
        return (
            "seconds" if effort.seconds is not None and memory.seconds >= effort.seconds else None
        )

    def due(self) -> bool:
        """Return whether to refit: enough was counted to see that it is worth it.

        A model that accepts at most half of the target is only counted further, because its bound
        comes down by itself. At least half of the limits must be left, so that the new model can
        still be shown to be good.
        """
        memory, limits = self.memory, (self.effort.images, self.length)
        return (
            (self.target is None or memory.accepted > memory.counted * self.target / 2)
            and self.refits < self.effort.refits
            and memory.counted >= self.effort.first << min(self.refits, 50)
            and all(most is None or 2 * memory.read <= most for most in limits)
            and (self.effort.seconds is None or 2 * memory.seconds <= self.effort.seconds)
            and len(memory.new) + len(memory.uniform) > 0
        )

    def refit(self) -> bool:
        """Fit a new model to all that is kept, and start to count again.

        Returns False, without a new model, if all that was kept was set aside.
        """
        memory = self.memory
        if self.suspects is None:
            self._look_again()
        rows = memory.negatives
        if not len(rows):
            return False
        self.model, self._data = self.recipe.fit(rows)
        held_out = self.model.other_scores[-len(rows) :]
        hard = Smallest(memory.hard.capacity)
        for part in (memory.hard, memory.new):
            hard.add(held_out[np.searchsorted(rows.keys, part.keys)], part.rows)
        memory.hard, memory.new = hard, Smallest(memory.new.capacity)
        memory.stages.append(self._stage())
        memory.learned, memory.threshold = rows, self.model.threshold
        memory.counted = memory.accepted = 0
        return True

    def result(self, stopped: str, error: Exception | None = None) -> Mined:
        """Return what there is."""
        memory, stage = self.memory, self._stage()
        return Mined(
            model=with_guarantee(self.model, stage, self.confidence, self.target),
            stages=(*memory.stages, stage),
            confidence=self.confidence,
            target=self.target,
            stopped=stopped,
            read=memory.read,
            unreadable=memory.unreadable,
            repeated=memory.repeated,
            quarantined=tuple(memory.quarantined),
            n_quarantined=memory.n_quarantined,
            negatives=tuple(memory.learned.names),
            error=error,
            memory=memory,
        )

    def _stage(self) -> Stage:
        m = self.memory
        return Stage(m.counted, m.accepted, self.bound, len(m.learned), m.read, m.seconds)

    def _set_aside(
        self, rows: StreamRows, scores: NDArray[np.float64], other_score: NDArray[np.float64]
    ) -> None:
        """Count suspects, and list those with the lowest other-scores."""
        if not len(rows):
            return
        memory, classes = self.memory, self.model.classes
        memory.n_quarantined += len(rows)
        columns = rows.names, scores.argmax(axis=1), other_score, rows.keys
        found = [
            Quarantined(name, classes[label], float(score), int(key))
            for name, label, score, key in zip(*columns, strict=True)
        ]
        both = [*memory.quarantined, *found]
        memory.quarantined = nsmallest(SHOWN, both, key=lambda one: (one.other_score, one.key))

    def _look_again(self) -> None:
        """Set aside what looks like a class among all that is to be learned from.

        One image is judged as soon as it is met, by a model that may not know its kind yet. Many
        can be told apart, and are judged by models that have learned from the others.
        """
        memory, rows = self.memory, self.memory.negatives
        found = find_suspects(self.recipe.data, rows.features["last"], seed=self.seed)
        if len(found.rows):
            suspects = rows.take(found.rows)
            self._set_aside(suspects, *self.model.strategy.score(suspects.features))
            for part in (memory.hard, memory.new, memory.uniform):
                part.drop(suspects.keys)


def _full(path: str | None) -> str | None:
    return path and os.path.abspath(path)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
