"""Exact binomial bounds of a share (Clopper and Pearson 1934, Biometrika 26, 404-413).

They also hold for a threshold at the (n - k)-th smallest of n exchangeable scores, if k is fixed
before the scores are seen: the share of new scores above it has a Beta(k + 1, n - k) distribution,
and its quantile is the Clopper-Pearson bound (Wilks 1941, Ann. Math. Statist. 12, 91-96).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv


def upper_bound(k: int, n: int, confidence: float = 0.95) -> float:
    """Return the one-sided upper confidence bound of a share that was seen in `k` of `n`.

    `confidence` is the probability, over repeated samples, that the true share is at most the
    bound. The bound is 1.0 if `k` equals `n`, also if both are 0.

    >>> round(upper_bound(12, 400), 4)
    0.0482
    """
    if k >= n:
        return 1.0
    return float(betaincinv(k + 1, n - k, confidence))


def interval(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided confidence interval of a share, `k` of `n`; (0, 1) if `n` is 0."""
    tail = (1.0 - confidence) / 2.0
    lower = 0.0 if k <= 0 else float(betaincinv(k, n - k + 1, tail))
    upper = 1.0 if k >= n else float(betaincinv(k + 1, n - k, 1.0 - tail))
    return lower, upper


def largest_k(n: int, target: float, confidence: float = 0.95) -> int:
    """Return the largest `k` whose upper bound is at most `target`, or -1 if there is none."""
    low, high = -1, n  # the bound at `high` is 1, above any target
    while high - low > 1:
        middle = (low + high) // 2
        if upper_bound(middle, n, confidence) <= target:
            low = middle
        else:
            high = middle
    return low


def smallest_n(target: float, confidence: float = 0.95, rate: float = 0.0) -> int | None:
    """Return a sample size that guarantees `target` if a share `rate` of the sample fails.

    With a rate of 0 it is the smallest; otherwise failures are rounded up, and a slightly smaller
    sample may also do. None if `rate` is not, or hardly, below `target`.
    """
    if rate >= target:
        return None

    def enough(n: int) -> bool:
        return upper_bound(math.ceil(rate * n), n, confidence) <= target

    high = 1
    while not enough(high):
        high *= 2
        if high > 10**12:
            return None
    low = high // 2
    while high - low > 1:  # `enough` is not quite monotone, but it holds for `high`
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def conformal_quantile(values: NDArray[Any], share: float) -> float:
    """Return what a new value is at most with a probability of `share`, or else the largest.

    >>> conformal_quantile(np.arange(200.0), 0.99), conformal_quantile(np.arange(50.0), 0.99)
    (198.0, 49.0)
    """
    if not len(values):
        return 0.0
    rank = min(math.ceil(share * (len(values) + 1)), len(values))
    return float(np.sort(values)[rank - 1])
