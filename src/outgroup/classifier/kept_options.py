"""The options of a classifier that its model file keeps."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from outgroup.artifact import ModelContents
from outgroup.backbones import Backbone
from outgroup.classifier.tasks import Learned
from outgroup.classifier.tuner import Tuned

if TYPE_CHECKING:
    from outgroup.classifier.image_classifier import ImageClassifier


def contents_of(classifier: ImageClassifier, learned: Learned, backbone: Backbone) -> ModelContents:
    """Return what a model file holds of what was learned on a network, tuned or as it came."""
    if learned.tuned is not None:
        backbone = learned.tuned.backbone
    options = kept_options(classifier, learned.tuned)
    return ModelContents(backbone, learned.model, learned.report.info(learned.fingerprint, options))


def kept_options(classifier: ImageClassifier, tuned: Tuned | None = None) -> dict[str, Any]:
    """Return JSON-ready options: what was asked for, what was chosen, how the network was tuned."""
    options: dict[str, Any] = {
        "strategy": classifier.strategy,
        "head": classifier.head,
        "layers": None if classifier.layers is None else list(classifier.layers),
        "max_known_rejected": classifier.budget.max_known_rejected,
        "max_other_accepted": classifier.budget.max_other_accepted,
        "confidence": classifier.budget.confidence,
        "seed": classifier.seed,
    }
    if classifier.label_columns is not None:
        options["label_columns"] = classifier.label_columns
    if classifier.map is not None:
        options["map"] = {name: classifier.map[name] for name in sorted(classifier.map)}
    if classifier.comparison is not None:
        options["choice"] = asdict(classifier.comparison.choice)
    if tuned is not None:
        options["finetune"] = tuned.info
    return options
