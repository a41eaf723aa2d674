"""Exact binomial bounds (Clopper and Pearson 1934, Biometrika 26, 404-413).

"k of n held-out images were rejected" becomes "at most a share p of all such images is rejected".
For a threshold laid on the (n - k)-th smallest of n exchangeable scores the same number is an exact
tolerance bound (Wilks 1941, Ann. Math. Statist. 12, 91-96): the share of new scores above it has a
Beta(k + 1, n - k) distribution, whose quantile is the Clopper-Pearson bound. So a threshold chosen
from these scores by a rule that fixes k in advance keeps the stated confidence.
"""

from __future__ import annotations

import math

from scipy.special import betaincinv

#: No sample is larger than this: where more would be needed, nothing is enough.
MOST = 10**12


def upper_bound(k: int, n: int, confidence: float = 0.95) -> float:
    """One-sided upper confidence bound of a share, `k` having been seen in `n`.

    Parameters
    ----------
    k : int
        How many of the `n` had the property.
    n : int
        How many were looked at.
    confidence : float, default=0.95
        Probability, over repeated samples, that the true share is at most the returned bound.

    Returns
    -------
    float
        1.0 when `k` is `n`, also when both are 0.

    Examples
    --------
    >>> round(upper_bound(0, 59), 4)
    0.0495
    >>> round(upper_bound(12, 400), 4)
    0.0482
    """
    if k >= n:
        return 1.0
    return float(betaincinv(k + 1, n - k, confidence))


def interval(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided Clopper-Pearson interval of a share.

    Parameters
    ----------
    k, n : float
        As for `upper_bound`; (0, 1) is returned when `n` is 0.
    confidence : float, default=0.95
        Confidence of the whole interval; each side errs with half of the rest.

    Examples
    --------
    >>> tuple(round(side, 3) for side in interval(5, 100))
    (0.016, 0.113)
    """
    tail = (1.0 - confidence) / 2.0
    lower = 0.0 if k <= 0 else float(betaincinv(k, n - k + 1, tail))
    upper = 1.0 if k >= n else float(betaincinv(k + 1, n - k, 1.0 - tail))
    return lower, upper


def largest_k(n: int, target: float, confidence: float = 0.95) -> int:
    """Return the largest `k` whose upper bound is within `target`, or -1 when not even 0 is.

    Examples
    --------
    >>> largest_k(400, 0.05), largest_k(58, 0.05)
    (12, -1)
    """
    low, high = -1, n  # the bound at `high` is 1, which no target below 1 admits
    while high - low > 1:
        middle = (low + high) // 2
        if upper_bound(middle, n, confidence) <= target:
            low = middle
        else:
            high = middle
    return low


def smallest_n(target: float, confidence: float = 0.95, rate: float = 0.0) -> int | None:
    """Return an `n` that can promise `target` when a share `rate` is seen to fail.

    It is the smallest one when `rate` is 0. Otherwise the number of failures is rounded up, so that
    a slightly smaller `n` may happen to do as well.

    Parameters
    ----------
    target : float
        The promised share, between 0 and 1.
    confidence : float, default=0.95
        Confidence of the promise.
    rate : float, default=0.0
        Share that fails in the sample, whatever its size.

    Returns
    -------
    int or None
        None when no `n` is enough, because `rate` is not under `target`, or so close below it that
        nobody has that many.

    Examples
    --------
    >>> smallest_n(0.05), smallest_n(0.01), smallest_n(0.05, rate=0.06)
    (59, 299, None)
    """
    if rate >= target:
        return None

    def enough(n: int) -> bool:
        return upper_bound(math.ceil(rate * n), n, confidence) <= target

    high = 1
    while not enough(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:  # `enough` may flicker by a rounding of k; any n it ends on is enough
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
