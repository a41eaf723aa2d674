"""Figures with their intervals: counted shares, F1 and average precision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, ndtri

from outgroup.calibration import bounds


@dataclass(frozen=True)
class Rate:
    """`k` of `n`, with a two-sided 95 % Clopper-Pearson interval.

    Parameters
    ----------
    k, n : int
        How many had the property, of how many.

    Examples
    --------
    >>> rate = Rate(5, 100)
    >>> rate.value
    0.05
    >>> tuple(round(side, 3) for side in rate.interval)
    (0.016, 0.113)
    >>> print(rate)
    5.0 [1.6, 11.3]
    """

    k: int
    n: int

    @property
    def value(self) -> float | None:
        """The share; None if nothing was counted."""
        return self.k / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end; (0, 1) if nothing was counted."""
        return bounds.interval(self.k, self.n)

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {"k": self.k, "n": self.n, "value": self.value, "interval": list(self.interval)}

    def __str__(self) -> str:
        """Return share and interval in percent, without the sign."""
        if self.value is None:
            return "none"
        low, high = self.interval
        return f"{self.value * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}]"


@dataclass(frozen=True)
class Figure:
    """A figure between 0 and 1 that is no share of images, with its 95 % interval."""

    value: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {"value": self.value, "interval": list(self.interval)}

    def __str__(self) -> str:
        """Return figure and interval with two decimals."""
        low, high = self.interval
        return f"{self.value:.2f} [{low:.2f}, {high:.2f}]"


def f1_figure(hits: int, union: int) -> Figure:
    """Return F1 with its exact interval, from TP, and TP + FP + FN (at least 1).

    With ``J = TP / (TP + FP + FN)``, a share of images, F1 is ``2 J / (1 + J)``.
    """
    low, high = bounds.interval(hits, union)
    return Figure(f1(hits / union), (f1(low), f1(high)))


def f1(jaccard: float) -> float:
    """Return F1 from Jaccard's index."""
    return 2 * jaccard / (1 + jaccard)


def average_precision(has: ArrayLike, other_scores: ArrayLike) -> float:
    """Return the mean, over images with a label, of the precision at the score of each.

    Images of one score are taken together, as `sklearn.metrics.average_precision_score` does.
    Higher scores are more surely without the label.

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


def with_logit_interval(value: float, n: int) -> Figure:
    """Return an average precision of n images with the label, and its approximate logit interval.

    K. Boyd, K. H. Eng and C. D. Page, Area under the Precision-Recall Curve, ECML PKDD 2013.
    """
    if n == 0:
        return Figure(value, (0.0, 1.0))
    # at 0 and 1 the interval would be a point: half an image stays open
    inside = min(max(value, 0.5 / n), 1 - 0.5 / n)
    if not 0.0 < inside < 1.0:
        return Figure(value, (0.0, 1.0))
    reach = float(ndtri(0.975)) / math.sqrt(n * inside * (1 - inside))
    low, high = expit(logit(inside) - reach), expit(logit(inside) + reach)
    return Figure(value, (min(float(low), value), max(float(high), value)))
