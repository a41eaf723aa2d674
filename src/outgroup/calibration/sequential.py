"""Confidence bounds of a share that hold at every moment of counting.

A bound for a fixed n is wrong sooner or later if it is checked after every image. The bounds here
may be checked after every image, and counting may stop for any reason.

A bound is the wealth of a gambler who bets that outcomes x_1, x_2, ... in [0, 1] have a mean below
p. A wager L > 0 multiplies the wealth by ``exp(-L x) / (1 - p (1 - exp(-L)))``, at most 1 on
average if the mean is p or more. With k the sum of n outcomes, a mixture of wagers has the wealth::

    M_n(p) = sum_L w_L exp(-L k) / (1 - p (1 - exp(-L)))^n

By Ville's inequality it ever reaches 1 / alpha with probability alpha at most. The upper bound is
the p at which it does, so only k and n have to be kept.

The bound covers the average over the n outcomes of the chance that each had, given those before it:
the product of ``1 - p_i u`` is at most ``(1 - p u)^n`` for their average p. For independent draws
this is the share itself; for a stream that drifts, its average so far.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from outgroup._numeric import Array, require
from outgroup.errors import InvalidParameterError

# From wagers for a million outcomes with a share of 0.5 to wagers for none seen; the weights favour
# small shares.
_WAGERS = np.geomspace(0.005, 8.0, 24)
_LOG_WEIGHTS = np.log(np.sqrt(_WAGERS) / np.sqrt(_WAGERS).sum())
_LOST = -np.expm1(-_WAGERS)  # 1 - exp(-L)


def anytime_upper_bound(total: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Array:
    """Return an upper bound of a mean that holds at all moments at once.

    Parameters
    ----------
    total : array-like of float
        Sum of the outcomes so far, each from 0 to 1: the number of hits.
    n : array-like of int
        Number of outcomes so far; broadcast with `total`.
    confidence : float, default=0.95
        Probability that the bound holds after every single outcome.

    Returns
    -------
    ndarray of float64
        1.0 where `n` is 0 or too small.

    References
    ----------
    H. Robbins, Statistical methods related to the law of the iterated logarithm, Ann. Math. Stat.
    41 (1970), 1397-1409; S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Time-uniform,
    nonparametric, nonasymptotic confidence sequences, Ann. Stat. 49 (2021), 1055-1080;
    I. Waudby-Smith and A. Ramdas, Estimating means of bounded random variables by betting,
    J. R. Stat. Soc. B 86 (2024), 1-27.

    Examples
    --------
    >>> anytime_upper_bound([0, 0, 3], [0, 300, 300]).round(4)
    array([1.    , 0.0116, 0.038 ])
    """
    k, n = np.broadcast_arrays(np.asarray(total, np.float64), np.asarray(n, np.float64))
    require(0.0 < confidence < 1.0, "confidence", "between 0 and 1, both excluded", confidence)
    if not ((k >= 0) & (k <= n)).all():
        raise InvalidParameterError(
            f"Invalid `total`: must be from 0 to n, got {k.tolist()!r} of {n.tolist()!r}."
        )
    level = -np.log1p(-confidence)  # log(1 / alpha)
    low, high = np.divide(k, n, out=np.zeros(k.shape), where=n > 0), np.ones(k.shape)
    unbounded = _log_wealth(high, k, n) < level
    for _ in range(50):  # the wealth grows with p, and is at most 1 where p is k / n
        middle = (low + high) / 2
        reached = _log_wealth(middle, k, n) >= level
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    return np.where(unbounded, 1.0, high)


def anytime_interval(
    total: ArrayLike, n: ArrayLike, confidence: float = 0.95
) -> tuple[Array, Array]:
    """Return a two-sided interval of a mean that holds at all moments at once.

    `total` and `n` are as for `anytime_upper_bound`; each side errs with half of the rest of the
    `confidence`.

    >>> [side.round(3).item() for side in anytime_interval(20, 1000)]
    [0.008, 0.039]
    """
    k, n = np.asarray(total, np.float64), np.asarray(n, np.float64)
    side = (1.0 + confidence) / 2.0
    return 1.0 - anytime_upper_bound(n - k, n, side), anytime_upper_bound(k, n, side)


def _log_wealth(p: Array, k: Array, n: Array) -> Array:
    logs = _LOG_WEIGHTS - k[..., None] * _WAGERS - n[..., None] * np.log1p(-p[..., None] * _LOST)
    most = logs.max(axis=-1)
    summed: Array = most + np.log(np.exp(logs - most[..., None]).sum(axis=-1))
    return summed
