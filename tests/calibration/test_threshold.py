import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.calibration import Budget, HeldOut, choose_threshold, trade_off
from outgroup.calibration.bounds import upper_bound
from outgroup.errors import InfeasibleTargetError, InvalidParameterError

PROPERTY = settings(derandomize=True, deadline=None, max_examples=150)
values = st.lists(
    st.one_of(st.integers(0, 9).map(float), st.floats(-5, 15)), min_size=1, max_size=150
)
shares = st.sampled_from([0.02, 0.05, 0.1, 0.3, 0.7])


def promised(result, event: str):
    (promise,) = [p for p in result.certificate.promises if p.event == event]
    return promise


@PROPERTY
@given(values, shares)
def test_an_explicit_budget_is_kept_or_refused(scores: list[float], share: float) -> None:
    n = len(scores)
    try:
        result = choose_threshold(HeldOut(scores), budget=Budget(share))
    except InfeasibleTargetError as error:
        needed = error.n_needed
        assert upper_bound(0, n) > share
        assert needed is not None
        assert needed > n
        return
    promise = promised(result, "called other")
    assert promise.bound <= share
    assert promise.kept
    assert promise.k == sum(s > result.threshold for s in scores)
    assert promise.bound >= upper_bound(promise.k, n)
    # and none of the lower thresholds would have kept it
    lower = [t for t in scores if t < result.threshold]
    assert all(upper_bound(sum(s > t for s in scores), n) > share for t in lower)


@PROPERTY
@given(values, values, shares)
def test_a_budget_for_negatives_alone_takes_the_highest_threshold_that_keeps_it(
    known: list[float], others: list[float], share: float
) -> None:
    try:
        result = choose_threshold(HeldOut(known), HeldOut(others), Budget(None, share))
    except InfeasibleTargetError as error:
        needed = error.n_needed
        assert upper_bound(0, len(others)) > share
        assert needed is not None
        assert needed > len(others)
        return
    promise = promised(result, "accepted")
    assert promise.bound <= share
    assert promise.k == sum(s <= result.threshold for s in others)
    more = sum(s <= np.nextafter(result.threshold, np.inf) for s in others)
    assert upper_bound(more, len(others)) > share
    assert promised(result, "called other").asked is None
    assert promised(result, "called other").bound == upper_bound(
        sum(s > result.threshold for s in known), len(known)
    )


@PROPERTY
@given(values, values, shares, shares)
def test_both_budgets_are_kept_or_refused(
    known: list[float], others: list[float], for_known: float, for_others: float
) -> None:
    try:
        result = choose_threshold(HeldOut(known), HeldOut(others), Budget(for_known, for_others))
    except InfeasibleTargetError:
        return
    assert promised(result, "called other").bound <= for_known
    assert promised(result, "accepted").bound <= for_others


@PROPERTY
@given(values, values, shares)
def test_auto_gives_way_to_a_budget_for_negatives(
    known: list[float], others: list[float], share: float
) -> None:
    try:
        result = choose_threshold(HeldOut(known), HeldOut(others), Budget("auto", share))
    except InfeasibleTargetError:
        assert upper_bound(0, len(others)) > share
        return
    assert promised(result, "accepted").bound <= share
    assert result.threshold <= choose_threshold(HeldOut(known)).threshold


def test_a_score_equal_to_the_threshold_is_known() -> None:
    scores = [0.0] * 99 + [1.0]
    result = choose_threshold(HeldOut(scores))
    assert result.threshold == 0.0
    assert promised(result, "called other").k == 1


def test_equal_scores_are_all_kept() -> None:
    result = choose_threshold(HeldOut([4.0] * 200))
    assert result.threshold == 4.0
    assert promised(result, "called other").k == 0


def test_the_promise_is_of_the_failures_allowed_even_if_ties_leave_fewer() -> None:
    tied = choose_threshold(HeldOut([0.0] * 190 + [1.0] * 10), budget=Budget(0.05))
    apart = choose_threshold(HeldOut(range(200)), budget=Budget(0.05))
    assert promised(tied, "called other").k == 0
    assert promised(apart, "called other").k == 4
    assert promised(tied, "called other").bound == promised(apart, "called other").bound


@pytest.mark.parametrize(("n", "k"), [(1, 0), (19, 0), (38, 0), (39, 1), (99, 4), (399, 19)])
def test_auto_expects_at_most_five_percent_of_new_images_to_be_rejected(n: int, k: int) -> None:
    # the share of new scores above the (k + 1)-th highest of n is (k + 1) / (n + 1) on average
    promise = promised(choose_threshold(HeldOut(range(n))), "called other")
    assert promise.k == k
    assert promise.bound == upper_bound(k, n)
    assert promise.asked is None
    assert n < 19 or (k + 1) / (n + 1) <= 0.05 < (k + 2) / (n + 1)


def test_one_image_is_enough_for_auto_and_promises_next_to_nothing() -> None:
    promise = promised(choose_threshold(HeldOut([3.0])), "called other")
    assert promise.bound == upper_bound(0, 1) > 0.94


def test_a_refusal_says_how_many_more_would_do_and_what_could_be_asked_instead() -> None:
    known = HeldOut(range(30))
    with pytest.raises(InfeasibleTargetError) as caught:
        choose_threshold(known, budget=Budget(0.05))
    assert caught.value.n_needed == 59
    text = str(caught.value)
    assert (
        "'max_known_rejected' 0.05 can't be promised with 95 % confidence from 30 held-out images"
        in text
    )
    assert "Add 29 more" in text
    alternative = re.search(r"ask for ([\d.]+) % or more", text)
    assert alternative
    choose_threshold(known, budget=Budget(float(alternative[1]) / 100))  # what it says does work
    assert choose_threshold(HeldOut(range(59)), budget=Budget(0.05)).threshold == 58.0


@pytest.mark.parametrize("n", range(1, 60))
def test_what_a_refusal_offers_is_always_granted(n: int) -> None:
    with pytest.raises(InfeasibleTargetError) as caught:
        choose_threshold(HeldOut(range(n)), budget=Budget(0.01))
    alternative = re.search(r"ask for ([\d.]+) % or more", str(caught.value))
    assert alternative
    choose_threshold(HeldOut(range(n)), budget=Budget(float(alternative[1]) / 100))


def test_a_refusal_counts_groups_where_there_are_groups() -> None:
    known = HeldOut(range(100), [i // 10 for i in range(100)])
    with pytest.raises(InfeasibleTargetError, match="from 10 held-out groups"):
        choose_threshold(known, budget=Budget(0.05))


def test_budgets_in_conflict_are_refused_with_what_can_be_had() -> None:
    known, others = HeldOut(range(200)), HeldOut(range(150, 350), population="lego")
    with pytest.raises(InfeasibleTargetError) as caught:
        choose_threshold(known, others, Budget(0.05, 0.05))
    text = str(caught.value)
    assert "can't both be promised" in text
    assert "of lego are accepted" in text
    rows = re.findall(r"^ +([\d.]+) % +([\d.]+) %$", text, re.MULTILINE)
    assert len(rows) == len(trade_off(known, others)) > 3
    for (known_text, other_text), (_, rejected, accepted) in zip(
        rows, trade_off(known, others), strict=True
    ):
        assert float(known_text) / 100 == pytest.approx(rejected, abs=0.001)
        assert float(other_text) / 100 == pytest.approx(accepted, abs=0.001)


def test_too_few_negatives_for_a_feasible_share_says_how_many_would_do() -> None:
    known, others = HeldOut(range(200)), HeldOut(np.arange(40) + 300.0)
    with pytest.raises(InfeasibleTargetError, match="59 negatives would be enough") as caught:
        choose_threshold(known, others, Budget(0.05, 0.05))
    assert caught.value.n_needed == 59


def test_negatives_without_a_budget_are_only_reported() -> None:
    result = choose_threshold(HeldOut(range(100)), HeldOut(range(100)))
    assert promised(result, "accepted").kept
    assert promised(result, "accepted").bound > 0.95


def test_a_budget_for_negatives_needs_negatives() -> None:
    with pytest.raises(InvalidParameterError, match="must be None when there are no negatives"):
        choose_threshold(HeldOut(range(100)), budget=Budget(max_other_accepted=0.1))


def test_the_certificate_says_how_the_scores_came_about() -> None:
    assert choose_threshold(HeldOut([1.0]), method="held-out").certificate.method == "held-out"


@PROPERTY
@given(values, values)
def test_a_trade_off_gives_up_one_for_the_other(known: list[float], others: list[float]) -> None:
    rows = trade_off(HeldOut(known), HeldOut(others))
    thresholds, rejected, accepted = zip(*rows, strict=True)
    assert list(thresholds) == sorted(set(thresholds), reverse=True)
    assert list(rejected) == sorted(rejected)
    assert list(accepted) == sorted(accepted, reverse=True)


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 1.5, "0.05", "always", True, float("nan")])
def test_a_share_must_lie_strictly_between_nothing_and_all(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match=r"'max_known_rejected'.*or 'auto'"):
        Budget(bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="'max_other_accepted'"):
        Budget(max_other_accepted=bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="'confidence'"):
        Budget(confidence=bad)  # type: ignore[arg-type]


def test_without_any_budget_there_is_no_threshold() -> None:
    with pytest.raises(InvalidParameterError, match="nothing to fix a threshold by"):
        Budget(None)
