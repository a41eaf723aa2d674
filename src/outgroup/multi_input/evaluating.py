"""Figures on rows that were not trained on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from outgroup.data import Skipped
from outgroup.errors import InvalidParameterError
from outgroup.evaluation import Evaluation, LabelsEvaluation, evaluate, evaluate_labels
from outgroup.multi_input.frames import as_frame
from outgroup.multi_input.gathering import labels_of
from outgroup.multi_input.rowset import one_class_labels, several_labels

if TYPE_CHECKING:
    from outgroup.multi_input.classifier import MultiInputClassifier

#: What rows of the labelled table that have no label are called.
UNLABELLED = "rows without a label"


def evaluate_inputs(
    classifier: MultiInputClassifier,
    known: Any,
    y: Any = None,
    unknown: Mapping[str, Any] | Sequence[Any] = (),
) -> tuple[Evaluation | LabelsEvaluation, tuple[Skipped, ...]]:
    """See `MultiInputClassifier.evaluate`."""
    frame = as_frame(known)
    y = classifier.label_ if y is None else y
    if y is None:
        raise InvalidParameterError(
            "The 'y' parameter must be a column or labels, where the model was not fitted with the "
            "name of a column. Got None instead."
        )
    given = labels_of(frame, y, classifier.names_)
    classes = classifier.model.target.classes
    several = classifier.model.target.kind == "multi-label"
    marks = several_labels(given, classes)[0] if several else None
    labels = None if several else one_class_labels(given, classes)[0]
    answers = [classifier.predict(frame, nearest=0)]
    origins = [UNLABELLED] * frame.n
    for name, rows in _named(unknown).items():
        answers.append(classifier.predict(rows, nearest=0))
        origins += [name] * len(answers[-1])
    other = np.concatenate([one.other_score if not several else _of_labels(one) for one in answers])
    unreadable = tuple(
        Skipped(answer.path or f"{origin} #{i}", str(answer.error))
        for i, (answer, origin) in enumerate(
            zip((row for one in answers for row in one), origins, strict=True)
        )
        if answer.error is not None
    )
    n_unknown = len(origins) - frame.n
    readable = ~np.isnan(other if other.ndim == 1 else other[:, 0])
    if marks is not None:
        none = np.zeros((n_unknown, len(classes)), dtype=np.int64)
        found: Evaluation | LabelsEvaluation = evaluate_labels(
            np.concatenate([marks, none])[readable],
            (other <= classifier.model.thresholds)[readable],
            other[readable],
            classes,
            [origins[i] for i in np.flatnonzero(readable)],
        )
        return found, unreadable
    assert labels is not None
    labels = [*labels, *([None] * n_unknown)]
    is_known = [i for i in np.flatnonzero(readable) if labels[i] is not None]
    said = [label for one in answers for label in one.labels]
    strange = {
        name: [
            other[i] for i in np.flatnonzero(readable) if labels[i] is None and origins[i] == name
        ]
        for name in dict.fromkeys(origins)
    }
    found = evaluate(
        [str(labels[i]) for i in is_known],
        [said[i] for i in is_known],
        other[is_known],
        strange,
        classifier.model.threshold,
    )
    return found, unreadable


def _of_labels(found: Any) -> Any:
    return found.answers.label_scores


def _named(unknown: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Return tables by name: that of the file, those of one name with a number behind it."""
    if isinstance(unknown, Mapping):
        return dict(unknown)
    if isinstance(unknown, (str, os.PathLike)):
        unknown = [unknown]
    found: dict[str, Any] = {}
    for i, rows in enumerate(unknown):
        path = isinstance(rows, (str, os.PathLike))
        name = Path(rows).stem if path else f"unknown {i + 1}"
        taken = sum(one == name or one.startswith(f"{name} (") for one in found)
        found[f"{name} ({taken + 1})" if taken else name] = rows
    return found
