"""Each image has any number of labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.negatives import told_apart
from outgroup.classifier.tasks.base import Learned, Means, Task, Way, unreadable
from outgroup.classifier.tasks.tables import Prepared, prepare_table
from outgroup.classifier.tasks.tuned import table_on_tuned_network
from outgroup.classifier.training import TrainingReport
from outgroup.classifier.tuner import Targets
from outgroup.data import (
    MISSING,
    LabelTable,
    Skipped,
    label_matrix,
    load_label_columns,
    load_label_lists,
)
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource
from outgroup.multilabel import LabelsModel, LabelTrainingSet, choose_labeler, fit_labels

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.evaluation import LabelsEvaluation
    from outgroup.multilabel.compare import LabelerResult


class AnyNumberOfLabels(Task):
    """Any number of labels an image, or none of them.

    Parameters
    ----------
    columns : tuple of str or None
        Columns of a table: several that say by 1 or 0 if an image has the label of their name, or
        one with labels such as ``cat|dog``. None: the one named "label".
    """

    tunes = True

    def __init__(self, columns: tuple[str, ...] | None = None) -> None:
        self.columns = columns

    def check(self, way: Way) -> None:
        """See `Task.check`."""
        choose_labeler(way.strategy)
        for name in ("head", "layers"):
            if getattr(way, name) is not None:
                raise InvalidParameterError(
                    f"The {name!r} parameter must be None where an image may have several labels. "
                    f"Got {getattr(way, name)!r} instead. Leave it out."
                )

    def fit(self, data: Any, other: Any, pool: Any, way: Way, means: Means) -> Learned:
        """See `Task.fit`."""
        prepared, report, fingerprint = self._load(data, other, pool, means)
        tuned = None
        if means.tuner is not None:
            targets = Targets(prepared.columns, _matrix(prepared), several=True)
            tuned, prepared = table_on_tuned_network(prepared, targets, means, way.strategy)
        model = fit_labels(
            _training_set(prepared), choose_labeler(way.strategy), means.budget, seed=means.seed
        )
        return Learned(model, report, fingerprint, tuned=tuned)

    def compare(
        self, data: Any, other: Any, pool: Any, lineup: Sequence[str] | None, means: Means
    ) -> tuple[list[LabelerResult], TrainingReport]:
        """See `Task.compare`."""
        from outgroup.multilabel.compare import compare_labelers

        for name in lineup or ():
            choose_labeler(name)
        prepared, report, _ = self._load(data, other, pool, means)
        found = compare_labelers(_training_set(prepared), means.budget, means.seed, lineup)
        return list(found), report

    def evaluate(
        self,
        known: Any,
        unknown: Sequence[Any],
        model: LabelsModel,
        predict: Callable[[list[ImageSource]], Any],
    ) -> tuple[LabelsEvaluation, tuple[Skipped, ...]]:
        """See `Task.evaluate`."""
        from outgroup.evaluation import evaluate_labels

        if self._in_columns:
            table = self._table(known).aligned(model.classes, absent=MISSING)
        else:
            table = load_label_lists(known, classes=model.classes, **self._lists)
        for samples in told_apart(unknown):
            table = table.with_others(samples)
        answers = predict(list(table.samples.sources))
        rows = [i for i, error in enumerate(answers.errors) if error is None]
        evaluation = evaluate_labels(
            label_matrix(table.cells, len(table.columns))[rows],
            answers.given[rows],
            answers.label_scores[rows],
            model.classes,
            [table.samples.origins[i] for i in rows],
        )
        return evaluation, unreadable(answers)

    @property
    def _in_columns(self) -> bool:
        return self.columns is not None and len(self.columns) > 1

    @property
    def _lists(self) -> dict[str, str]:
        return {} if self.columns is None else {"label_column": self.columns[0]}

    def _table(self, data: Any) -> LabelTable:
        if self._in_columns:
            assert self.columns is not None
            return load_label_columns(data, self.columns, marks=True)
        return load_label_lists(data, **self._lists)

    def _load(
        self, data: Any, other: Any, pool: Any, means: Means
    ) -> tuple[Prepared, TrainingReport, str]:
        table = self._table(data)
        columns = tuple(sorted(table.columns))
        if not columns:
            raise InvalidDataError(
                "There are no known images: every label is empty, which means none of these. Label "
                "the images of at least one class."
            )
        return prepare_table(table.aligned(columns, absent=None), other, pool, means, named=False)


def _matrix(prepared: Prepared) -> NDArray[np.int64]:
    return np.asarray(label_matrix(prepared.cells, len(prepared.columns)))


def _training_set(prepared: Prepared) -> LabelTrainingSet:
    return LabelTrainingSet(
        prepared.features,
        _matrix(prepared),
        prepared.columns,
        prepared.groups,
        prepared.origins,
        prepared.promised,
    )
