"""What a multi-label model gets right and wrong, in figures that answering nothing can't win.

Most cells of a multi-label table are zeros: with twenty labels, one or two an image and many images
of none, a model that never answers is right in 97 % of the cells. So no figure here counts a zero
that was left a zero. F1 is that of labels given and labels there; the share of images of none of
the labels that are given any is reported beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtri

from outgroup.calibration import bounds
from outgroup.errors import InvalidDataError
from outgroup.evaluation.rate import Rate


@dataclass(frozen=True)
class Figure:
    """A figure between 0 and 1 that is no share of images, with its 95 % interval."""

    value: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {"value": self.value, "interval": list(self.interval)}

    def __str__(self) -> str:
        """Return figure and interval with two decimals; tables say once what it is."""
        low, high = self.interval
        return f"{self.value:.2f} [{low:.2f}, {high:.2f}]"


@dataclass(frozen=True)
class LabelResult:
    """What became of one label.

    Parameters
    ----------
    name : str
        The label.
    precision : Rate
        Images that have it, of those that were given it.
    recall : Rate
        Images that were given it, of those that have it.
    f1 : Figure
        ``2 TP / (2 TP + FP + FN)``; 0 where it is never given. Its interval is exact: with
        ``J = TP / (TP + FP + FN)``, a share of images, it is ``2 J / (1 + J)``.
    average_precision : Figure
        Of the ranking by score, whatever the threshold; the share of images that have the label is
        chance. Its interval is the logit interval of Boyd, Eng and Page (2013, Area under the
        Precision-Recall Curve, ECML PKDD), which is approximate.
    """

    name: str
    precision: Rate
    recall: Rate
    f1: Figure
    average_precision: Figure

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        figures = {k: getattr(self, k).to_dict() for k in list(asdict(self))[1:]}
        return {"name": self.name, **figures}


@dataclass(frozen=True)
class LabelsEvaluation:
    """Results by label and over all of them.

    Parameters
    ----------
    macro_f1 : Figure
        The headline: the mean F1 of the labels, all images counting; 0 for a model that never
        answers. A label that no image has counts, as 0, once it is given to one. The interval is
        made of the means of the labels' ends, which is safe but wide.
    micro_f1 : Figure
        F1 of all labels of all images together; its interval is made likewise.
    labels : tuple of LabelResult
        Each label that an image has or was given.
    exact_match : Rate
        Images with at least one label that were given these and no other.
    coverage : Rate
        Images with at least one label that were given any.
    none_given : Rate
        Images of none of the labels that were given any.
    by_origin : dict of str to Rate
        `none_given` by folder.
    """

    macro_f1: Figure
    micro_f1: Figure
    labels: tuple[LabelResult, ...]
    exact_match: Rate
    coverage: Rate
    none_given: Rate
    by_origin: dict[str, Rate]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "macro_f1": self.macro_f1.to_dict(),
            "micro_f1": self.micro_f1.to_dict(),
            "labels": [label.to_dict() for label in self.labels],
            "exact_match": self.exact_match.to_dict(),
            "coverage": self.coverage.to_dict(),
            "none_given": self.none_given.to_dict(),
            "by_origin": {name: rate.to_dict() for name, rate in self.by_origin.items()},
        }


def evaluate_labels(
    true: ArrayLike,
    given: ArrayLike,
    other_scores: ArrayLike,
    names: Sequence[str],
    origins: Sequence[str] | None = None,
) -> LabelsEvaluation:
    """Count what happened to images with any number of labels.

    Parameters
    ----------
    true : array-like of shape (n, K)
        1 for a label that is there, 0 for one that is not, -1 for one of which nobody knows, which
        counts nowhere.
    given : array-like of shape (n, K), bool
        The labels that each image was given.
    other_scores : array-like of shape (n, K)
        Score of each label, higher = more surely without it.
    names : sequence of str
        Names of the K labels.
    origins : sequence of str or None, length n
        Folder of each image; those of none of the labels are reported by it.

    Raises
    ------
    InvalidDataError
        If shapes differ, or no image has a label.

    Examples
    --------
    >>> true = [[1, 1], [1, 0], [0, 0], [0, 0]]
    >>> found = evaluate_labels(true, [[1, 0], [1, 0], [0, 0], [0, 1]],
    ...                         [[0, 2], [0, 9], [9, 9], [9, 1]], ["cat", "dog"])
    >>> found.macro_f1.value, found.micro_f1.value, str(found.none_given)
    (0.5, 0.6666666666666666, '50.0 [1.3, 98.7]')
    >>> evaluate_labels(true, np.zeros((4, 2)), np.ones((4, 2)), ["cat", "dog"]).macro_f1.value
    0.0
    """
    marks = np.asarray(true)
    answers = np.asarray(given, dtype=bool)
    scores = np.asarray(other_scores, dtype=np.float64)
    if not marks.shape == answers.shape == scores.shape == (len(marks), len(names)):
        raise InvalidDataError(
            f"There must be a row an image with one of each for {len(names)} labels. Got "
            f"shapes {marks.shape}, {answers.shape} and {scores.shape}."
        )
    has, lacks = marks == 1, marks == 0
    labelled, none = has.any(axis=1), lacks.all(axis=1)
    if not labelled.any():
        raise InvalidDataError("There must be at least one image with a label. Got none.")
    labels = [
        _label(name, *columns)
        for name, *columns in zip(names, has.T, lacks.T, answers.T, scores.T, strict=True)
        if columns[0].any() or (columns[1] & columns[2]).any()
    ]
    seen = (marks >= 0).all(axis=1) & labelled
    right = int((answers == has)[seen].all(axis=1).sum())
    unions = np.array([_union(label) for label in labels], dtype=np.float64)
    agreement = sum(label.recall.k for label in labels) / float(unions.sum())
    ends = np.array([[_jaccard(end) for end in label.f1.interval] for label in labels])
    low, high = (unions @ ends / unions.sum()).tolist()
    return LabelsEvaluation(
        macro_f1=Figure(
            float(np.mean([label.f1.value for label in labels])),
            (
                float(np.mean([label.f1.interval[0] for label in labels])),
                float(np.mean([label.f1.interval[1] for label in labels])),
            ),
        ),
        micro_f1=Figure(_f1(agreement), (_f1(low), _f1(high))),
        labels=tuple(labels),
        exact_match=Rate(right, int(seen.sum())),
        coverage=_any(answers[labelled]),
        none_given=_any(answers[none]),
        by_origin={
            name: _any(answers[none & (np.asarray(origins) == name)])
            for name in _unique(np.asarray(origins)[none])
        }
        if origins is not None
        else {},
    )


def average_precision(has: ArrayLike, other_scores: ArrayLike) -> float:
    """Return the mean, over images with a label, of the precision at the score of each.

    Images of one score are taken together, as `sklearn.metrics.average_precision_score` does.

    Parameters
    ----------
    has : array-like of shape (n,), bool
        Which images have the label.
    other_scores : array-like of shape (n,)
        Higher = more surely without it.

    Examples
    --------
    >>> average_precision([True, False, True], [0.1, 0.2, 0.3])
    0.8333333333333333
    """
    yes, scores = np.asarray(has, dtype=bool), np.asarray(other_scores, dtype=np.float64)
    if not yes.any():
        return 0.0
    order = np.argsort(scores, kind="stable")
    last = np.searchsorted(scores[order], scores[yes], side="right")  # images at or above in rank
    hits = np.cumsum(yes[order])[last - 1]
    return float(np.mean(hits / last))


def _label(
    name: str,
    has: NDArray[np.bool_],
    lacks: NDArray[np.bool_],
    given: NDArray[np.bool_],
    scores: NDArray[np.float64],
) -> LabelResult:
    hits, wrong = int((has & given).sum()), int((lacks & given).sum())
    n = int(has.sum())
    union = n + wrong
    low, high = bounds.interval(hits, union)
    seen = has | lacks
    return LabelResult(
        name=name,
        precision=Rate(hits, hits + wrong),
        recall=Rate(hits, n),
        f1=Figure(_f1(hits / union), (_f1(low), _f1(high))),
        average_precision=_with_logit_interval(average_precision(has[seen], scores[seen]), n),
    )


def _with_logit_interval(value: float, n: int) -> Figure:
    if n == 0:
        return Figure(value, (0.0, 1.0))
    # at 0 and 1 the interval would be a point: half an image stays open
    inside = min(max(value, 0.5 / n), 1 - 0.5 / n)
    if not 0.0 < inside < 1.0:
        return Figure(value, (0.0, 1.0))
    reach = float(ndtri(0.975)) / math.sqrt(n * inside * (1 - inside))
    low, high = expit(logit(inside) - reach), expit(logit(inside) + reach)
    return Figure(value, (min(float(low), value), max(float(high), value)))


def _union(label: LabelResult) -> int:
    return label.recall.n + label.precision.n - label.precision.k


def _f1(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)


def _jaccard(f1: float) -> float:
    return f1 / (2 - f1)


def _any(answers: NDArray[np.bool_]) -> Rate:
    return Rate(int(answers.any(axis=1).sum()), len(answers))


def _unique(names: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(name) for name in names))
