"""Promises as statistics: seeded repeats in worlds whose truth is known in closed form.

A promise may be broken in at most 5 % of data sets. The share that is broken is held against the
binomial: a test fails if so many would be seen with a probability of less than 0.1 % at 5 %.
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


def test_the_yardstick_tells_five_percent_from_nine() -> None:
    assert is_rare_enough(100, REPEATS)
    assert not is_rare_enough(180, REPEATS)


@pytest.mark.parametrize("n", [20, 59, 100, 400])
def test_independent_scores(n: int) -> None:
    rng, broken, bounds = np.random.default_rng(n), 0, set()
    for _ in range(REPEATS):
        result = choose_threshold(HeldOut(rng.normal(size=n)))
        (promise,) = result.certificate.promises
        broken += 1 - ndtr(result.threshold) > promise.bound
        bounds.add(promise.bound)
    assert is_rare_enough(broken, REPEATS)
    assert broken > 0.03 * REPEATS  # nor is more given away than has to be
    assert len(bounds) == 1  # the number that may fail is fixed before the scores are seen


@pytest.mark.parametrize("n", [30, 59, 200])
def test_refusals_are_honest_and_what_is_not_refused_is_kept(n: int) -> None:
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
def test_both_promises_where_there_are_negatives(budget: Budget) -> None:
    rng, shift = np.random.default_rng(0), 3.3
    broken_known = broken_others = 0
    for _ in range(REPEATS):
        known, others = HeldOut(rng.normal(size=100)), HeldOut(rng.normal(shift, size=150))
        result = choose_threshold(known, others, budget)
        promise, other_promise = result.certificate.promises
        broken_known += 1 - ndtr(result.threshold) > promise.bound
        broken_others += ndtr(result.threshold - shift) > other_promise.bound
    assert is_rare_enough(broken_known, REPEATS)
    assert is_rare_enough(broken_others, REPEATS)


def test_scores_with_few_distinct_values() -> None:
    # The worst case for a bound of the number that is seen, instead of the number that is allowed:
    # the threshold falls on 0 or on 1, and either way 5 % would be broken on top of the other's.
    above_zero, above_one = 0.0453, 0.0149  # each just over the bound of the k seen there, n = 200
    rng, broken, naive = np.random.default_rng(0), 0, 0
    for _ in range(REPEATS):
        u = rng.random(200)
        scores = (u < above_zero).astype(float) + (u < above_one)
        result = choose_threshold(HeldOut(scores), budget=Budget(0.05))
        (promise,) = result.certificate.promises
        truth = {0.0: above_zero, 1.0: above_one, 2.0: 0.0}[result.threshold]
        broken += truth > promise.bound
        naive += truth > upper_bound(promise.k, 200)
    assert is_rare_enough(broken, REPEATS)
    assert not is_rare_enough(naive, REPEATS)  # this is what the rule is for


def group_world(rng: np.random.Generator, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw groups of one to ten images whose scores share nine tenths of their variance."""
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 11, n_groups))
    effect = rng.normal(size=n_groups)[groups]
    return np.sqrt(0.9) * effect + np.sqrt(0.1) * rng.normal(size=len(groups)), groups


@pytest.mark.parametrize("n_groups", [30, 80])
def test_scores_that_come_in_groups(n_groups: int) -> None:
    # every image is N(0, 1) by itself, whatever the size of its group: the truth is closed form
    rng, broken, ignoring = np.random.default_rng(n_groups), 0, 0
    for _ in range(REPEATS):
        scores, groups = group_world(rng, n_groups)
        result = choose_threshold(HeldOut(scores, groups))
        (promise,) = result.certificate.promises
        broken += 1 - ndtr(result.threshold) > promise.bound
        careless = choose_threshold(HeldOut(scores))
        ignoring += 1 - ndtr(careless.threshold) > careless.certificate.promises[0].bound
    assert is_rare_enough(broken, REPEATS)
    assert ignoring > 0.15 * REPEATS  # counting each image breaks it, so this world is a test


def test_groups_that_are_more_or_less_other_as_a_whole_and_in_size() -> None:
    # Big groups are the odd ones. A promise about groups weighs each group alike, so the truth does
    # too: half are small with N(0, 1), half are big with N(1, 1), each image by itself.
    def truth(threshold: float) -> float:
        return float(1 - (ndtr(threshold) + ndtr(threshold - 1)) / 2)

    assert brentq(lambda t: truth(t) - 0.05, 0, 5) > 1.6
    rng, broken = np.random.default_rng(1), 0
    for _ in range(REPEATS):
        big = rng.random(80) < 0.5
        groups = np.repeat(np.arange(80), np.where(big, 8, 2))
        result = choose_threshold(HeldOut(rng.normal(size=len(groups)) + big[groups], groups))
        broken += truth(result.threshold) > result.certificate.promises[0].bound
    assert is_rare_enough(broken, REPEATS)
