"""Choosing the threshold, and saying what it promises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.calibration.bounds import largest_k, smallest_n, upper_bound
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED, Budget
from outgroup.calibration.certificate import Certificate, Promise, percent
from outgroup.calibration.heldout import HeldOut
from outgroup.errors import InfeasibleTargetError, InvalidParameterError


@dataclass(frozen=True)
class Calibration:
    """A threshold and its certificate."""

    threshold: float
    certificate: Certificate


def choose_threshold(
    known: HeldOut,
    others: HeldOut | None = None,
    budget: Budget | None = None,
    method: str = "out-of-fold",
) -> Calibration:
    """Choose the threshold that rejects the most within the budget.

    With a budget for known images the lowest threshold that it allows is taken, because every image
    that may be rejected without breaking that promise is one more other that is caught. Without
    one, 5 % of new known images are expected to be rejected (at most; Vovk, Gammerman and Shafer
    2005, Algorithmic Learning in a Random World, section 2.2), and the bound is what it is. With a
    budget for negatives alone the highest threshold is taken that this one allows.

    Parameters
    ----------
    known, others : HeldOut
        Held-out scores of known images and, if there are any, of negatives.
    budget : Budget or None
        None is ``Budget()``.
    method : str
        How the scores came about, for the certificate.

    Returns
    -------
    Calibration
        An image is other iff its score is above ``threshold``.

    Raises
    ------
    InfeasibleTargetError
        If an asked promise can't be given; says the n that would do, or the trade-off there is.
    InvalidParameterError
        If a budget for negatives is given and there are none.

    Examples
    --------
    >>> result = choose_threshold(HeldOut(range(100)))
    >>> result.threshold
    95.0
    >>> print(result.certificate.promises[0].sentence)
    At most 9 % of images like your known ones are called other (95 % confidence, n = 100;
    4 % expected).
    >>> choose_threshold(HeldOut(range(100)), budget=Budget(max_known_rejected=0.05)).threshold
    98.0
    """
    budget = budget or Budget()
    if budget.max_other_accepted is not None and others is None:
        raise InvalidParameterError(
            "The 'max_other_accepted' parameter must be None when there are no negatives. Got "
            f"{budget.max_other_accepted!r} instead. Give negatives, or leave it out."
        )
    asked_known = budget.max_known_rejected
    k_known = k_others = 0  # failures that a threshold was laid to allow, 0 if it was not
    if asked_known is None:
        threshold, k_others = _threshold_for_others(others, budget)
    elif asked_known == "auto":
        asked_known = None
        threshold, k_known = expected_threshold(known, DEFAULT_KNOWN_REJECTED)
        if budget.max_other_accepted is not None:
            highest, k = _threshold_for_others(others, budget)
            if highest < threshold:
                threshold, k_others = highest, k
    else:
        k_known = _allowed(
            known.n, known.unit, "max_known_rejected", asked_known, budget.confidence
        )
        threshold = known.lowest_threshold(k_known)

    promises = [_known_promise(known, threshold, k_known, asked_known, budget)]
    if others is not None:
        promise = _other_promise(others, threshold, k_others, budget)
        if not promise.kept:
            raise _conflict(known, others, promise, budget)
        promises.append(promise)
    return Calibration(threshold, Certificate(tuple(promises), method))


def expected_threshold(known: HeldOut, share: float) -> tuple[float, int]:
    """Return the lowest threshold above which at most a `share` of new known scores is expected.

    The share of new scores above the (k + 1)-th highest of n is (k + 1) / (n + 1) on average.

    Returns
    -------
    threshold : float
    k : int
        How many units it allows above it.

    Examples
    --------
    >>> expected_threshold(HeldOut(range(99)), 0.05)
    (94.0, 4)
    """
    k = int(allowed_above(known.n, share))
    return known.lowest_threshold(k), k


def allowed_above(n: ArrayLike, share: float) -> NDArray[np.float64]:
    """Return how many of n units may lie above a threshold with a `share` of new ones expected.

    Examples
    --------
    >>> allowed_above([10, 99, 399], 0.05)
    array([ 0.,  4., 19.])
    """
    result: NDArray[np.float64] = np.floor(share * (np.asarray(n) + 1.0) + 1e-9) - 1.0
    return np.maximum(0.0, result)


def expected_share(budget: Budget, n: int, unit: str = "images") -> float:
    """Return the share of new known images that is expected above the threshold of a budget.

    A promise of at most 5 % leaves less to expect, and the less the fewer images there are.

    Parameters
    ----------
    budget : Budget
        What is asked for known images; the default share if nothing is.
    n : int
        Held-out known images, or groups.
    unit : str
        What they are, for the message.

    Raises
    ------
    InfeasibleTargetError
        If n is too small for what is asked.

    Examples
    --------
    >>> expected_share(Budget(), 99), expected_share(Budget(max_known_rejected=0.05), 99)
    (0.05, 0.02)
    """
    asked = budget.max_known_rejected
    if not isinstance(asked, float):
        return DEFAULT_KNOWN_REJECTED
    k = _allowed(n, unit, "max_known_rejected", asked, budget.confidence)
    return (k + 1) / (n + 1)


def describe_threshold(
    threshold: float,
    known: HeldOut,
    others: HeldOut | None = None,
    budget: Budget | None = None,
    method: str = "out-of-fold",
) -> Calibration:
    """Say what a threshold promises that was fixed before there were any scores.

    Parameters
    ----------
    threshold : float
        The threshold.
    known, others, budget, method
        As for `choose_threshold`.

    Raises
    ------
    InfeasibleTargetError
        If the threshold does not keep a promise that was asked for.
    InvalidParameterError
        If a budget for negatives is given and there are none.

    Examples
    --------
    >>> described = describe_threshold(90, HeldOut(range(100)))
    >>> print(described.certificate.promises[0].sentence)
    At most 15.2 % of images like your known ones are called other (95 % confidence, n = 100;
    9 % expected).
    """
    budget = budget or Budget()
    asked = None if budget.max_known_rejected == "auto" else budget.max_known_rejected
    if asked is not None:
        _allowed(known.n, known.unit, "max_known_rejected", asked, budget.confidence)
    promises = [_known_promise(known, threshold, 0, asked, budget)]
    if others is not None:
        promises.append(_other_promise(others, threshold, 0, budget))
    elif budget.max_other_accepted is not None:
        raise InvalidParameterError(
            "The 'max_other_accepted' parameter must be None when there are no negatives. Got "
            f"{budget.max_other_accepted!r} instead. Give negatives, or leave it out."
        )
    for promise in promises:
        if not promise.kept:
            raise InfeasibleTargetError(
                f"{promise.asked} can't be promised with a threshold that is part of the strategy. "
                f"{promise.sentence} Take another strategy, or leave the budget out."
            )
    return Calibration(threshold, Certificate(tuple(promises), method))


def trade_off(
    known: HeldOut, others: HeldOut, confidence: float = 0.95
) -> list[tuple[float, float, float]]:
    """List what can be promised about both populations at once.

    Parameters
    ----------
    known, others : HeldOut
        Held-out scores of the two.
    confidence : float, default=0.95
        Confidence of each bound.

    Returns
    -------
    list of (threshold, known_rejected, other_accepted)
        Both shares are upper bounds; thresholds fall, so the first rises and the second falls.
    """
    rows: list[tuple[float, float, float]] = []
    for share in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2):
        threshold = known.lowest_threshold(int(share * known.n))
        rejected = upper_bound(known.rejected(threshold), known.n, confidence)
        accepted = upper_bound(others.accepted(threshold), others.n, confidence)
        if not rows or rows[-1][0] != threshold:
            rows.append((threshold, rejected, accepted))
    return rows


def _allowed(n: int, unit: str, name: str, asked: float, confidence: float) -> int:
    k = largest_k(n, asked, confidence)
    if k >= 0:
        return k
    needed = smallest_n(asked, confidence)
    best = upper_bound(0, n, confidence)
    raise InfeasibleTargetError(
        f"{name!r} {asked} can't be promised with {percent(confidence)} confidence from "
        f"{n} held-out {unit}: that takes at least {needed}, even if none of them fails. Add "
        f"{(needed or 0) - n} more, or ask for {percent(best, up=True)} or more.",
        n_needed=needed,
    )


def _threshold_for_others(others: HeldOut | None, budget: Budget) -> tuple[float, int]:
    assert others is not None
    assert budget.max_other_accepted is not None
    k = _allowed(
        others.n, others.unit, "max_other_accepted", budget.max_other_accepted, budget.confidence
    )
    return others.highest_threshold(k), k


# Where a threshold was laid to allow k failures, the bound is that of k even if ties or groups
# leave fewer: how many are seen depends on where the threshold fell, and a bound of that number
# would be a second look at the same scores (with a few distinct scores it is wrong in 9 %, not 5).


def _known_promise(
    known: HeldOut, threshold: float, k_allowed: int, asked: float | None, budget: Budget
) -> Promise:
    k = known.rejected(threshold)
    bound = upper_bound(max(k, k_allowed), known.n, budget.confidence)
    return Promise(
        "called other", known.population, bound, k, known.n, known.unit, budget.confidence, asked
    )


def _other_promise(others: HeldOut, threshold: float, k_allowed: int, budget: Budget) -> Promise:
    k = others.accepted(threshold)
    bound = upper_bound(max(k, k_allowed), others.n, budget.confidence)
    asked = budget.max_other_accepted
    return Promise(
        "accepted", others.population, bound, k, others.n, others.unit, budget.confidence, asked
    )


def _conflict(
    known: HeldOut, others: HeldOut, promise: Promise, budget: Budget
) -> InfeasibleTargetError:
    asked = budget.max_other_accepted
    assert asked is not None
    needed = smallest_n(asked, budget.confidence, rate=promise.k / promise.n)
    lines = [
        f"'max_known_rejected' {budget.max_known_rejected} and 'max_other_accepted' {asked} can't "
        f"both be promised with {percent(budget.confidence)} confidence: within the first, "
        f"{percent(promise.k / promise.n)} of {promise.population} are accepted ({promise.k} of "
        f"{promise.n} held-out {promise.unit}; at most {percent(promise.bound, up=True)})."
    ]
    if needed:
        lines.append(f"With this share of failures, {needed} negatives would be enough.")
    lines.append("What these data can promise together (known called other, negatives accepted):")
    lines += [
        f"  {percent(rejected, up=True):>8}  {percent(accepted, up=True):>8}"
        for _, rejected, accepted in trade_off(known, others, budget.confidence)
    ]
    return InfeasibleTargetError("\n".join(lines), n_needed=needed)
