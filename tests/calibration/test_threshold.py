import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.calibration import Budget, HeldOut, choose_threshold, guarantee_at, trade_off
from outgroup.calibration.bounds import upper_bound
from outgroup.errors import InfeasibleTargetError, InvalidParameterError

PROPERTY = settings(derandomize=True, deadline=None, max_examples=150)
values = st.lists(
    st.one_of(st.integers(0, 9).map(float), st.floats(-5, 15)), min_size=1, max_size=150
)
shares = st.sampled_from([0.02, 0.05, 0.1, 0.3, 0.7])


def guaranteed(result, event: str):
    (guarantee,) = [p for p in result.certificate.guarantees if p.event == event]
    return guarantee


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
    guarantee = guaranteed(result, "rejected")
    assert guarantee.bound <= share
    assert guarantee.kept
    assert guarantee.k == sum(s > result.threshold for s in scores)
    assert guarantee.bound >= upper_bound(guarantee.k, n)
    # no lower threshold would have kept it
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
    guarantee = guaranteed(result, "accepted")
    assert guarantee.bound <= share
    assert guarantee.k == sum(s <= result.threshold for s in others)
    more = sum(s <= np.nextafter(result.threshold, np.inf) for s in others)
    assert upper_bound(more, len(others)) > share
    assert guaranteed(result, "rejected").asked is None
    assert guaranteed(result, "rejected").bound == upper_bound(
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
    assert guaranteed(result, "rejected").bound <= for_known
    assert guaranteed(result, "accepted").bound <= for_others


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
    assert guaranteed(result, "accepted").bound <= share
    assert result.threshold <= choose_threshold(HeldOut(known)).threshold


def test_a_score_equal_to_the_threshold_is_known() -> None:
    scores = [0.0] * 99 + [1.0]
    result = choose_threshold(HeldOut(scores))
    assert result.threshold == 0.0
    assert guaranteed(result, "rejected").k == 1


def test_equal_scores_are_all_known() -> None:
    result = choose_threshold(HeldOut([4.0] * 200))
    assert result.threshold == 4.0
    assert guaranteed(result, "rejected").k == 0


def test_the_bound_counts_the_failures_allowed_even_if_ties_leave_fewer() -> None:
    tied = choose_threshold(HeldOut([0.0] * 190 + [1.0] * 10), budget=Budget(0.05))
    apart = choose_threshold(HeldOut(range(200)), budget=Budget(0.05))
    assert guaranteed(tied, "rejected").k == 0
    assert guaranteed(apart, "rejected").k == 4
    assert guaranteed(tied, "rejected").bound == guaranteed(apart, "rejected").bound


@pytest.mark.parametrize(("n", "k"), [(1, 0), (19, 0), (38, 0), (39, 1), (99, 4), (399, 19)])
def test_auto_expects_at_most_five_percent_of_new_images_to_be_rejected(n: int, k: int) -> None:
    # the share of new scores above the (k + 1)-th highest of n is (k + 1) / (n + 1) on average
    guarantee = guaranteed(choose_threshold(HeldOut(range(n))), "rejected")
    assert guarantee.k == k
    assert guarantee.bound == upper_bound(k, n)
    assert guarantee.asked is None
    assert n < 19 or (k + 1) / (n + 1) <= 0.05 < (k + 2) / (n + 1)


def test_one_image_is_enough_for_auto_but_guarantees_little() -> None:
    guarantee = guaranteed(choose_threshold(HeldOut([3.0])), "rejected")
    assert guarantee.bound == upper_bound(0, 1) > 0.94


def test_a_refusal_says_how_many_more_would_do_and_what_could_be_asked_instead() -> None:
    known = HeldOut(range(30))
    with pytest.raises(InfeasibleTargetError) as caught:
        choose_threshold(known, budget=Budget(0.05))
    assert caught.value.n_needed == 59
    text = str(caught.value)
    assert (
        "Cannot guarantee `max_known_rejected` 0.05 with 95 % confidence from 30 held-out images"
        in text
    )
    assert "Add 29 more" in text
    alternative = re.search(r"ask for ([\d.]+) % or more", text)
    assert alternative
    choose_threshold(known, budget=Budget(float(alternative[1]) / 100))
    assert choose_threshold(HeldOut(range(59)), budget=Budget(0.05)).threshold == 58.0


@pytest.mark.parametrize("n", range(1, 60))
def test_what_a_refusal_offers_can_be_guaranteed(n: int) -> None:
    with pytest.raises(InfeasibleTargetError) as caught:
        choose_threshold(HeldOut(range(n)), budget=Budget(0.01))
    alternative = re.search(r"ask for ([\d.]+) % or more", str(caught.value))
    assert alternative
    choose_threshold(HeldOut(range(n)), budget=Budget(float(alternative[1]) / 100))


def test_a_refusal_counts_groups_where_there_are_groups() -> None:
    known = HeldOut(range(100), [i // 10 for i in range(100)])
    with pytest.raises(InfeasibleTargetError, match="from 10 held-out groups"):
        choose_threshold(known, budget=Budget(0.05))


def test_conflicting_budgets_are_refused_with_what_can_be_guaranteed() -> None:
    known, others = HeldOut(range(200)), HeldOut(range(150, 350), population="lego")
    with pytest.raises(InfeasibleTargetError) as caught:
        choose_threshold(known, others, Budget(0.05, 0.05))
    text = str(caught.value)
    assert "Cannot guarantee both" in text
    assert "of lego are accepted" in text
    rows = re.findall(r"^ +([\d.]+) % +([\d.]+) %$", text, re.MULTILINE)
    assert len(rows) == len(trade_off(known, others)) > 3
    for (known_text, other_text), (_, rejected, accepted) in zip(
        rows, trade_off(known, others), strict=True
    ):
        assert float(known_text) / 100 == pytest.approx(rejected, abs=0.001)
        assert float(other_text) / 100 == pytest.approx(accepted, abs=0.001)


def test_too_few_negatives_are_refused_with_how_many_would_be_enough() -> None:
    known, others = HeldOut(range(200)), HeldOut(np.arange(40) + 300.0)
    with pytest.raises(InfeasibleTargetError, match="59 negatives would be enough") as caught:
        choose_threshold(known, others, Budget(0.05, 0.05))
    assert caught.value.n_needed == 59


def test_negatives_without_a_budget_are_only_reported() -> None:
    result = choose_threshold(HeldOut(range(100)), HeldOut(range(100)))
    assert guaranteed(result, "accepted").kept
    assert guaranteed(result, "accepted").bound > 0.95


def test_a_budget_for_negatives_needs_negatives() -> None:
    with pytest.raises(InvalidParameterError, match="must be None if there are no negatives"):
        choose_threshold(HeldOut(range(100)), budget=Budget(max_other_accepted=0.1))


def test_the_certificate_says_where_the_scores_came_from() -> None:
    assert choose_threshold(HeldOut([1.0]), method="held-out").certificate.method == "held-out"


@PROPERTY
@given(values, values, st.floats(-5, 15))
def test_a_fixed_threshold_is_described_by_what_it_does(
    known: list[float], others: list[float], threshold: float
) -> None:
    result = choose_threshold(HeldOut(known), HeldOut(others), fixed=threshold)
    assert result.threshold == threshold
    k = sum(s > threshold for s in known)
    assert guaranteed(result, "rejected").k == k
    assert guaranteed(result, "rejected").bound == upper_bound(k, len(known))
    k = sum(s <= threshold for s in others)
    assert guaranteed(result, "accepted").k == k
    assert guaranteed(result, "accepted").bound == upper_bound(k, len(others))


@pytest.mark.parametrize("budget", [Budget(0.05), Budget(None, 0.05), Budget("auto", 0.05)])
def test_a_fixed_threshold_that_breaks_the_budget_is_refused(budget: Budget) -> None:
    known, others = HeldOut(range(100)), HeldOut(range(100))
    with pytest.raises(InfeasibleTargetError, match=r"0\.05, because the threshold is part of the"):
        choose_threshold(known, others, budget, fixed=50)
    assert choose_threshold(HeldOut(range(100)), budget=Budget(0.05), fixed=98).threshold == 98


def test_a_fixed_threshold_is_refused_with_how_many_images_would_be_enough() -> None:
    with pytest.raises(InfeasibleTargetError, match="Add 29 more") as caught:
        choose_threshold(HeldOut(range(30)), budget=Budget(0.05), fixed=98)
    assert caught.value.n_needed == 59


def test_a_guarantee_for_a_moved_threshold_is_no_better_than_before() -> None:
    held = HeldOut(range(100))
    (before,) = choose_threshold(held, budget=Budget(0.05)).certificate.guarantees
    for moved, k in ((99.0, 0), (98.0, 1), (80.0, 19)):
        after = guarantee_at(moved, held, True, asked=before.asked, at_least=before.bound)
        assert after.k == k
        assert after.bound == max(before.bound, upper_bound(k, 100))
    assert not after.kept


def test_population_and_event_are_said_in_their_own_words() -> None:
    cats = HeldOut(range(100), population="images like your 'cat' ones", event="not called 'cat'")
    sentence = choose_threshold(cats).certificate.guarantees[0].sentence
    assert (
        "of images like your 'cat' ones are not called 'cat' (95 % confidence, n = 100" in sentence
    )
    of_none = HeldOut(range(100), population="images like your negatives", event="given any label")
    sentence = guarantee_at(0.0, of_none, known=False).sentence
    assert "of images like your negatives are given any label (95 %" in sentence


@PROPERTY
@given(values, values)
def test_a_trade_off_lowers_one_bound_for_the_other(
    known: list[float], others: list[float]
) -> None:
    rows = trade_off(HeldOut(known), HeldOut(others))
    thresholds, rejected, accepted = zip(*rows, strict=True)
    assert list(thresholds) == sorted(set(thresholds), reverse=True)
    assert list(rejected) == sorted(rejected)
    assert list(accepted) == sorted(accepted, reverse=True)


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 1.5, "0.05", "always", True, float("nan")])
def test_a_share_must_be_strictly_between_0_and_1(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match=r"Invalid `max_known_rejected`.*or 'auto'"):
        Budget(bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="Invalid `max_other_accepted`"):
        Budget(max_other_accepted=bad)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="Invalid `confidence`"):
        Budget(confidence=bad)  # type: ignore[arg-type]


def test_without_any_budget_there_is_no_threshold() -> None:
    with pytest.raises(InvalidParameterError, match="nothing determines the threshold"):
        Budget(None)
