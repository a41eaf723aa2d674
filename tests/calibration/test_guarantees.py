"""Guarantees as statistics: seeded repeats in worlds whose truth has a closed form.

A guarantee may be broken in at most 5 % of data sets. A test fails if so many broken ones have a
probability below 0.1 % at a rate of 5 %.
"""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import binomtest

from outgroup.calibration import Budget, HeldOut, choose_threshold
from outgroup.calibration.bounds import upper_bound
from outgroup.errors import InfeasibleTargetError

REPEATS = 2000


def is_rare_enough(broken: int, of: int) -> bool:
    return binomtest(broken, of, 0.05, alternative="greater").pvalue > 0.001


def test_the_criterion_distinguishes_5_percent_from_9() -> None:
    assert is_rare_enough(100, REPEATS)
    assert not is_rare_enough(180, REPEATS)


@pytest.mark.parametrize("n", [20, 59, 100, 400])
def test_independent_scores(n: int) -> None:
    rng, broken, bounds = np.random.default_rng(n), 0, set()
    for _ in range(REPEATS):
        result = choose_threshold(HeldOut(rng.normal(size=n)))
        (guarantee,) = result.certificate.guarantees
        broken += 1 - ndtr(result.threshold) > guarantee.bound
        bounds.add(guarantee.bound)
    assert is_rare_enough(broken, REPEATS)
    assert broken > 0.03 * REPEATS  # the bound is not much too high
    assert len(bounds) == 1  # the number that may fail is fixed before the scores are seen


@pytest.mark.parametrize("n", [30, 59, 200])
def test_what_cannot_be_guaranteed_is_refused_and_the_rest_is_kept(n: int) -> None:
    rng, broken, refused = np.random.default_rng(n), 0, 0
    for _ in range(REPEATS):
        try:
            result = choose_threshold(HeldOut(rng.normal(size=n)), budget=Budget(0.05))
        except InfeasibleTargetError:
            refused += 1
            continue
        broken += 1 - ndtr(result.threshold) > 0.05
    assert refused == (REPEATS if n < 59 else 0)
    assert is_rare_enough(broken, REPEATS)


@pytest.mark.parametrize("budget", [Budget(None, 0.05), Budget("auto", 0.05), Budget(0.1)])
def test_both_guarantees_with_negatives(budget: Budget) -> None:
    rng, shift = np.random.default_rng(0), 3.3
    broken_known = broken_others = 0
    for _ in range(REPEATS):
        known, others = HeldOut(rng.normal(size=100)), HeldOut(rng.normal(shift, size=150))
        result = choose_threshold(known, others, budget)
        guarantee, other_promise = result.certificate.guarantees
        broken_known += 1 - ndtr(result.threshold) > guarantee.bound
        broken_others += ndtr(result.threshold - shift) > other_promise.bound
    assert is_rare_enough(broken_known, REPEATS)
    assert is_rare_enough(broken_others, REPEATS)


def test_scores_with_few_distinct_values() -> None:
    # The worst case for a bound of the number seen instead of the number allowed: the threshold
    # falls on 0 or on 1, and each case adds its own 5 %.
    above_zero, above_one = 0.0453, 0.0149  # each just over the bound of the k seen there, n = 200
    rng, broken, naive = np.random.default_rng(0), 0, 0
    for _ in range(REPEATS):
        u = rng.random(200)
        scores = (u < above_zero).astype(float) + (u < above_one)
        result = choose_threshold(HeldOut(scores), budget=Budget(0.05))
        (guarantee,) = result.certificate.guarantees
        truth = {0.0: above_zero, 1.0: above_one, 2.0: 0.0}[result.threshold]
        broken += truth > guarantee.bound
        naive += truth > upper_bound(guarantee.k, 200)
    assert is_rare_enough(broken, REPEATS)
    assert not is_rare_enough(naive, REPEATS)


def group_world(rng: np.random.Generator, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw groups of one to ten images whose scores share nine tenths of their variance."""
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 11, n_groups))
    effect = rng.normal(size=n_groups)[groups]
    return np.sqrt(0.9) * effect + np.sqrt(0.1) * rng.normal(size=len(groups)), groups


@pytest.mark.parametrize("n_groups", [30, 80])
def test_scores_that_come_in_groups(n_groups: int) -> None:
    # each image alone is N(0, 1), so the truth has a closed form
    rng, broken, ignoring = np.random.default_rng(n_groups), 0, 0
    for _ in range(REPEATS):
        scores, groups = group_world(rng, n_groups)
        result = choose_threshold(HeldOut(scores, groups))
        (guarantee,) = result.certificate.guarantees
        broken += 1 - ndtr(result.threshold) > guarantee.bound
        careless = choose_threshold(HeldOut(scores))
        ignoring += 1 - ndtr(careless.threshold) > careless.certificate.guarantees[0].bound
    assert is_rare_enough(broken, REPEATS)
    assert ignoring > 0.15 * REPEATS  # counting images would break it


def test_large_groups_with_higher_scores() -> None:
    # Half of the groups are small with N(0, 1), half are large with N(1, 1). Every group weighs the
    # same in the guarantee, so it does in the truth.
    def truth(threshold: float) -> float:
        return float(1 - (ndtr(threshold) + ndtr(threshold - 1)) / 2)

    assert brentq(lambda t: truth(t) - 0.05, 0, 5) > 1.6
    rng, broken = np.random.default_rng(1), 0
    for _ in range(REPEATS):
        big = rng.random(80) < 0.5
        groups = np.repeat(np.arange(80), np.where(big, 8, 2))
        result = choose_threshold(HeldOut(rng.normal(size=len(groups)) + big[groups], groups))
        broken += truth(result.threshold) > result.certificate.guarantees[0].bound
    assert is_rare_enough(broken, REPEATS)
