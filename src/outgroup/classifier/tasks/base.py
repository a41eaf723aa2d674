"""What a task is: from data to a model, and from a model and data to figures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from outgroup.artifact import Model
from outgroup.calibration import Budget
from outgroup.classifier.training import TrainingReport
from outgroup.classifier.tuner import Tuned, Tuner
from outgroup.data import Skipped
from outgroup.embeddings import Embedder
from outgroup.images import ImageSource

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.selection import Comparison
    from outgroup.training_set import TrainingSet


class Learned(NamedTuple):
    """A fitted model, what became of the images, their fingerprint, and why this strategy.

    The training set is what the model would be learned from anew, with more negatives. There is a
    comparison if the strategy was chosen by one, and a network if it was tuned.
    """

    model: Model
    report: TrainingReport
    fingerprint: str
    comparison: Comparison | None = None
    training_set: TrainingSet | None = None
    tuned: Tuned | None = None


class Way(NamedTuple):
    """How to say other: a strategy, its head, and the layers that this reads."""

    strategy: str
    head: str | None = None
    layers: Sequence[str] | None = None


@dataclass(frozen=True)
class Means:
    """What a task learns with.

    Parameters
    ----------
    embedder : Embedder
        What embeds the images.
    budget : Budget
        The promises to keep.
    seed : int
        Seed of everything that is drawn.
    progress : bool or None
        Whether to show a progress bar; None: if there is a terminal.
    keep_suspects : bool
        Whether images of a pool are learned from that look like a class.
    threads : int or None
        Images in work at a time; None: one for each usable core.
    tuner : Tuner or None
        What tunes the network first.
    """

    embedder: Embedder
    budget: Budget
    seed: int
    progress: bool | None
    keep_suspects: bool = False
    threads: int | None = None
    tuner: Tuner | None = None


class Task(ABC):
    """What there is to learn of an image; `data`, `other`, `pool`: as for `ImageClassifier.fit`."""

    #: Whether the network can be tuned for it.
    tunes: ClassVar[bool] = False

    @abstractmethod
    def check(self, way: Way) -> None:
        """Refuse a way that there is not, before any work is done."""

    @abstractmethod
    def fit(self, data: Any, other: Any, pool: Any, way: Way, means: Means) -> Learned:
        """Learn from images."""

    @abstractmethod
    def compare(
        self, data: Any, other: Any, pool: Any, lineup: Sequence[str] | None, means: Means
    ) -> tuple[Any, TrainingReport]:
        """Return what the strategies of a lineup do, and what became of the images."""

    @abstractmethod
    def evaluate(
        self,
        known: Any,
        unknown: Sequence[Any],
        model: Any,
        predict: Callable[[list[ImageSource]], Any],
    ) -> tuple[Any, tuple[Skipped, ...]]:
        """Return figures on images that were not trained on, and those that can't be read."""


def unreadable(answers: Any) -> tuple[Skipped, ...]:
    """Return the images that got no answer, with the reason."""
    return tuple(
        Skipped(answers.paths[i] or f"#{i}", error)
        for i, error in enumerate(answers.errors)
        if error is not None
    )
