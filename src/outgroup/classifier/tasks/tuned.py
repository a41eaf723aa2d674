"""The network tuned on some of the images, and all of them embedded by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outgroup.classifier.negatives import embedded_garbage
from outgroup.classifier.tasks.base import Means
from outgroup.classifier.tasks.tables import Prepared as Table
from outgroup.classifier.training import Prepared, TrainingReport, fingerprint, prepare
from outgroup.classifier.tuner import Targets, Tuned
from outgroup.datasets import Samples
from outgroup.embeddings import Embedder
from outgroup.training_set import TrainingSet


def clean_rows(
    samples: Samples,
    digests: Sequence[str | None],
    prepared: Prepared,
    report: TrainingReport,
) -> list[int]:
    """Return the rows of samples that can be learned from, without suspects of the pool.

    A network that is tuned on cats as negatives can't be mended afterwards.

    Parameters
    ----------
    samples : Samples
        All images.
    digests : sequence of (str or None)
        Content of each.
    prepared : Prepared
        What the frozen network makes of them.
    report : TrainingReport
        With what was found in the pool.
    """
    keys = prepared.keys
    if report.pool is not None and not report.pool.kept:
        suspects = np.flatnonzero(prepared.pooled)[report.pool.found.rows]
        keys = [key for i, key in enumerate(keys) if i not in {*suspects.tolist()}]
    clean = {*keys}
    return [i for i, key in enumerate(zip(digests, samples.labels, strict=True)) if key in clean]


def on_tuned_network(
    samples: Samples, names: Sequence[str], report: TrainingReport, means: Means
) -> tuple[Tuned, TrainingSet, TrainingReport, str]:
    """Tune the network, and prepare all images as it sees them.

    Those that it has not seen alone are promised anything; see `TrainingSet.promised`.

    Parameters
    ----------
    samples : Samples
        Images that can be learned from.
    names : sequence of str
        The collection of each.
    report : TrainingReport
        What became of the others.
    means : Means
        With a tuner.
    """
    tuned, embedder = tuned_network(samples, Targets.one_class(samples.labels), names, means)
    embeddings = embedder.embed(samples.sources)
    garbage = embedded_garbage(embedder, means.seed)
    prepared = prepare(samples, embeddings, names, garbage)
    unseen = {(embeddings.digests[i], samples.labels[i]) for i in tuned.unseen}
    promised = np.array([key in unseen for key in prepared.keys])
    counts, n_others = prepared.report.class_counts, prepared.report.n_others
    report = replace(report, class_counts=counts, n_others=n_others)
    data = replace(prepared.data, tuned=True, promised=promised)
    return tuned, data, report, fingerprint(prepared.keys)


def table_on_tuned_network(
    prepared: Table, targets: Targets, means: Means
) -> tuple[Tuned, Table]:
    """Tune the network to a table, and return its rows as the network sees them.

    Parameters
    ----------
    prepared : Table
        Rows that can be learned from, as the network sees them that is not tuned.
    targets : Targets
        What each row is.
    means : Means
        With a tuner.
    """
    names = ["pool" if pooled else "other" for pooled in prepared.pooled]
    tuned, embedder = tuned_network(prepared.samples, targets, names, means)
    features = embedder.embed(prepared.samples.sources).layers
    promised = np.isin(np.arange(len(names)), tuned.unseen)
    return tuned, replace(prepared, features=features, promised=promised)


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
