"""Other thresholds than the one that was asked for, and what they would do."""

from typing import Any

import numpy as np
import pytest

from outgroup.calibration import Budget, HeldOut, choose_threshold, expected_threshold
from outgroup.errors import InfeasibleTargetError
from outgroup.selection import TradeOff, compare_strategies, select_strategy, share_of
from outgroup.selection.results import SHARES
from outgroup.training_set import TrainingSet


def world(n: int, spread: float = 1.0, **more: Any) -> TrainingSet:
    """Four classes, n rows each, that overlap the more the wider they are."""
    kind = np.repeat(np.arange(4), n)
    X = spread * np.random.default_rng(0).normal(size=(4 * n, 16)) + 6 * np.eye(4, 16)[kind]
    return TrainingSet.from_labels({"last": X}, [f"class {k}" for k in kind], **more)


@pytest.mark.parametrize("share", SHARES)
def test_the_guarantee_that_is_named_chooses_the_threshold_of_that_share(share: float) -> None:
    for n in (20, 60, 105, 312, 2500):
        row = TradeOff.made(share, n, accepted=0.0)
        if row is None:
            assert share * (n + 1) < 1
            continue
        known = HeldOut(np.arange(n))
        asked = choose_threshold(known, budget=Budget(max_known_rejected=row.at_most)).threshold
        expected = expected_threshold(known, share)[0]
        assert expected - 0.001 * n <= asked <= expected  # the bound is rounded up to three digits


def test_a_lower_threshold_accepts_less_and_the_asked_one_what_the_result_says() -> None:
    compared = compare_strategies(world(n=60, spread=2.5), ["softmax", "detector"])
    for result in compared.results:
        shares = [row.known_rejected for row in result.trade_off]
        accepted = [row.accepted for row in result.trade_off]
        assert shares == list(SHARES)
        assert accepted == sorted(accepted, reverse=True)
        assert accepted[0] > accepted[-1]
        assert accepted[shares.index(compared.share)] == result.accepted


def test_shares_that_few_images_can_not_calibrate_are_left_out() -> None:
    compared = compare_strategies(world(n=10), ["softmax"])
    assert [row.known_rejected for row in compared.results[0].trade_off] == [0.05, 0.1, 0.2, 0.3]


def test_of_thinned_images_the_bound_is_that_from_all_of_them() -> None:
    data = world(n=100)
    whole, thinned = (
        compare_strategies(data, ["softmax"], max_rows=rows).results[0] for rows in (1000, 160)
    )
    assert thinned.known_rejected is not None
    assert thinned.known_rejected.n < 200
    bounds = {row.known_rejected: row.at_most for row in whole.trade_off}
    assert thinned.trade_off
    assert all(row.at_most == bounds[row.known_rejected] for row in thinned.trade_off)


def test_a_threshold_that_is_part_of_the_strategy_has_no_others() -> None:
    compared = compare_strategies(world(n=30), ["sigmoid-0.95", "softmax"])
    assert compared.results[0].trade_off == ()
    assert compared.results[1].trade_off


def test_strategies_are_compared_at_the_share_that_a_guarantee_leaves() -> None:
    data = world(n=40)
    assert share_of(None, data) == share_of(Budget(), data) == 0.05
    # of 160 images 11 may lie above a threshold that guarantees at most 11.3 %: 12 would be 11.9
    assert share_of(Budget(max_known_rejected=0.113), data) == 12 / 161
    _, compared, _ = select_strategy("auto", data, Budget(max_known_rejected=0.113))
    assert compared is not None
    assert compared.share == 12 / 161


def test_a_guarantee_that_needs_more_images_is_refused_before_anything_is_compared() -> None:
    told: list[float] = []
    with pytest.raises(InfeasibleTargetError, match="at least 299"):
        select_strategy("auto", world(n=40), Budget(max_known_rejected=0.01), progress=told.append)
    assert told == []


def test_groups_are_counted_where_there_are_groups() -> None:
    groups = [f"group {i // 4}" for i in range(160)]
    with pytest.raises(InfeasibleTargetError, match="from 40 held-out groups"):
        share_of(Budget(max_known_rejected=0.05), world(n=40, groups=groups))
