"""Which share of unlabelled rows is of a class, from scores by models that have not seen them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Risk of the bounds that choose the bin, and how much they are stretched; as in the paper.
DELTA, GAMMA = 0.1, 0.01


def best_bin(positive: NDArray[np.float64], unlabelled: NDArray[np.float64]) -> float:
    """Return the share of the unlabelled that are like the positive.

    Above a threshold there is a share u of the unlabelled and p of the positive, and u / p is no
    less than the share that is asked for, whatever else is among the unlabelled. The threshold is
    taken at which an upper bound of that is least: higher ones leave less room for anything else,
    and too few scores to count.

    Parameters
    ----------
    positive : ndarray of shape (n,), float64
        Held-out scores of rows of the class, higher = more like it.
    unlabelled : ndarray of shape (m,), float64
        Of rows that may be of it.

    Returns
    -------
    float
        In [0, 1]; 0 if there are none of either.

    References
    ----------
    S. Garg et al., Mixture Proportion Estimation and PU Learning: A Modern Approach, NeurIPS 2021
    (best bin estimation).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> of_class = rng.normal(3, 1, 2000)
    >>> mixed = np.r_[rng.normal(3, 1, 500), rng.normal(-3, 1, 1500)]
    >>> round(best_bin(of_class, mixed), 2)
    0.25
    """
    if not len(positive) or not len(unlabelled):
        return 0.0
    thresholds = np.sort(positive)
    p = 1.0 - np.arange(len(positive)) / len(positive)
    below = np.searchsorted(np.sort(unlabelled), thresholds, side="left")
    u = 1.0 - below / len(unlabelled)
    slack = sum(np.sqrt(np.log(4 / DELTA) / (2 * len(rows))) for rows in (positive, unlabelled))
    best = int(np.argmin((u + (1 + GAMMA) * slack) / p))
    return float(min(u[best] / p[best], 1.0))
