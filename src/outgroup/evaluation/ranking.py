"""How well a score ranks others above known images, whatever the threshold."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from outgroup.errors import InvalidDataError


def auroc(known_scores: ArrayLike, other_scores: ArrayLike) -> float:
    """Probability that a random other scores higher than a random known image, ties counting half.

    Equal to `sklearn.metrics.roc_auc_score` with other as the positive class, computed in float64
    from the ranks alone, so no monotone map of the scores moves it.

    Parameters
    ----------
    known_scores, other_scores : array-like of shape (n_known,) and (n_other,)
        Other-scores, higher = more other; none or NaN is an `InvalidDataError`.

    Examples
    --------
    >>> auroc([0.1, 0.4], [0.4, 0.9])
    0.875
    """
    known, other = np.sort(_scores(known_scores)), _scores(other_scores)
    below = np.searchsorted(known, other, side="left")
    not_above = np.searchsorted(known, other, side="right")
    return float((below + not_above).sum() / (2.0 * len(known) * len(other)))


def auroc_interval(
    value: float, n_known: int, n_other: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of an AUROC, from the sizes of both samples, sensible at 0 and 1 too.

    Method 5 of Newcombe 2006 (Statistics in Medicine 25, 559-573): the score interval of the
    variance of Hanley and McNeil 1982 with both sample sizes replaced by their mean.

    >>> tuple(round(side, 3) for side in auroc_interval(1.0, 100, 60))
    (0.974, 1.0)
    """
    from scipy.optimize import brentq  # slow to import; training does without

    z = float(ndtri(0.5 + confidence / 2.0))
    n_mean = (n_known + n_other) / 2.0

    def excess(theta: float) -> float:
        spread = (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta)
        variance = theta * (1.0 - theta) * (1.0 + (n_mean - 1.0) * spread) / (n_known * n_other)
        return abs(theta - value) - z * math.sqrt(variance)

    # At 0 and 1 themselves the variance is 0 and any value would be its own interval: stay inside.
    inside = min(max(value, 1e-9), 1.0 - 1e-9)
    lower = 0.0 if value <= 0 else float(brentq(excess, 0.0, inside))
    upper = 1.0 if value >= 1 else float(brentq(excess, inside, 1.0))
    return lower, upper


def fpr_at_tpr(known_scores: ArrayLike, other_scores: ArrayLike, tpr: float = 0.95) -> float:
    """Share of others accepted at the lowest threshold that keeps a share `tpr` of known images.

    The figure usually called FPR95. It reads the threshold off the very known images it reports on,
    so it compares scores; it is no estimate of what a calibrated threshold does. A score equal to
    the threshold is kept.

    >>> fpr_at_tpr([0.1, 0.2, 0.3, 0.4], [0.3, 0.5, 0.6, 0.7], tpr=0.75)
    0.25
    """
    known, other = np.sort(_scores(known_scores)), _scores(other_scores)
    keep = math.ceil(tpr * len(known) - 1e-9)
    return float((other <= known[max(keep, 1) - 1]).mean())


def _scores(values: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or np.isnan(scores).any():
        raise InvalidDataError(
            f"Scores must be a non-empty vector without NaN. Got shape {scores.shape}, "
            f"{int(np.isnan(scores).sum())} of them NaN."
        )
    return scores
