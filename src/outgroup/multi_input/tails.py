"""How surprising a score is among those of known rows, and several surprises together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

#: Scores of rows by the name of the part: "fused", "branch:...", "image:...", "contrast:...",
#: "contrast" of all images, "column:...", "confidence", "gate"; and "label:..." of each label.
Parts = dict[str, NDArray[np.float64]]

#: Shares of known scores below the quantiles that are kept; the tail begins at the last.
SHARES = np.arange(0.0, 0.91, 0.05)

#: Scores in the tail that the scores before it count as, when its mean is estimated.
PRIOR = 5


@dataclass(frozen=True)
class Tail:
    """The distribution of a score over known rows: quantiles, and an exponential tail.

    Parameters
    ----------
    quantiles : tuple of float
        At `SHARES`.
    excess : float
        Mean of what scores in the tail have above the last quantile.

    Examples
    --------
    >>> tail = fit_tail(np.arange(100.0))
    >>> tail.nats(np.array([-5.0, 49.5, 89.1, 150.0])).round(2)
    array([0.  , 0.69, 2.3 , 7.46])
    """

    quantiles: tuple[float, ...]
    excess: float

    def nats(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return minus the logarithm of the share of known rows with a larger score.

        Parameters
        ----------
        scores : ndarray of shape (n,), float64
            NaN stays NaN.
        """
        last = self.quantiles[-1]
        below = np.interp(scores, self.quantiles, SHARES)
        beyond = np.maximum(scores - last, 0.0) / self.excess
        result: NDArray[np.float64] = -np.log1p(-below) + beyond
        return result


def fit_tail(scores: NDArray[np.float64]) -> Tail:
    """Learn the distribution of known scores (n,), none of them NaN."""
    if not len(scores):
        return Tail((0.0,) * len(SHARES), 1.0)
    quantiles = np.quantile(scores, SHARES)
    last = quantiles[-1]
    beyond = scores[scores > last] - last
    middle = float(np.interp(0.5, SHARES, quantiles))
    # an exponential tail with as many scores between the median and here would have this mean; it
    # counts as much as a few scores, which is all that there is beyond in a small set
    usual = (float(last) - middle) / np.log(5.0)
    excess = float(beyond.sum() + PRIOR * usual) / (len(beyond) + PRIOR)
    least = 1e-6 * max(1.0, abs(float(last)))
    return Tail(tuple(quantiles.tolist()), max(excess, least))


def together(parts: Parts) -> NDArray[np.float64]:
    """Return one surprise of several: the logarithm of the mean of their exponentials.

    That is minus the logarithm of the harmonic mean of shares, which may depend on each other as
    they like, and in which one very small share is enough (Wilson 2019, PNAS 116, 1195-1200). A
    part that is missing (NaN) is left out; a row without any gets 0.

    Examples
    --------
    >>> together({"a": np.array([0.0, 9.0, 1.0]), "b": np.array([0.0, 0.0, np.nan])}).round(2)
    array([0.  , 8.31, 1.  ])
    """
    whole = np.stack(list(parts.values()))
    there = ~np.isnan(whole)
    count = there.sum(axis=0)
    total = logsumexp(np.where(there, whole, -np.inf), axis=0)
    result: NDArray[np.float64] = np.where(count > 0, total - np.log(np.maximum(count, 1)), 0.0)
    return result
