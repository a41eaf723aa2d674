"""What mining gives: a model, what it does on the stream, and how it came about."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from outgroup.calibration import Certificate, Promise
from outgroup.calibration.certificate import percent
from outgroup.model import OpenSetModel

if TYPE_CHECKING:
    from outgroup.classifier import ImageClassifier
    from outgroup.mining.memory import Memory

POPULATION = "images of the stream that was mined"

#: Why mining ended, in the words of `Mined.stopped`, and in a sentence.
REASONS = {
    "target": "The bound is as low as it was asked to be.",
    "images": "As many images were taken from the stream as were allowed.",
    "seconds": "The time that was allowed is over.",
    "refits": "No refit is left, and the last model accepts more than was asked for.",
    "end": "The stream came to its end.",
    "repeats": "The stream repeats itself: all of its images had been there before.",
    "interrupted": "It was interrupted.",
    "failed": "The stream failed.",
    "infeasible": "A promise that was asked for could not be given with what was mined.",
}


@dataclass(frozen=True)
class Stage:
    """One model on the stream, from its fit to the next.

    Parameters
    ----------
    images : int
        Images that were counted: each scored before anything was learned from it, copies once.
    accepted : int
        How many of them the model gave a class.
    bound : float
        Upper bound of the share that it accepts. The bounds of all stages hold together, with the
        confidence that mining was called with, at every moment.
    learned : int
        Mined negatives that the model had learned from.
    read : int
        Images that had been taken from the stream when the stage ended.
    seconds : float
        Since mining began, when the stage ended.
    """

    images: int
    accepted: int
    bound: float
    learned: int
    read: int
    seconds: float


@dataclass(frozen=True)
class Quarantined:
    """An image that looks like a known class; nothing was learned from it.

    Parameters
    ----------
    name : str or None
        Its path, or where it was found.
    label : str
        The class that it looks like.
    other_score : float
        By the model that met it.
    key : int
        What identifies its embedding.
    """

    name: str | None
    label: str
    other_score: float
    key: int


@dataclass(frozen=True)
class Mined:
    """A model that has learned from a stream of negatives.

    Parameters
    ----------
    model : OpenSetModel
        Its certificate has the promise about the stream beside that about known images.
    stages : tuple of Stage
        One for each model, the last that of `model`.
    confidence : float
        Of the bounds of all stages together.
    target : float or None
        The share that was asked for.
    stopped : str
        Why it ended: one of `REASONS`.
    read, unreadable, repeated : int
        Images taken from the stream, those that could not be read, and those that had been there
        before; of the latter two none was counted.
    quarantined : tuple of Quarantined
        The suspects that look most like a known class.
    n_quarantined : int
        How many suspects there were in all.
    negatives : tuple of (str or None)
        Names of the mined negatives that `model` learned from.
    error : Exception or None
        What the stream failed with, or why a model could not be fitted.
    classifier : ImageClassifier or None
        The model with its backbone, where images were mined.
    memory : Memory or None
        What was kept of the stream, for mining on.
    """

    model: OpenSetModel
    stages: tuple[Stage, ...]
    confidence: float
    target: float | None
    stopped: str
    read: int
    unreadable: int
    repeated: int
    quarantined: tuple[Quarantined, ...]
    n_quarantined: int
    negatives: tuple[str | None, ...]
    error: Exception | None = None
    classifier: ImageClassifier | None = None
    memory: Memory | None = field(default=None, repr=False)

    @property
    def reached(self) -> bool:
        """Whether the bound is as low as it was asked to be."""
        return self.target is not None and self.stages[-1].bound <= self.target

    @property
    def sentence(self) -> str:
        """What is known of the model on this stream, in plain words."""
        last = self.stages[-1]
        since = " after the last refit" if len(self.stages) > 1 else ""
        if not last.images:
            return f"Nothing is known of the model on this stream: no image was counted{since}."
        return (
            f"On this stream at most {percent(last.bound, up=True)} of images are accepted "
            f"({percent(self.confidence)} confidence, counted over {last.images:,} images{since}; "
            f"{percent(last.accepted / last.images)} seen)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values of all but the models."""
        plain = ("confidence", "target", "stopped", "read", "unreadable", "repeated")
        return {
            "sentence": self.sentence,
            "bound": self.stages[-1].bound,
            "reached": self.reached,
            **{name: getattr(self, name) for name in plain},
            "stages": [asdict(stage) for stage in self.stages],
            "n_quarantined": self.n_quarantined,
            "quarantined": [asdict(image) for image in self.quarantined],
            "n_negatives": len(self.negatives),
            "error": None if self.error is None else str(self.error),
        }


def with_promise(
    model: OpenSetModel, stage: Stage, confidence: float, target: float | None
) -> OpenSetModel:
    """Return a model whose certificate says what it does on the stream."""
    if not stage.images:
        return model
    kept = target if target is not None and stage.bound <= target else None
    promise = Promise(
        "accepted",
        POPULATION,
        stage.bound,
        stage.accepted,
        stage.images,
        "images",
        confidence,
        kept,
    )
    before = tuple(p for p in model.certificate.promises if p.population != POPULATION)
    return replace(model, certificate=Certificate((*before, promise), model.certificate.method))
