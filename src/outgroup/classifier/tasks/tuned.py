"""The network tuned on some of the images, and the others embedded by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from outgroup.classifier.negatives import embedded_garbage
from outgroup.classifier.tasks.base import Means
from outgroup.classifier.training import Prepared, TrainingReport, fingerprint, prepare
from outgroup.classifier.tuner import Tuned
from outgroup.datasets import Samples
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
    """Tune the network, and prepare the images that it has not seen as it sees them.

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
    assert means.tuner is not None
    tuned = means.tuner.tune(
        samples,
        names,
        means.embedder.backbone,
        seed=means.seed,
        threads=means.threads,
        progress=means.progress,
    )
    embedder = means.embedder.with_backbone(tuned.backbone)
    unseen = samples.subset(tuned.unseen)
    prepared = prepare(
        unseen,
        embedder.embed(unseen.sources),
        [names[i] for i in tuned.unseen],
        embedded_garbage(embedder, means.seed),
    )
    counts, n_others = prepared.report.class_counts, prepared.report.n_others
    report = replace(report, class_counts=counts, n_others=n_others)
    return tuned, replace(prepared.data, tuned=True), report, fingerprint(prepared.keys)
