"""The bounds hold at every moment, by formula and by simulation."""

import numpy as np
import pytest

from outgroup.calibration import anytime_interval, anytime_upper_bound
from outgroup.calibration.bounds import upper_bound
from outgroup.errors import InvalidParameterError

RUNS, STEPS = 400, 1000


def peeked(outcomes: np.ndarray, bound) -> np.ndarray:
    """Return the bound after every outcome of every run, each pair of counts computed once."""
    totals = np.cumsum(outcomes, axis=1, dtype=np.int64)
    steps = np.arange(1, outcomes.shape[1] + 1)
    pairs, where = np.unique(totals * (steps[-1] + 1) + steps, return_inverse=True)
    return bound(*np.divmod(pairs, steps[-1] + 1))[where].reshape(totals.shape)


def clopper_pearson(totals: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return np.array([upper_bound(int(k), int(n)) for k, n in zip(totals, steps, strict=True)])


def most_broken(share: float = 0.05) -> int:
    """The most broken runs that 1 in 1,000 tests of a right bound would see."""
    from scipy.stats import binom

    return int(binom.ppf(0.999, RUNS, share))


def test_without_outcomes_there_is_no_bound() -> None:
    assert anytime_upper_bound(0, 0) == 1.0
    assert [float(side) for side in anytime_interval(0, 0)] == [0.0, 1.0]


def test_the_wealth_at_the_bound_is_that_of_the_formula() -> None:
    wagers = np.geomspace(0.005, 8.0, 24)
    weights = np.sqrt(wagers) / np.sqrt(wagers).sum()
    for k, n in [(0, 10), (1, 20), (3, 50), (7, 9)]:
        p = float(anytime_upper_bound(k, n))
        wealth = 0.0
        for wager, weight in zip(wagers, weights, strict=True):
            keep = np.exp(-wager)
            wealth += weight * keep**k / (1 - p * (1 - keep)) ** n
        assert wealth == pytest.approx(20.0, rel=1e-9)


def test_without_hits_the_bound_is_near_the_best_single_wager() -> None:
    # A single infinite wager gives the bound (1 - p)^n = alpha.
    for n in (100, 1000, 100_000):
        best = 1 - 0.05 ** (1 / n)
        assert best < anytime_upper_bound(0, n) < 1.25 * best


def test_with_more_outcomes_the_bound_falls_towards_the_share() -> None:
    bounds = anytime_upper_bound([2, 20, 200, 20_000], [100, 1000, 10_000, 10**6])
    assert (np.diff(bounds) < 0).all()
    assert 0.02 < bounds[-1] < 0.0206


def test_outcomes_may_be_any_number_from_0_to_1() -> None:
    between = anytime_upper_bound(2.5, 100)
    assert anytime_upper_bound(2, 100) < between < anytime_upper_bound(3, 100)


def test_the_interval_mirrors_itself() -> None:
    lower, upper = anytime_interval(30, 100)
    other_lower, other_upper = anytime_interval(70, 100)
    assert (lower, upper) == pytest.approx((1 - other_upper, 1 - other_lower))
    assert lower < 0.3 < upper


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.02, 0.3])
def test_checked_after_every_outcome_the_bound_holds_in_95_of_100_runs(rate: float) -> None:
    outcomes = np.random.default_rng(int(1000 * rate)).random((RUNS, STEPS)) < rate
    broken = (peeked(outcomes, anytime_upper_bound) < rate).any(axis=1).sum()
    assert broken <= most_broken()


def test_the_interval_holds_on_both_sides_at_every_moment() -> None:
    outcomes = np.random.default_rng(1).random((RUNS, STEPS)) < 0.1

    def wrong(totals: np.ndarray, steps: np.ndarray) -> np.ndarray:
        lower, upper = anytime_interval(totals, steps)
        return (lower > 0.1) | (upper < 0.1)

    assert peeked(outcomes, wrong).any(axis=1).sum() <= most_broken()


def test_a_stream_that_drifts_is_covered_on_average() -> None:
    # Chances depend on what came before: after each hit the next 50 images are harder.
    rng = np.random.default_rng(2)
    outcomes, chances = np.zeros((RUNS, STEPS)), np.zeros((RUNS, STEPS))
    since = np.full(RUNS, STEPS)
    for t in range(STEPS):
        chances[:, t] = np.where(since < 50, 0.15, 0.01)
        outcomes[:, t] = rng.random(RUNS) < chances[:, t]
        since = np.where(outcomes[:, t] > 0, 0, since + 1)
    average = np.cumsum(chances, axis=1) / np.arange(1, STEPS + 1)
    broken = (peeked(outcomes, anytime_upper_bound) < average).any(axis=1).sum()
    assert broken <= most_broken()


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_a_bound_for_a_fixed_number_checked_after_every_outcome_does_not_hold(rate: float) -> None:
    outcomes = np.random.default_rng(int(1000 * rate)).random((RUNS, STEPS)) < rate
    broken = (peeked(outcomes, clopper_pearson) < rate).any(axis=1).sum()
    assert broken > most_broken()


@pytest.mark.parametrize(("k", "n"), [(-1, 10), (11, 10), (np.nan, 10)])
def test_impossible_counts_are_refused(k: float, n: int) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `total`: must be from 0 to n"):
        anytime_upper_bound(k, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -0.5])
def test_an_invalid_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `confidence`"):
        anytime_upper_bound(0, 10, confidence)
