"""The network tuned on some of the images, and kept if that is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from outgroup.classifier.tasks.base import Means, Way
from outgroup.classifier.tasks.tables import Prepared as Table
from outgroup.classifier.tuner import Targets, Tuned
from outgroup.data import Samples
from outgroup.embeddings import Embedder
from outgroup.multilabel import LabelTrainingSet
from outgroup.training_set import TrainingSet

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.selection import NetworkChoice

HELD_OUT = "The threshold rests on images that it has not seen."


def on_tuned_network(
    data: TrainingSet, samples: Samples, names: Sequence[str], way: Way, means: Means
) -> tuple[Tuned, TrainingSet]:
    """Tune the network, and return what is learned from as the better one sees it.

    A network that is tuned on cats as negatives can't be mended afterwards, so that suspects of the
    pool must not be among these images. Promised is what tuning has not seen.

    Parameters
    ----------
    data : TrainingSet
        The images on the network as it came.
    samples : Samples
        The same images, in the same order.
    names : sequence of str
        The collection of each.
    way : Way
        How other is to be said, by which the two networks are compared.
    means : Means
        With a tuner.
    """
    tuned, embedder = tuned_network(samples, Targets.one_class(samples.labels), names, means)
    on_tuned = replace(
        data,
        features=embedder.embed(samples.sources).layers,
        probes={},  # nothing is compared by what a tuned network makes of them
        tuned=True,
        promised=np.isin(np.arange(len(samples)), tuned.unseen),
    )
    if not tuned.only_if_better:
        return with_sentence(tuned, HELD_OUT), on_tuned
    from outgroup.selection import choose_network, share_of

    choice = choose_network(
        data,
        on_tuned,
        way.strategy,
        head=way.head,
        layers=way.layers,
        share=share_of(means.budget, data),
        seed=means.seed,
    )
    of = f"Of {choice.n_others:,} negatives that tuning has not seen"
    tuned = measured(tuned, choice, of, "are accepted")
    return (tuned, on_tuned) if choice.tuned else (untuned(tuned, means), data)


def measured(tuned: Tuned, choice: NetworkChoice, of: str, does: str) -> Tuned:
    """Return a tuned network with the measurement by which it is taken or not."""
    return with_sentence(
        tuned,
        said(choice, of, does),
        kept=choice.tuned,
        accepted_before=choice.accepted_before,
        accepted_after=choice.accepted_after,
    )


def untuned(tuned: Tuned, means: Means) -> Tuned:
    """Return the network as it came, with what was said of the tuned one."""
    return replace(tuned, backbone=means.embedder.backbone)


def with_sentence(tuned: Tuned, sentence: str, **more: Any) -> Tuned:
    """Return a tuned network of which more is told."""
    told = f"{tuned.info['sentence']} {sentence}"
    return replace(tuned, info={**tuned.info, **more, "sentence": told})


def said(choice: NetworkChoice, of: str, does: str) -> str:
    """Return in words which network is taken, and why."""
    if not choice.n_others:
        return "No image that tuning has not seen can show whether that is better: it is not kept."
    before, after = (100 * x for x in (choice.accepted_before, choice.accepted_after))
    taken = f"the tuned network is kept. {HELD_OUT}" if choice.tuned else "it stays as it came."
    return (
        f"{of} {before:.1f} % {does} on the network as it came, and {after:.1f} % on the tuned "
        f"one: {taken}"
    )


def table_on_tuned_network(
    prepared: Table, targets: Targets, means: Means, labeler: str = "auto"
) -> tuple[Tuned, Table]:
    """Tune the network to a table, and return its rows as the better network sees them.

    Parameters
    ----------
    prepared : Table
        Rows that can be learned from, as the network sees them that is not tuned.
    targets : Targets
        What each row is.
    means : Means
        With a tuner.
    labeler : str, default="auto"
        By which the two networks are compared; the value of a column is a label for this.
    """
    names = ["pool" if pooled else "other" for pooled in prepared.pooled]
    tuned, embedder = tuned_network(prepared.samples, targets, names, means)
    features = embedder.embed(prepared.samples.sources).layers
    promised = np.isin(np.arange(len(names)), tuned.unseen)
    on_tuned = replace(prepared, features=features, promised=promised)
    if not tuned.only_if_better:
        return with_sentence(tuned, HELD_OUT), on_tuned
    from outgroup.selection import choose_network_of_labels

    before, after = (_labelled(table, targets) for table in (prepared, on_tuned))
    choice = choose_network_of_labels(before, after, labeler, seed=means.seed)
    of = f"Of the labels that {choice.n_others:,} images not seen by tuning are without,"
    tuned = measured(tuned, choice, of, "are given to them")
    return (tuned, on_tuned) if choice.tuned else (untuned(tuned, means), prepared)


def _labelled(table: Table, targets: Targets) -> LabelTrainingSet:
    """Return a table as labels: those of which images are with and without."""
    Y = targets.Y
    both = ((Y == 1).sum(axis=0) > 1) & ((Y == 0).sum(axis=0) > 1)
    names = tuple(name for name, enough in zip(targets.names, both, strict=True) if enough)
    return LabelTrainingSet(
        table.features, Y[:, both], names, table.groups, table.origins, table.promised
    )


def tuned_network(
    samples: Samples, targets: Targets, names: Sequence[str], means: Means
) -> tuple[Tuned, Embedder]:
    """Tune the network, and return it with what embeds images by it."""
    assert means.tuner is not None
    tuned = means.tuner.tune(
        samples,
        targets,
        names,
        means.embedder.backbone,
        seed=means.seed,
        threads=means.threads,
        progress=means.progress,
    )
    return tuned, means.embedder.with_backbone(tuned.backbone)
