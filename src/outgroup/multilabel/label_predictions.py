"""What a multi-label model says of an image.

`other_score` is how far the likeliest label is from being given: the least difference between the
score of a label and its threshold. An image is other, and its list of labels empty, iff that is
above `threshold`, which is 0 unless all thresholds are moved together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from outgroup.predictions import Prediction


@dataclass(frozen=True)
class LabelsPrediction(Prediction):
    """The answer of a multi-label model for one image.

    `label` is the surest of the labels given, None if there is none.

    Parameters
    ----------
    given : tuple of str
        All labels given, sorted; empty for an image of none of them.
    other_scores, thresholds : dict of str to float
        Score of each label (higher = more surely without it), and what it is held against: the
        label is given iff its score is at most its threshold.
    """

    given: tuple[str, ...] = ()
    other_scores: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """All labels given, sorted."""
        return list(self.given)

    def to_dict(self, explain: bool = False) -> dict[str, Any]:
        """Return the fields of one JSON line: those of the contract, then those of the labels."""
        more = {"other_scores": self.other_scores, "thresholds": self.thresholds}
        return {**super().to_dict(explain), **more}


@dataclass(frozen=True)
class LabelPredictions(Sequence[LabelsPrediction]):
    """The answers of a multi-label model for many images, with the scores they rest on.

    Parameters
    ----------
    classes : tuple of str
        Names of the K labels.
    class_scores : ndarray of shape (n, K), float64
        Probability of each label; rows of unreadable images are NaN.
    label_scores : ndarray of shape (n, K), float64
        Score of each label, higher = more surely without it; NaN if unreadable.
    thresholds : ndarray of shape (K,), float64
        A label is given iff its score is at most its threshold.
    threshold : float
        By how much all thresholds are moved.
    paths, errors : tuple of (str or None)
        Where each image came from, and why it could not be read.

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([[0.2, 0.3], [0.2, 0.9], [0.8, 0.9]])
    >>> p = LabelPredictions(("cat", "dog"), 1 - scores, scores, np.array([0.5, 0.4]), 0.0,
    ...                      (None,) * 3, (None,) * 3)
    >>> p.labels
    [['cat', 'dog'], ['cat'], []]
    >>> p.at(0.4).labels[2], p[2].label, p[2].other
    (['cat'], None, True)
    """

    classes: tuple[str, ...]
    class_scores: NDArray[np.float64]
    label_scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    threshold: float
    paths: tuple[str | None, ...]
    errors: tuple[str | None, ...]

    def at(self, threshold: float) -> LabelPredictions:
        """Return the answers with all thresholds moved by this; nothing is computed anew."""
        return replace(self, threshold=float(threshold))

    @property
    def given(self) -> NDArray[np.bool_]:
        """Whether each image is given each label, (n, K)."""
        result: NDArray[np.bool_] = self._margins <= self.threshold  # False for NaN
        return result

    @property
    def other_score(self) -> NDArray[np.float64]:
        """The least distance of a label from its threshold, (n,); NaN if unreadable."""
        result: NDArray[np.float64] = self._margins.min(axis=1)
        return result

    @property
    def labels(self) -> list[list[str]]:
        """The labels of each image, sorted."""
        return [
            [name for name, yes in zip(self.classes, row, strict=True) if yes] for row in self.given
        ]

    @property
    def _margins(self) -> NDArray[np.float64]:
        return self.label_scores - self.thresholds

    def __len__(self) -> int:
        return len(self.label_scores)

    @overload
    def __getitem__(self, index: int) -> LabelsPrediction: ...
    @overload
    def __getitem__(self, index: slice) -> LabelPredictions: ...
    def __getitem__(self, index: int | slice) -> LabelsPrediction | LabelPredictions:
        if isinstance(index, slice):
            return replace(
                self,
                class_scores=self.class_scores[index],
                label_scores=self.label_scores[index],
                paths=self.paths[index],
                errors=self.errors[index],
            )
        path, error = self.paths[index], self.errors[index]
        if error is not None:
            return LabelsPrediction(path, None, "unreadable", None, None, {}, error)
        margins = self.label_scores[index] - self.thresholds
        given = tuple(
            name for name, m in zip(self.classes, margins, strict=True) if m <= self.threshold
        )
        return LabelsPrediction(
            path=path,
            label=self.classes[int(np.argmin(margins))] if given else None,
            reason="known" if given else "unknown",
            other_score=float(margins.min()),
            threshold=self.threshold,
            probabilities=_named(self.classes, self.class_scores[index]),
            given=given,
            other_scores=_named(self.classes, self.label_scores[index]),
            thresholds=_named(self.classes, self.thresholds + self.threshold),
        )

    def __iter__(self) -> Iterator[LabelsPrediction]:
        return (self[i] for i in range(len(self)))


def _named(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True)}
