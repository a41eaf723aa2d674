"""What a classifier answers: one `Prediction` an image, and `Predictions` for many.

Other is ``None``, never a magic string; an image is other iff its other-score is above the
threshold (a tie is known). The reason says why: "known" has a label and nothing else has; an image
that is other is "ambiguous" if two classes fight for it and it is near both of them, and else
"unknown".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from outgroup.neighbours import Neighbour


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    Parameters
    ----------
    path : str or None
        The path as it was given; None for an image that had none.
    label : str or None
        The class; None if the image is other or could not be read.
    reason : {"known", "unknown", "ambiguous", "unreadable"}
        Why: it has a label; it is other, far from all classes; it is other, near two classes that
        fight for it (see `outgroup.reasons.Reasons`); it could not be read.
    other_score : float or None
        Higher = more other; None if unreadable.
    threshold : float or None
        The image is other iff `other_score` is above it.
    probabilities : dict of str to float
        The score of each class; empty if unreadable.
    error : str or None
        Why the image could not be read.
    percentile : float or None
        Share of the held-out known images, in percent, that have a lower other-score; None if
        unreadable.
    nearest : sequence of Neighbour
        The training images it is nearest to, nearest first; they are looked up when they are first
        asked for. Empty if unreadable, or if the model file is older than this.
    """

    path: str | None
    label: str | None
    reason: str
    other_score: float | None
    threshold: float | None
    probabilities: dict[str, float]
    error: str | None = None
    percentile: float | None = None
    nearest: Sequence[Neighbour] = ()

    @property
    def other(self) -> bool:
        """True if the image was read and is none of the classes."""
        return self.label is None and self.reason != "unreadable"

    @property
    def labels(self) -> list[str]:
        """All classes given: none or one, more with a multi-label model."""
        return [] if self.label is None else [self.label]

    def text(self, other: str = "other") -> str:
        """Return the answer for people: the labels with bars between them, or the word for none."""
        return "|".join(self.labels) or other

    def to_dict(self, explain: bool = False) -> dict[str, Any]:
        """Return the fields of one JSON line, in the order of the contract.

        Parameters
        ----------
        explain : bool, default=False
            Whether "percentile" and "nearest" stand behind them.
        """
        fields: dict[str, Any] = {
            "path": self.path,
            "label": self.label,
            "labels": self.labels,
            "other": self.other,
            "reason": self.reason,
            "other_score": self.other_score,
            "threshold": self.threshold,
            "probabilities": self.probabilities,
            "error": self.error,
        }
        if explain:
            fields["percentile"] = self.percentile
            fields["nearest"] = [neighbour.to_dict() for neighbour in self.nearest]
        return fields

    def to_json(self, explain: bool = False) -> str:
        """Return one line of JSON; a path that is not UTF-8 keeps its bytes as escapes."""
        return json.dumps(self.to_dict(explain), allow_nan=False)


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """The answers for many images, with the scores they rest on.

    Parameters
    ----------
    classes : tuple of str
        Names of the K classes.
    class_scores : ndarray of shape (n, K), float64
        Score of each class; rows of unreadable images are NaN.
    other_score : ndarray of shape (n,), float64
        Higher = more other; NaN if unreadable.
    threshold : float
        What the scores are held against.
    paths : tuple of (str or None)
        Where each image came from.
    errors : tuple of (str or None)
        Why an image could not be read; None if it was.
    ambiguous : ndarray of shape (n,), bool, or None
        Whether two classes fight for an image that is near both, which matters if it is other.
    percentile : ndarray of shape (n,), float64, or None
        Share of the held-out known images, in percent, with a lower other-score; NaN if unreadable.
    nearest : sequence of n sequences of Neighbour, or None
        The training images nearest to each.

    Examples
    --------
    >>> import numpy as np
    >>> p = Predictions(("cat", "dog"), np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0.2, 0.7]),
    ...                 0.5, (None, None), (None, None))
    >>> p.labels
    ['cat', None]
    >>> p.at(0.8).labels
    ['cat', 'dog']
    """

    classes: tuple[str, ...]
    class_scores: NDArray[np.float64]
    other_score: NDArray[np.float64]
    threshold: float
    paths: tuple[str | None, ...]
    errors: tuple[str | None, ...]
    ambiguous: NDArray[np.bool_] | None = None
    percentile: NDArray[np.float64] | None = None
    nearest: Sequence[Sequence[Neighbour]] | None = None

    def at(self, threshold: float) -> Predictions:
        """Return the answers at another threshold; nothing is computed anew."""
        return replace(self, threshold=float(threshold))

    @property
    def labels(self) -> list[str | None]:
        """The class of each image, None if other or unreadable."""
        best = np.argmax(np.nan_to_num(self.class_scores, nan=-np.inf), axis=1)
        known = self.other_score <= self.threshold  # False for NaN
        return [self.classes[b] if k else None for b, k in zip(best, known, strict=True)]

    def __len__(self) -> int:
        return len(self.other_score)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            return replace(
                self,
                class_scores=self.class_scores[index],
                other_score=self.other_score[index],
                paths=self.paths[index],
                errors=self.errors[index],
                ambiguous=None if self.ambiguous is None else self.ambiguous[index],
                percentile=None if self.percentile is None else self.percentile[index],
                nearest=None if self.nearest is None else self.nearest[index],
            )
        if self.errors[index] is not None:
            return Prediction(
                self.paths[index], None, "unreadable", None, None, {}, self.errors[index]
            )
        score = float(self.other_score[index])
        scores = self.class_scores[index]
        label = self.classes[int(np.argmax(scores))] if score <= self.threshold else None
        return Prediction(
            path=self.paths[index],
            label=label,
            reason=self._reason(index, label),
            other_score=score,
            threshold=self.threshold,
            probabilities={c: float(s) for c, s in zip(self.classes, scores, strict=True)},
            percentile=None if self.percentile is None else float(self.percentile[index]),
            nearest=() if self.nearest is None else self.nearest[index],
        )

    def _reason(self, index: int, label: str | None) -> str:
        if label is not None:
            return "known"
        return "ambiguous" if self.ambiguous is not None and self.ambiguous[index] else "unknown"

    def __iter__(self) -> Iterator[Prediction]:
        return (self[i] for i in range(len(self)))
