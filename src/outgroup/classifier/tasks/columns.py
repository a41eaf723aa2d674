"""Each image has a class, or none, in each of several columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.negatives import told_apart
from outgroup.classifier.tasks.base import Learned, Means, Task, Way, unreadable
from outgroup.classifier.tasks.one_class import checked_lineup, compare_one
from outgroup.classifier.tasks.tables import Prepared, prepare_table
from outgroup.classifier.tasks.tuned import table_on_tuned_network
from outgroup.classifier.training import TrainingReport
from outgroup.classifier.tuner import Targets
from outgroup.data import MISSING, Skipped, load_label_columns
from outgroup.errors import InfeasibleTargetError, InvalidDataError
from outgroup.images import ImageSource
from outgroup.multilabel import OutputsModel, fit_outputs
from outgroup.multilabel.output_predictions import output_class
from outgroup.multilabel.outputs import training_set

if TYPE_CHECKING:  # slow to import, and prediction does without
    from outgroup.evaluation import OutputsEvaluation
    from outgroup.selection import Comparison


class ClassInEachColumn(Task):
    """A class, or other, in each of several columns.

    Each column is a problem of one class an image, on the images that are labelled in it: its
    strategy may be any, for all columns the same. "auto" is "blend"; "softmax" and "other-class"
    are a softmax over the column's classes, without and with a place for its other.

    Parameters
    ----------
    columns : tuple of str
        Columns of a table that hold classes.
    """

    tunes = True

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns

    def check(self, way: Way) -> None:
        """See `Task.check`."""
        from outgroup.selection import choose_strategy

        choose_strategy(*way)

    def fit(self, data: Any, other: Any, pool: Any, way: Way, means: Means) -> Learned:
        """See `Task.fit`."""
        from outgroup.selection import choose_strategy

        prepared, report, fingerprint = self._load(data, other, pool, means)
        tuned = None
        if means.tuner is not None:
            tuned, prepared = table_on_tuned_network(prepared, _targets(prepared), means)
        model = fit_outputs(
            prepared.features,
            _by_column(prepared.columns, prepared.cells),
            partial(choose_strategy, *way),
            means.budget,
            prepared.groups,
            prepared.origins,
            seed=means.seed,
            promised=prepared.promised,
        )
        return Learned(model, report, fingerprint, tuned=tuned)

    def compare(
        self, data: Any, other: Any, pool: Any, lineup: Sequence[str] | None, means: Means
    ) -> tuple[dict[str, Comparison], TrainingReport]:
        """See `Task.compare`; every column by itself."""
        lineup = checked_lineup(lineup)
        prepared, report, _ = self._load(data, other, pool, means)
        found = {}
        for name, (values, seen) in _by_column(prepared.columns, prepared.cells).items():
            data = training_set(
                name, prepared.features, values, seen, prepared.groups, prepared.origins
            )
            try:
                found[name] = compare_one(data, lineup, means)
            except InfeasibleTargetError as error:
                raise InfeasibleTargetError(f"Column {name!r}: {error}", error.n_needed) from error
        return found, report

    def evaluate(
        self,
        known: Any,
        unknown: Sequence[Any],
        model: OutputsModel,
        predict: Callable[[list[ImageSource]], Any],
    ) -> tuple[OutputsEvaluation, tuple[Skipped, ...]]:
        """See `Task.evaluate`."""
        from outgroup.evaluation import evaluate_outputs

        table = load_label_columns(known, self.columns, marks=False)
        for samples in told_apart(unknown):
            table = table.with_others(samples)
        for (name, (values, _)), one in zip(
            _by_column(table.columns, table.cells).items(), model.columns.values(), strict=True
        ):
            strange = sorted({str(v) for v in values if v is not None} - {*one.classes})
            if strange:
                raise InvalidDataError(
                    f"The column {name!r} has classes that the model does not know: "
                    f"{', '.join(strange)}. It knows {', '.join(one.classes)}. Leave the cell "
                    "empty where it is none of these."
                )
        answers = predict(list(table.samples.sources))
        rows = [i for i, error in enumerate(answers.errors) if error is None]
        outputs = answers.outputs
        evaluation = evaluate_outputs(
            _by_column(table.columns, [table.cells[i] for i in rows]),
            {name: [values[i] for i in rows] for name, values in outputs.items()},
            {name: one.other_score[rows] for name, one in answers.columns.items()},
            {name: one.threshold for name, one in model.columns.items()},
            [table.samples.origins[i] for i in rows],
        )
        return evaluation, unreadable(answers)

    def _load(
        self, data: Any, other: Any, pool: Any, means: Means
    ) -> tuple[Prepared, TrainingReport, str]:
        table = load_label_columns(data, self.columns, marks=False)
        return prepare_table(table, other, pool, means, named=True)


def _targets(prepared: Prepared) -> Targets:
    """Return all values of all columns, of which an image has one a column."""
    names: list[str] = []
    parts = []
    for i, name in enumerate(prepared.columns):
        cells = [row[i] for row in prepared.cells]
        values = sorted({cell for cell in cells if cell is not MISSING and cell is not None})
        names += [output_class(name, value) for value in values]
        parts += [[-1 if c is MISSING else int(c == value) for c in cells] for value in values]
    return Targets(tuple(names), np.array(parts, dtype=np.int64).T, several=True)


def _by_column(
    columns: Sequence[str], cells: Sequence[tuple[Any, ...]]
) -> dict[str, tuple[list[str | None], NDArray[np.bool_]]]:
    found = {}
    for i, name in enumerate(columns):
        seen = np.array([row[i] is not MISSING for row in cells], dtype=np.bool_)
        found[name] = ([None if row[i] is MISSING else row[i] for row in cells], seen)
    return found
