"""What a network with several inputs answers: a prediction, and how odd each input is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from outgroup.multilabel import LabelPredictions
from outgroup.multilabel.label_predictions import LabelsPrediction
from outgroup.predictions import Prediction, Predictions


@dataclass(frozen=True)
class InputsPrediction(Prediction):
    """The answer for one row.

    Parameters
    ----------
    input_scores : dict of str to (float or None)
        How odd each input is, in nats: minus the logarithm of the share of known rows with an
        odder one; 0.7 is typical, 4.6 one in a hundred. None for one that is missing.
    odd_inputs : dict of str to str
        A sentence about each input that is odder than in 99 % of these rows, such as an angle that
        never occurred. An odd input alone does not make a row other.
    """

    input_scores: dict[str, float | None] = field(default_factory=dict)
    odd_inputs: dict[str, str] = field(default_factory=dict)

    def to_dict(self, explain: bool = False) -> dict[str, Any]:
        """Return the fields of one JSON line: those of the contract, then those of the inputs."""
        return {**super().to_dict(explain), **_of_inputs(self)}


@dataclass(frozen=True)
class LabelInputsPrediction(LabelsPrediction):
    """The answer for one row that may have any number of labels; see `InputsPrediction`."""

    input_scores: dict[str, float | None] = field(default_factory=dict)
    odd_inputs: dict[str, str] = field(default_factory=dict)

    def to_dict(self, explain: bool = False) -> dict[str, Any]:
        """Return the fields of one JSON line: those of the labels, then those of the inputs."""
        return {**super().to_dict(explain), **_of_inputs(self)}


@dataclass(frozen=True)
class InputsPredictions(Sequence[InputsPrediction | LabelInputsPrediction]):
    """The answers for many rows, with the scores they rest on.

    Parameters
    ----------
    answers : Predictions or LabelPredictions
        The decision.
    input_scores : dict of str to ndarray of shape (n,), float64
        See `InputsPrediction`; NaN where an input is missing.
    odd_inputs : tuple of dict
        See `InputsPrediction`.
    """

    answers: Predictions | LabelPredictions
    input_scores: dict[str, NDArray[np.float64]]
    odd_inputs: tuple[dict[str, str], ...]

    @property
    def labels(self) -> list[Any]:
        """The class of each row, None if other; a list of labels if it may have several."""
        return list(self.answers.labels)

    @property
    def other_score(self) -> NDArray[np.float64]:
        """Higher = more other; NaN if a row could not be read."""
        return self.answers.other_score

    @property
    def class_scores(self) -> NDArray[np.float64]:
        """Probability of each class, (n, K)."""
        return self.answers.class_scores

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.answers.classes

    def at(self, threshold: float) -> InputsPredictions:
        """Return the answers at another threshold; nothing is computed anew."""
        return replace(self, answers=self.answers.at(threshold))

    def __len__(self) -> int:
        return len(self.answers)

    @overload
    def __getitem__(self, index: int) -> InputsPrediction | LabelInputsPrediction: ...
    @overload
    def __getitem__(self, index: slice) -> InputsPredictions: ...
    def __getitem__(
        self, index: int | slice
    ) -> InputsPrediction | LabelInputsPrediction | InputsPredictions:
        if isinstance(index, slice):
            return InputsPredictions(
                self.answers[index],
                {name: scores[index] for name, scores in self.input_scores.items()},
                self.odd_inputs[index],
            )
        answer = self.answers[index]
        several = isinstance(answer, LabelsPrediction)
        cls = LabelInputsPrediction if several else InputsPrediction
        own = {one.name: getattr(answer, one.name) for one in fields(answer)}
        if answer.reason == "unreadable":
            return cls(**own)
        scores = {name: float(values[index]) for name, values in self.input_scores.items()}
        return cls(
            **own,
            input_scores={
                name: None if score != score else score for name, score in scores.items()
            },
            odd_inputs=self.odd_inputs[index],
        )

    def __iter__(self) -> Iterator[InputsPrediction | LabelInputsPrediction]:
        return (self[i] for i in range(len(self)))


def _of_inputs(one: InputsPrediction | LabelInputsPrediction) -> dict[str, Any]:
    return {"input_scores": one.input_scores, "odd_inputs": one.odd_inputs}
