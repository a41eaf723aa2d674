"""Bounds of a share that hold at every moment of counting, however often one looks.

A bound for a fixed n, looked at after every image until it is small enough, is wrong sooner or
later. The bounds here may be looked at after every image, and counting may stop for any reason.

They are the wealth of a gambler who bets that outcomes are rarer than they are said to be: outcomes
x_1, x_2, ... in [0, 1], k their sum, and a wager L > 0 multiplies the wealth by
``exp(-L x) / (1 - p (1 - exp(-L)))``, which is 1 at most on average if the mean of x is p or more.
After n outcomes the wealth of a mixture of wagers with weights w is::

    M_n(p) = sum_L w_L exp(-L k) / (1 - p (1 - exp(-L)))^n

By Ville's inequality it reaches 1 / alpha with probability alpha at most, ever. The upper bound is
the p at which it does. All that has to be kept is k and n.

What is covered: the average, over the n outcomes, of the chance that each had given those before it
(the product of ``1 - p_i u`` is at most ``(1 - p u)^n`` for their average p, so M_n of that average
is below the wealth of the true chances). With independent draws that is the share itself. Where a
stream drifts it is what the stream has been on average while it was counted, and says nothing of
what it will be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.errors import InvalidParameterError

# From what suits a million outcomes with a share of a half down to what suits none seen at all; the
# weights favour small shares. Against a beta-binomial mixture (Jeffreys' prior, cut at p) the bound
# is 7 % lower where nothing is seen, up to 7 % higher for 1 to 10 seen, and the same from 100 on;
# that one covers independent draws of one share alone.
_WAGERS = np.geomspace(0.005, 8.0, 24)
_LOG_WEIGHTS = np.log(np.sqrt(_WAGERS) / np.sqrt(_WAGERS).sum())
_LOST = -np.expm1(-_WAGERS)  # 1 - exp(-L)

_HALVINGS = 50


def anytime_upper_bound(
    total: ArrayLike, n: ArrayLike, confidence: float = 0.95
) -> NDArray[np.float64]:
    """Upper bound of a mean that holds at all moments at once.

    Parameters
    ----------
    total : array-like of float
        Sum of the outcomes so far, each from 0 to 1: how many images had the property.
    n : array-like of int
        How many outcomes there were; broadcast with `total`.
    confidence : float, default=0.95
        Probability that the bound is right after every single outcome.

    Returns
    -------
    ndarray of float64
        1.0 where `n` is 0 or too small to say anything.

    Raises
    ------
    InvalidParameterError
        If `total` is not between 0 and `n`, or `confidence` not between 0 and 1.

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
    _check(k, n, confidence)
    level = -np.log1p(-confidence)  # log(1 / alpha)
    low, high = np.divide(k, n, out=np.zeros(k.shape), where=n > 0), np.ones(k.shape)
    hopeless = _log_wealth(high, k, n) < level
    for _ in range(_HALVINGS):  # the wealth grows with p, and is 1 at most where p is k / n
        middle = (low + high) / 2
        reached = _log_wealth(middle, k, n) >= level
        high, low = np.where(reached, middle, high), np.where(reached, low, middle)
    return np.where(hopeless, 1.0, high)


def anytime_interval(
    total: ArrayLike, n: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two-sided interval of a mean that holds at all moments at once.

    Parameters
    ----------
    total, n : array-like
        As for `anytime_upper_bound`.
    confidence : float, default=0.95
        Confidence of the whole interval; each side errs with half of the rest.

    Returns
    -------
    lower, upper : ndarray of float64

    Examples
    --------
    >>> [side.round(3).item() for side in anytime_interval(20, 1000)]
    [0.008, 0.039]
    """
    k, n = np.asarray(total, np.float64), np.asarray(n, np.float64)
    side = (1.0 + confidence) / 2.0
    return 1.0 - anytime_upper_bound(n - k, n, side), anytime_upper_bound(k, n, side)


def _log_wealth(
    p: NDArray[np.float64], k: NDArray[np.float64], n: NDArray[np.float64]
) -> NDArray[np.float64]:
    logs = _LOG_WEIGHTS - k[..., None] * _WAGERS - n[..., None] * np.log1p(-p[..., None] * _LOST)
    most = logs.max(axis=-1)
    summed: NDArray[np.float64] = most + np.log(np.exp(logs - most[..., None]).sum(axis=-1))
    return summed


def _check(k: NDArray[np.float64], n: NDArray[np.float64], confidence: float) -> None:
    if not (0.0 < confidence < 1.0):
        raise InvalidParameterError(
            "The 'confidence' parameter must be a share between 0 and 1, both excluded. "
            f"Got {confidence!r} instead."
        )
    if not ((k >= 0) & (k <= n)).all():
        raise InvalidParameterError(
            "The 'total' parameter must be from 0 to n, because outcomes are from 0 to 1. "
            f"Got {k.tolist()!r} of {n.tolist()!r} instead."
        )
