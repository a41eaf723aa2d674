"""Scores as levels: which share of the held-out known images of a class looks less like it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Levels:
    """The scale that held-out known images give to other-scores, for each class by itself.

    Images of the classes have levels that are spread evenly from 0 to 1, wherever they are found
    and whichever of the classes they show; what is farther out than all known images has 0. They
    are p-values of "this is an image of the class" in all but name (conformal, one class at a time;
    Bates et al. 2023, Annals of Statistics 51, 149-178).

    Parameters
    ----------
    other_score : ndarray of shape (n,), float64
        Of known images, held out.
    label : ndarray of shape (n,), int64
        The class that each was taken for.
    weights : ndarray of shape (n,) or None
        How much each counts; None: all alike.

    Examples
    --------
    >>> levels = Levels(np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4, dtype=np.int64))
    >>> levels(np.array([0.5, 2.5, 9.0]), np.array([0, 0, 0]))
    array([1. , 0.5, 0. ])
    """

    def __init__(
        self,
        other_score: NDArray[np.float64],
        label: NDArray[np.int64],
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        weights = np.ones(len(label)) if weights is None else weights
        self._scores, self._above = {}, {}
        for k in np.unique(label).tolist():
            of_class = np.flatnonzero(label == k)
            order = of_class[np.argsort(other_score[of_class], kind="stable")]
            above = np.cumsum(weights[order][::-1])[::-1] / weights[order].sum()
            self._scores[k] = other_score[order]
            self._above[k] = np.append(above, 0.0)

    def __call__(
        self, other_score: NDArray[np.float64], label: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the share of known images of the class that look no more like it, (n,)."""
        levels = np.zeros(len(label))
        for k, scores in self._scores.items():
            rows = (label == k) & np.isfinite(other_score)
            levels[rows] = self._above[k][np.searchsorted(scores, other_score[rows], side="left")]
        return levels
