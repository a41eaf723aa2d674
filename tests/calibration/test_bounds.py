import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest

from outgroup.calibration.bounds import interval, largest_k, smallest_n, upper_bound

PROPERTY = settings(derandomize=True, deadline=None, max_examples=100)
counts = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@PROPERTY
@given(counts, confidences)
def test_the_upper_bound_is_the_exact_one_of_scipy(kn: tuple[int, int], confidence: float) -> None:
    k, n = kn
    exact = binomtest(k, n, alternative="less").proportion_ci(confidence, "exact").high
    assert upper_bound(k, n, confidence) == pytest.approx(exact, rel=1e-9)


@PROPERTY
@given(counts, confidences)
def test_at_the_upper_bound_so_few_hits_have_the_error_probability(
    kn: tuple[int, int], confidence: float
) -> None:
    k, n = kn
    if k == n:
        assert upper_bound(k, n, confidence) == 1.0
    else:
        bound = upper_bound(k, n, confidence)
        assert binom.cdf(k, n, bound) == pytest.approx(1 - confidence, rel=1e-6)
        assert bound == pytest.approx(beta.ppf(confidence, k + 1, n - k), rel=1e-9)


@PROPERTY
@given(counts, confidences)
def test_the_interval_is_the_exact_one_of_scipy(kn: tuple[int, int], confidence: float) -> None:
    exact = binomtest(*kn).proportion_ci(confidence, "exact")
    assert interval(*kn, confidence) == pytest.approx((exact.low, exact.high), rel=1e-9, abs=1e-12)


def test_without_trials_there_is_no_bound() -> None:
    assert upper_bound(0, 0) == 1.0
    assert interval(0, 0) == (0.0, 1.0)


@PROPERTY
@given(counts)
def test_the_bound_rises_with_failures_and_with_confidence_and_falls_with_n(
    kn: tuple[int, int],
) -> None:
    k, n = kn
    assert upper_bound(k, n) <= upper_bound(min(k + 1, n), n)
    assert upper_bound(k, n, 0.9) <= upper_bound(k, n, 0.99)
    assert upper_bound(k, n + 1) <= upper_bound(k, n)
    low, high = interval(k, n)
    assert low <= k / n <= high


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("target", [0.01, 0.05, 0.2, 0.5])
def test_largest_k_is_the_largest_of_all_k(target: float, confidence: float) -> None:
    for n in [*range(1, 40), 58, 59, 60, 298, 299, 300]:
        within = [k for k in range(n + 1) if upper_bound(k, n, confidence) <= target]
        assert largest_k(n, target, confidence) == max(within, default=-1)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("target", [0.003, 0.01, 0.05, 0.3, 0.9, 0.999])
def test_smallest_n_without_failures_is_the_smallest_of_all_n(
    target: float, confidence: float
) -> None:
    n = 1
    while upper_bound(0, n, confidence) > target:
        n += 1
    assert smallest_n(target, confidence) == n


@PROPERTY
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), confidences)
def test_smallest_n_is_enough(kn: tuple[int, int], confidence: float) -> None:
    k, n = kn
    target = (k / n + 1) / 2
    needed = smallest_n(target, confidence, rate=k / n)
    if k == n:
        assert needed is None
    else:
        assert needed is not None
        assert upper_bound(math.ceil(k / n * needed), needed, confidence) <= target
        if upper_bound(k, n, confidence) > target:
            assert needed > n


@pytest.mark.parametrize("rate", [0.05, 0.06, np.nextafter(0.05, 0.0)])
def test_no_n_is_enough_if_the_rate_is_not_below_the_target(rate: float) -> None:
    assert smallest_n(0.05, rate=rate) is None
