"""What a model with several columns of classes gets right and wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from outgroup.errors import InvalidDataError
from outgroup.evaluation.evaluation import Evaluation, evaluate
from outgroup.evaluation.rate import Rate


@dataclass(frozen=True)
class OutputsEvaluation:
    """Results of each column, and of all together.

    Parameters
    ----------
    columns : dict of str to Evaluation
        The results of each column over the images that are labelled in it.
    all_right : Rate
        Images that have a class in every column and were given these; 0 for a model that never
        answers.
    none_given : Rate
        Images of none of the classes of any column that were given one.
    """

    columns: dict[str, Evaluation]
    all_right: Rate
    none_given: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "columns": {name: found.to_dict() for name, found in self.columns.items()},
            "all_right": self.all_right.to_dict(),
            "none_given": self.none_given.to_dict(),
        }


def evaluate_outputs(
    true: Mapping[str, tuple[Sequence[str | None], ArrayLike]],
    given: Mapping[str, Sequence[str | None]],
    other_scores: Mapping[str, ArrayLike],
    thresholds: Mapping[str, float],
    origins: Sequence[str],
) -> OutputsEvaluation:
    """Count what happened to images with a class in each of several columns.

    Parameters
    ----------
    true : mapping of str to (sequence of (str or None), array-like of bool), each of length n
        The class of each image in each column (None: none of them), and whether anybody has looked.
    given : mapping of str to sequence of (str or None), length n
        The answers.
    other_scores : mapping of str to array-like of shape (n,)
        Higher = more other.
    thresholds : mapping of str to float
        The threshold of each column.
    origins : sequence of str, length n
        Folder of each image, by which the unknown ones of each column are reported.

    Raises
    ------
    InvalidDataError
        If no image has a class in one of the columns.

    Examples
    --------
    >>> found = evaluate_outputs({"animal": (["cat", "dog", None], [True] * 3)},
    ...                          {"animal": ["cat", None, None]}, {"animal": [0.1, 0.9, 0.8]},
    ...                          {"animal": 0.5}, ["web"] * 3)
    >>> found.all_right.k, found.all_right.n, found.none_given.k, found.none_given.n
    (1, 2, 0, 1)
    """
    n = len(origins)
    seen = {name: np.asarray(looked, dtype=bool) for name, (_, looked) in true.items()}
    columns = {}
    for name, (labels, _) in true.items():
        scores = np.asarray(other_scores[name], dtype=np.float64)
        known = [i for i in range(n) if seen[name][i] and labels[i] is not None]
        if not known:
            raise InvalidDataError(f"No image has a class in the column {name!r}.")
        unknown: dict[str, list[float]] = {}
        for i in range(n):
            if seen[name][i] and labels[i] is None:
                unknown.setdefault(origins[i], []).append(float(scores[i]))
        columns[name] = evaluate(
            [str(labels[i]) for i in known],
            [given[name][i] for i in known],
            scores[known],
            unknown,
            thresholds[name],
        )
    looked_at = np.array(list(seen.values())).all(axis=0)
    named = np.array([[label is not None for label in labels] for labels, _ in true.values()])
    right = np.array(
        [
            [a == t for a, t in zip(given[name], labels, strict=True)]
            for name, (labels, _) in true.items()
        ]
    )
    answered = np.array([[a is not None for a in given[name]] for name in true]).any(axis=0)
    return OutputsEvaluation(
        columns=columns,
        all_right=_rate(right.all(axis=0), looked_at & named.all(axis=0)),
        none_given=_rate(answered, looked_at & ~named.any(axis=0)),
    )


def _rate(event: ArrayLike, among: ArrayLike) -> Rate:
    both = np.logical_and(event, among)
    return Rate(int(np.sum(both)), int(np.sum(among)))
