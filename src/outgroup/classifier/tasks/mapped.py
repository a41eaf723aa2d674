"""Each image has one class, or none, and the classes are given by ImageNet's names."""

from __future__ import annotations

from typing import Any

from outgroup.classifier.learning import root_of, training_samples, warned
from outgroup.classifier.mapped import NameMap, mapped_strategy, refuse_head
from outgroup.classifier.purging import purged
from outgroup.classifier.tasks.base import Learned, Means, Way
from outgroup.classifier.tasks.one_class import OneClass
from outgroup.classifier.training import nothing_learned, prepare
from outgroup.data_checks import suspicious
from outgroup.untrained import calibrated_model, uncalibrated_model


class Mapped(OneClass):
    """One class an image, or other, with nothing trained; images only calibrate the threshold.

    Parameters
    ----------
    names : mapping of str to str or sequence of str
        For each class the ImageNet classes or families that mean it.
    columns : tuple of one str, or None
        The column of the labels in a table; None: "label".
    """

    tunes = False

    def __init__(self, names: NameMap, columns: tuple[str, ...] | None = None) -> None:
        super().__init__(columns)
        self.names = names

    def check(self, way: Way) -> None:
        """See `Task.check`."""
        super().check(Way(way.strategy))
        refuse_head(way.head, way.layers)

    def fit(self, data: Any, other: Any, pool: Any, way: Way, means: Means) -> Learned:
        """See `Task.fit`; without images the model promises nothing."""
        classes, strategy = mapped_strategy(self.names, means.embedder.backbone, way.strategy)
        if data is None and other is None and pool is None:
            return Learned(uncalibrated_model(classes, strategy), *nothing_learned(classes))
        samples, names, pooled, whole, said = training_samples(
            data, other, pool, means.embedder, means.seed, **self.table
        )
        embeddings = means.embedder.embed(samples.sources)
        prepared = prepare(samples, embeddings, names, classes=classes, pooled=pooled)
        training_set, report, fingerprint, *_ = purged(
            prepared, means.seed, means.keep_suspects, whole, means.embedder
        )
        model = calibrated_model(training_set, strategy, means.budget)
        said += suspicious(training_set, model, root_of(data))
        return Learned(model, warned(report, said), fingerprint)
