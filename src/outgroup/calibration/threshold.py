"""Choose the threshold from held-out scores, and state what it guarantees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.calibration.bounds import largest_k, smallest_n, upper_bound
from outgroup.calibration.budget import DEFAULT_KNOWN_REJECTED, Budget
from outgroup.calibration.certificate import Certificate, Guarantee, percent
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
    *,
    fixed: float | None = None,
    method: str = "out-of-fold",
) -> Calibration:
    """Choose the threshold that rejects the most within the budget.

    With a maximum for known images it is the lowest threshold that keeps it. With "auto" it is the
    lowest threshold at which at most 5 % of new known images are expected to be rejected (Vovk,
    Gammerman and Shafer 2005, Algorithmic Learning in a Random World, section 2.2), or the highest
    that keeps the maximum for negatives, if that is lower. With a maximum for negatives alone it is
    the highest that keeps this one.

    Parameters
    ----------
    known, others : HeldOut
        Held-out scores of known images, and of negatives if there are any.
    budget : Budget or None
        None is ``Budget()``.
    fixed : float or None
        A threshold that was set before there were any scores; None: choose one. The guarantees then
        only state what this threshold does, and what it does not keep is refused.
    method : str
        Where the scores came from, for the certificate.

    Raises
    ------
    InfeasibleTargetError
        If the budget cannot be guaranteed; the message says how many images would be enough, or
        what can be guaranteed together.
    InvalidParameterError
        If there is a maximum for negatives, but there are no negatives.

    Examples
    --------
    >>> result = choose_threshold(HeldOut(range(100)))
    >>> result.threshold
    95.0
    >>> print(result.certificate.guarantees[0].sentence)
    At most 9 % of images like your known ones are rejected (95 % confidence, n = 100;
    4 % expected).
    >>> choose_threshold(HeldOut(range(100)), budget=Budget(max_known_rejected=0.05)).threshold
    98.0
    """
    budget = budget or Budget()
    confidence, asked_other = budget.confidence, budget.max_other_accepted
    asked = None if budget.max_known_rejected == "auto" else budget.max_known_rejected
    if asked_other is not None and others is None:
        raise InvalidParameterError(
            "Invalid `max_other_accepted`: must be None if there are no negatives, got "
            f"{asked_other!r}. Give negatives, or leave it out."
        )
    threshold, known_bound, other_bound = np.inf, 0.0, 0.0
    if asked is not None:
        k = _allowed(known.n, known.unit, "max_known_rejected", asked, confidence)
        threshold, known_bound = known.lowest_threshold(k), upper_bound(k, known.n, confidence)
    elif budget.max_known_rejected == "auto":
        threshold, k = expected_threshold(known, DEFAULT_KNOWN_REJECTED)
        known_bound = upper_bound(k, known.n, confidence)
    if fixed is not None:
        threshold, known_bound = fixed, 0.0
    elif others is not None and asked_other is not None and asked is None:
        k = _allowed(others.n, others.unit, "max_other_accepted", asked_other, confidence)
        highest = others.highest_threshold(k)
        if highest < threshold:
            threshold, other_bound = highest, upper_bound(k, others.n, confidence)

    guarantees = [guarantee_at(threshold, known, True, confidence, asked, known_bound)]
    if others is not None:
        guarantees.append(
            guarantee_at(threshold, others, False, confidence, asked_other, other_bound)
        )
    for guarantee in guarantees:
        if not guarantee.kept and fixed is not None:
            raise InfeasibleTargetError(
                f"Cannot guarantee {guarantee.asked}, because the threshold is part of the "
                f"strategy. {guarantee.sentence} Choose another strategy, or leave the budget out."
            )
        if not guarantee.kept and others is not None:
            raise _conflict(known, others, guarantee, budget)
    return Calibration(threshold, Certificate(tuple(guarantees), method))


def guarantee_at(
    threshold: float,
    held_out: HeldOut,
    known: bool,
    confidence: float = 0.95,
    asked: float | None = None,
    at_least: float = 0.0,
) -> Guarantee:
    """State what a threshold guarantees about one population, of `known` images or of negatives.

    If the threshold was chosen from these scores to allow k failures, the bound must be that of k,
    even if ties or groups leave fewer: the number that is seen depends on the threshold, and its
    bound alone would be too low. So pass the bound of k as `at_least`; and if the threshold was
    moved afterwards, the bound of the guarantee that it had before. `asked` is the share that was
    asked for.
    """
    k = held_out.rejected(threshold) if known else held_out.accepted(threshold)
    return Guarantee(
        event=held_out.event or ("rejected" if known else "accepted"),
        population=held_out.population,
        bound=max(upper_bound(k, held_out.n, confidence), at_least),
        k=k,
        n=held_out.n,
        unit=held_out.unit,
        confidence=confidence,
        asked=asked,
    )


def expected_threshold(known: HeldOut, share: float) -> tuple[float, int]:
    """Return the lowest threshold above which at most a `share` of new known scores is expected.

    The second value is the number of units allowed above it.

    >>> expected_threshold(HeldOut(range(99)), 0.05)
    (94.0, 4)
    """
    k = int(allowed_above(known.n, share))
    return known.lowest_threshold(k), k


def allowed_above(n: ArrayLike, share: float) -> NDArray[np.float64]:
    """Return how many of n units may lie above a threshold if a `share` of new ones is expected.

    The share of new scores above the (k + 1)-th highest of n is (k + 1) / (n + 1) on average.
    """
    result: NDArray[np.float64] = np.floor(share * (np.asarray(n) + 1.0) + 1e-9) - 1.0
    return np.maximum(0.0, result)


def expected_share(budget: Budget, n: int, unit: str = "images") -> float:
    """Return the share of new known images expected above the threshold of a budget.

    A guarantee of at most 5 % leaves less to expect: the fewer images, the less. `n` counts
    held-out known images or groups (`unit`); too few for the budget are an `InfeasibleTargetError`.

    >>> expected_share(Budget(), 99), expected_share(Budget(max_known_rejected=0.05), 99)
    (0.05, 0.02)
    """
    asked = budget.max_known_rejected
    if not isinstance(asked, float):
        return DEFAULT_KNOWN_REJECTED
    k = _allowed(n, unit, "max_known_rejected", asked, budget.confidence)
    return (k + 1) / (n + 1)


def trade_off(
    known: HeldOut, others: HeldOut, confidence: float = 0.95
) -> list[tuple[float, float, float]]:
    """Return rows of thresholds with the bounds of known rejected and negatives accepted.

    From row to row the first bound rises and the second falls.
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
    """Return how many of n units may fail, or raise if n is too small."""
    k = largest_k(n, asked, confidence)
    if k >= 0:
        return k
    needed = smallest_n(asked, confidence)
    best = upper_bound(0, n, confidence)
    raise InfeasibleTargetError(
        f"Cannot guarantee `{name}` {asked} with {percent(confidence)} confidence from {n} "
        f"held-out {unit}: at least {needed} are needed, even if none of them fails. Add "
        f"{(needed or 0) - n} more, or ask for {percent(best, up=True)} or more.",
        n_needed=needed,
    )


def _conflict(
    known: HeldOut, others: HeldOut, broken: Guarantee, budget: Budget
) -> InfeasibleTargetError:
    assert broken.asked is not None
    needed = smallest_n(broken.asked, budget.confidence, rate=broken.k / broken.n)
    lines = [
        f"Cannot guarantee both `max_known_rejected` {budget.max_known_rejected} and "
        f"`max_other_accepted` {broken.asked} with {percent(budget.confidence)} confidence: within "
        f"the first, {percent(broken.k / broken.n)} of {broken.population} are {broken.event} "
        f"({broken.k} of {broken.n} held-out {broken.unit}; at most "
        f"{percent(broken.bound, up=True)})."
    ]
    if needed:
        lines.append(f"With this share of failures, {needed} negatives would be enough.")
    lines.append("What these data can guarantee together (known rejected, negatives accepted):")
    lines += [
        f"  {percent(rejected, up=True):>8}  {percent(accepted, up=True):>8}"
        for _, rejected, accepted in trade_off(known, others, budget.confidence)
    ]
    return InfeasibleTargetError("\n".join(lines), n_needed=needed)
