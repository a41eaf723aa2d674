"""What a classifier with "other" gets right and wrong, by class and by kind of unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from outgroup.errors import InvalidDataError
from outgroup.evaluation.ranking import auroc, auroc_interval, fpr_at_tpr
from outgroup.evaluation.rate import Rate


@dataclass(frozen=True)
class ClassResult:
    """What became of the images of one known class; the three shares add up to 1."""

    name: str
    recall: Rate
    rejected: Rate
    wrong_label: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "name": self.name,
            "recall": self.recall.to_dict(),
            "rejected": self.rejected.to_dict(),
            "wrong_label": self.wrong_label.to_dict(),
        }


@dataclass(frozen=True)
class UnknownResult:
    """What became of one folder of unknowns.

    Parameters
    ----------
    name : str
        The folder.
    accepted : Rate
        Given a class at the model's own threshold.
    auroc : float
        Against all known images; other is the positive class.
    auroc_interval : tuple of float
        95 % interval of `auroc`.
    fpr95 : Rate
        Accepted at the threshold that keeps 95 % of the known images given here.
    """

    name: str
    accepted: Rate
    auroc: float
    auroc_interval: tuple[float, float]
    fpr95: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "name": self.name,
            "accepted": self.accepted.to_dict(),
            "auroc": self.auroc,
            "auroc_interval": list(self.auroc_interval),
            "fpr95": self.fpr95.to_dict(),
        }


@dataclass(frozen=True)
class Evaluation:
    """Results on known images by class, and on unknown ones by folder.

    `overall` is over all known images; `unknown_overall` over all unknown ones, None without any.
    """

    classes: tuple[ClassResult, ...]
    overall: ClassResult
    unknown: tuple[UnknownResult, ...]
    unknown_overall: UnknownResult | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        both = self.unknown_overall
        return {
            "classes": [c.to_dict() for c in self.classes],
            "overall": self.overall.to_dict(),
            "unknown": [u.to_dict() for u in self.unknown],
            "unknown_overall": both.to_dict() if both else None,
        }


def evaluate(
    true: Sequence[str],
    predicted: Sequence[str | None],
    known_scores: ArrayLike,
    unknown_scores: Mapping[str, ArrayLike],
    threshold: float,
) -> Evaluation:
    """Count what happened to known and unknown images at a given threshold.

    Parameters
    ----------
    true, predicted : sequence of length n_known
        Class of each known image, and the answer it got (None = other).
    known_scores : array-like of shape (n_known,)
        Their other-scores, higher = more other.
    unknown_scores : mapping of str to array-like of shape (n_unknown,)
        Other-scores of each folder of unknown images.
    threshold : float
        An unknown image is accepted iff its score is at most this.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidDataError
        If there are no known images, or lengths differ.

    Examples
    --------
    >>> result = evaluate(["cat", "cat", "dog"], ["cat", None, "cat"], [0.1, 0.9, 0.2],
    ...                   {"lego": [0.8, 0.9]}, threshold=0.5)
    >>> print(result.overall.rejected)
    33.3 [0.8, 90.6]
    >>> result.unknown[0].accepted.k
    0
    """
    scores = np.asarray(known_scores, dtype=np.float64)
    if not len(true) or not len(true) == len(predicted) == len(scores):
        raise InvalidDataError(
            "There must be at least one known image, with one answer and one score each. Got "
            f"{len(true)} labels, {len(predicted)} answers and {len(scores)} scores."
        )
    names = sorted(set(true))
    classes = tuple(_class_result(name, *_rows_of(name, true, predicted)) for name in names)
    unknown = {k: np.asarray(v, dtype=np.float64) for k, v in unknown_scores.items() if len(v)}  # type: ignore[arg-type]
    both = None
    if unknown:
        everything = np.concatenate(list(unknown.values()))
        both = _unknown_result("all", scores, everything, threshold)
    return Evaluation(
        classes=classes,
        overall=_class_result("all", true, predicted),
        unknown=tuple(_unknown_result(k, scores, v, threshold) for k, v in unknown.items()),
        unknown_overall=both,
    )


def _rows_of(
    name: str, true: Sequence[str], predicted: Sequence[str | None]
) -> tuple[list[str], list[str | None]]:
    rows = [(t, p) for t, p in zip(true, predicted, strict=True) if t == name]
    return [t for t, _ in rows], [p for _, p in rows]


def _class_result(name: str, true: Sequence[str], predicted: Sequence[str | None]) -> ClassResult:
    n = len(true)
    right = sum(t == p for t, p in zip(true, predicted, strict=True))
    rejected = sum(p is None for p in predicted)
    return ClassResult(name, Rate(right, n), Rate(rejected, n), Rate(n - right - rejected, n))


def _unknown_result(
    name: str,
    known_scores: np.ndarray[Any, np.dtype[np.float64]],
    scores: np.ndarray[Any, np.dtype[np.float64]],
    threshold: float,
) -> UnknownResult:
    n = len(scores)
    area = auroc(known_scores, scores)
    return UnknownResult(
        name=name,
        accepted=Rate(int((scores <= threshold).sum()), n),
        auroc=area,
        auroc_interval=auroc_interval(area, len(known_scores), n),
        fpr95=Rate(round(fpr_at_tpr(known_scores, scores) * n), n),
    )
