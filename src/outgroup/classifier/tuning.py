"""Tuning the network on some of the images, and keeping it if that is better.

`finetune`, a layer above, provides the tuner; here it is known by what it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outgroup.backbones import Backbone
from outgroup.calibration import Budget
from outgroup.data import Samples
from outgroup.embeddings import Embedder
from outgroup.errors import InvalidParameterError
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.training_set import TrainingSet

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.selection import NetworkChoice

#: What the name of a tuned network begins with.
PREFIX = "tuned:"

HELD_OUT = "The threshold rests on images that it has not seen."


def untuned_name(name: str) -> str:
    """Return the name of the network that one was tuned from ("tuned:NAME"), or the name itself."""
    return name.removeprefix(PREFIX)


@dataclass(frozen=True)
class Targets:
    """What a network is trained to give for each image."""

    names: tuple[str, ...]  #: of the K classes, labels, or values of columns
    Y: NDArray[np.int64]  #: (n, K) 1: has it, 0: not, -1: not known; negatives: zeros
    several: bool = False  #: whether an image may have more than one


@dataclass(frozen=True)
class Tuned:
    """A tuned network, and which images it has not learned from."""

    backbone: Backbone
    unseen: list[int]  #: rows not learned from; only these calibrate
    info: dict[str, Any]  #: how it was tuned, JSON-ready; has a "sentence"
    only_if_better: bool = False  #: keep the original unless the tuned one is shown to be better


class Tuner(Protocol):
    """Tunes a network on some of the images."""

    def tune(
        self,
        samples: Samples,
        targets: Targets,
        collections: Sequence[str],
        backbone: Backbone,
        *,
        seed: int,
        threads: int | None,
        progress: bool | None,
    ) -> Tuned:
        """Return the tuned network; `samples` are images whose own labels mean nothing."""


def check_tuner(tuner: object, names: object) -> None:
    """Refuse what can't tune, and tuning where classes are given by a map of names."""
    if tuner is None:
        return
    if not hasattr(tuner, "tune"):
        raise InvalidParameterError(
            f"Invalid `finetune`: must be a FineTune or None, got {tuner!r}. Write "
            "from outgroup.finetune import FineTune."
        )
    if names is not None:
        raise InvalidParameterError(
            f"Invalid `finetune`: must be None with `map`, got a {type(tuner).__name__}. Classes "
            "by ImageNet's names are read off the original network. Leave `map` out and give "
            "images of the classes, or leave `finetune` out."
        )


def tune(
    tuner: Tuner,
    data: TrainingSet,
    samples: Samples,
    pooled: NDArray[np.bool_],
    embedder: Embedder,
    budget: Budget,
    *,
    strategy: str,
    head: str | None,
    layers: Sequence[str] | None,
    seed: int,
    threads: int | None,
    progress: bool | None,
) -> tuple[Tuned, TrainingSet]:
    """Tune the network, and return the training set as the better network embeds it.

    Suspects of the pool must not be among the images: a network that has learned from known images
    as negatives can't be corrected afterwards. Only images that tuning has not seen calibrate.
    `strategy`, `head` and `layers` are those by which the two networks are compared.
    """
    from outgroup.selection import choose_network, share_of

    schema = data.schema
    targets = Targets(schema.class_names, schema.indicator(data.targets), not schema.is_single)
    names = ["pool" if of_pool else "other" for of_pool in pooled]
    if schema.is_single and data.collections is not None:
        names = list(data.collections)
    tuned = tuner.tune(
        samples, targets, names, embedder.backbone, seed=seed, threads=threads, progress=progress
    )
    on_tuned = replace(
        data,
        features=embedder.with_backbone(tuned.backbone).embed(samples.sources).layers,
        probes={},  # no strategies are compared on a tuned network
        tuned=True,
        calibrates=np.isin(np.arange(len(samples)), tuned.unseen),
    )
    if not tuned.only_if_better:
        return _with_sentence(tuned, HELD_OUT), on_tuned
    if schema.is_single:
        how: dict[str, Any] = {"head": head, "layers": layers, "share": share_of(budget, data)}
        choice = choose_network(data, on_tuned, strategy, seed=seed, **how)
        sentence = _said(choice, "negatives that tuning has not seen", "are accepted")
    else:
        before, after = (_as_labels(one) for one in (data, on_tuned))
        name = strategy if schema.is_multi_label else "auto"
        choice = choose_network(before, after, name, seed=seed)
        of = "images not seen by tuning: of the labels that they are without,"
        sentence = _said(choice, of, "are given to them")
    tuned = _with_sentence(
        tuned,
        sentence,
        kept=choice.tuned,
        accepted_before=choice.accepted_before,
        accepted_after=choice.accepted_after,
    )
    if choice.tuned:
        return tuned, on_tuned
    return replace(tuned, backbone=embedder.backbone), data


def _as_labels(data: TrainingSet) -> TrainingSet:
    """Return each class as a label of its own: those that images are with and without."""
    Y = data.schema.indicator(data.targets)
    both = ((Y == 1).sum(axis=0) > 1) & ((Y == 0).sum(axis=0) > 1)
    names = [name for name, enough in zip(data.classes, both, strict=True) if enough]
    schema = LabelSchema.multi_label(names)
    return replace(data, schema=schema, targets=label_targets(Y[:, both]), probes={})


def _with_sentence(tuned: Tuned, sentence: str, **more: Any) -> Tuned:
    told = f"{tuned.info['sentence']} {sentence}"
    return replace(tuned, info={**tuned.info, **more, "sentence": told})


def _said(choice: NetworkChoice, of: str, does: str) -> str:
    """Return in words which network is kept, and why."""
    if not choice.n_others:
        return "No image that tuning has not seen can show whether it is better: it is not kept."
    before, after = (100 * x for x in (choice.accepted_before, choice.accepted_after))
    kept = f"the tuned network is kept. {HELD_OUT}" if choice.tuned else "it is not kept."
    return (
        f"Of {choice.n_others:,} {of} {before:.1f} % {does} on the original network, and "
        f"{after:.1f} % on the tuned one: {kept}"
    )
