"""What a multi-output model says of an image: a class or None for each column.

`other_score` is how far the surest column is from naming a class: the least difference between the
other-score of a column and its threshold. An image is other iff every column says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from outgroup.multilabel.label_predictions import LabelsPrediction
from outgroup.predictions import Predictions


@dataclass(frozen=True)
class OutputsPrediction(LabelsPrediction):
    """The answer of a multi-output model for one image.

    Labels read "column=value". Scores and thresholds are those of the columns, probabilities those
    of "column=value".

    Parameters
    ----------
    outputs : dict of str to (str or None)
        The value of each column, None for other.
    """

    outputs: dict[str, str | None] = field(default_factory=dict)

    def text(self, other: str = "other") -> str:
        """Return the answer for people, every column with its value."""
        said = (f"{name}={other if v is None else v}" for name, v in self.outputs.items())
        return "|".join(said)

    def to_dict(self, explain: bool = False) -> dict[str, Any]:
        """Return the fields of one JSON line: those of the contract, then those of the columns."""
        return {**super().to_dict(explain), "outputs": self.outputs}


@dataclass(frozen=True)
class OutputPredictions(Sequence[OutputsPrediction]):
    """The answers of a multi-output model for many images.

    Parameters
    ----------
    columns : dict of str to Predictions
        The answers of each column for the same n images.
    threshold : float
        By how much all thresholds are moved.
    """

    columns: dict[str, Predictions]
    threshold: float = 0.0

    def at(self, threshold: float) -> OutputPredictions:
        """Return the answers with all thresholds moved by this; nothing is computed anew."""
        return replace(self, threshold=float(threshold))

    @property
    def outputs(self) -> dict[str, list[str | None]]:
        """The value of each image in each column, None if other or unreadable."""
        return {
            name: [
                label if margin <= self.threshold else None  # False for NaN
                for label, margin in zip(p.at(np.inf).labels, _margins(p), strict=True)
            ]
            for name, p in self.columns.items()
        }

    @property
    def class_scores(self) -> NDArray[np.float64]:
        """The scores of the classes of all columns, side by side."""
        return np.hstack([p.class_scores for p in self.columns.values()])

    @property
    def other_score(self) -> NDArray[np.float64]:
        """The least distance of a column's other-score from its threshold; NaN if unreadable."""
        margins = [_margins(p) for p in self.columns.values()]
        result: NDArray[np.float64] = np.min(margins, axis=0)
        return result

    @property
    def labels(self) -> list[list[str]]:
        """All of "column=value" that each image was given."""
        return [prediction.labels for prediction in self]

    @property
    def paths(self) -> tuple[str | None, ...]:
        """Where each image came from."""
        return next(iter(self.columns.values())).paths

    @property
    def errors(self) -> tuple[str | None, ...]:
        """Why an image could not be read; None if it was."""
        return next(iter(self.columns.values())).errors

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @overload
    def __getitem__(self, index: int) -> OutputsPrediction: ...
    @overload
    def __getitem__(self, index: slice) -> OutputPredictions: ...
    def __getitem__(self, index: int | slice) -> OutputsPrediction | OutputPredictions:
        if isinstance(index, slice):
            return replace(self, columns={k: p[index] for k, p in self.columns.items()})
        if self.errors[index] is not None:
            nothing: dict[str, str | None] = dict.fromkeys(self.columns)
            return OutputsPrediction(
                self.paths[index],
                None,
                "unreadable",
                None,
                None,
                {},
                self.errors[index],
                outputs=nothing,
            )
        rows = {k: p.at(np.inf)[index] for k, p in self.columns.items()}
        margins = {k: float(_margins(p)[index]) for k, p in self.columns.items()}
        outputs = {
            k: row.label if margins[k] <= self.threshold else None for k, row in rows.items()
        }
        given = [k for k, value in outputs.items() if value is not None]
        surest = min(given, key=lambda k: margins[k], default=None)
        return OutputsPrediction(
            path=self.paths[index],
            label=None if surest is None else output_class(surest, str(outputs[surest])),
            reason="known" if given else "unknown",
            other_score=min(margins.values()),
            threshold=self.threshold,
            probabilities={
                output_class(k, name): p
                for k, row in rows.items()
                for name, p in row.probabilities.items()
            },
            given=tuple(output_class(k, str(outputs[k])) for k in given),
            other_scores={k: float(p.other_score[index]) for k, p in self.columns.items()},
            thresholds={k: p.threshold + self.threshold for k, p in self.columns.items()},
            outputs=outputs,
        )

    def __iter__(self) -> Iterator[OutputsPrediction]:
        return (self[i] for i in range(len(self)))


def output_class(column: str, value: str) -> str:
    """Return what a value is called where columns stand side by side.

    >>> output_class("animal", "cat")
    'animal=cat'
    """
    return f"{column}={value}"


def _margins(answers: Predictions) -> NDArray[np.float64]:
    margins: NDArray[np.float64] = answers.other_score - answers.threshold
    return margins
