"""The result of mining: a model, and what it does on the stream."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from outgroup.calibration import Certificate, Guarantee
from outgroup.calibration.certificate import percent
from outgroup.mining.memory import Memory, Quarantined, Stage
from outgroup.model import Model

if TYPE_CHECKING:
    from outgroup.classifier import ImageClassifier

POPULATION = "images of the stream that was mined"

#: Values of `Mined.stopped`, and the sentences that explain them.
REASONS = {
    "target": "The bound has reached the target.",
    "images": "The limit on images was reached.",
    "seconds": "The limit on time was reached.",
    "refits": "No refit is left, and the last model accepts more than the target.",
    "end": "The stream came to its end.",
    "repeats": "The stream repeats itself: it gives no new images any more.",
    "interrupted": "It was interrupted.",
    "failed": "The stream failed.",
    "infeasible": "With the mined negatives a guarantee that was asked for can't be given.",
}


@dataclass(frozen=True)
class Mined:
    """A model that has learned from a stream of negatives.

    Parameters
    ----------
    model : Model
        Its certificate has the guarantee about the stream beside those about other images.
    stages : tuple of Stage
        One for each model; the last is that of `model`.
    confidence : float
        Confidence of the bounds of all stages together.
    target : float or None
        The share that was asked for.
    stopped : str
        Why mining ended: a key of `REASONS`.
    read, unreadable, repeated : int
        Images taken from the stream, those that could not be read, and those that had been there
        before or in training. Of the latter two none was counted.
    quarantined : tuple of Quarantined
        Suspects, those that look most like a known class; `n_quarantined` is the number of all.
    negatives : tuple of (str or None)
        Names of the mined negatives that `model` learned from.
    error : Exception or None
        What the stream failed with, or why a model could not be fitted.
    classifier : ImageClassifier or None
        The model with its backbone, where images were mined.
    memory : Memory or None
        What was kept of the stream, for the parameter `before`.
    """

    model: Model
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
        """Whether the bound is at most the target."""
        return self.target is not None and self.stages[-1].bound <= self.target

    @property
    def sentence(self) -> str:
        """What is known of the model on this stream, in words."""
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


def with_guarantee(model: Model, stage: Stage, confidence: float, target: float | None) -> Model:
    """Return the model with a guarantee about the stream in its certificate."""
    if not stage.images:
        return model
    asked = target if target is not None and stage.bound <= target else None
    counted = stage.bound, stage.accepted, stage.images, "images"
    guarantee = Guarantee("accepted", POPULATION, *counted, confidence, asked)
    before = tuple(p for p in model.certificate.guarantees if p.population != POPULATION)
    return replace(model, certificate=Certificate((*before, guarantee), model.certificate.method))
