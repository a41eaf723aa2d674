from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.calibration import HeldOut
from outgroup.errors import InvalidDataError

PROPERTY = settings(derandomize=True, deadline=None, max_examples=120)
# few distinct values, so that ties are the rule
tied = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=25)
free = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=25)
scores = st.one_of(tied, free)
grouped = st.one_of(tied, free).flatmap(
    lambda s: st.tuples(
        st.just(s),
        st.one_of(
            st.none(), st.lists(st.sampled_from("abcdefg"), min_size=len(s), max_size=len(s))
        ),
    )
)


def units_where(scores: list[float], groups: list[str] | None, hit: np.ndarray) -> int:
    """Count units by definition: the sum over groups of the share that is hit, rounded up."""
    names = np.arange(len(scores)) if groups is None else np.array(groups)
    shares = [hit[names == name].mean() for name in np.unique(names)]
    return int(np.ceil(np.round(sum(shares), 9)))


@PROPERTY
@given(grouped, st.floats(-10, 10))
def test_rejected_and_accepted_count_shares_of_groups(
    data: tuple[list[float], list[str] | None], threshold: float
) -> None:
    values, groups = data
    held_out, s = HeldOut(values, groups), np.array(values)
    for t in [threshold, *values]:
        assert held_out.rejected(t) == units_where(values, groups, s > t)
        assert held_out.accepted(t) == units_where(values, groups, s <= t)


@PROPERTY
@given(grouped, st.integers(0, 30))
def test_lowest_threshold_is_the_lowest_of_all_scores_that_keeps_k(
    data: tuple[list[float], list[str] | None], k: int
) -> None:
    values, groups = data
    held_out, s = HeldOut(values, groups), np.array(values)
    keeps = [t for t in values if units_where(values, groups, s > t) <= k]
    assert held_out.lowest_threshold(k) == min(keeps)


@PROPERTY
@given(grouped, st.integers(0, 30))
def test_highest_threshold_keeps_k_and_the_next_number_up_would_not(
    data: tuple[list[float], list[str] | None], k: int
) -> None:
    values, groups = data
    held_out, s = HeldOut(values, groups), np.array(values)
    threshold = held_out.highest_threshold(k)
    assert held_out.accepted(threshold) <= k
    if k < held_out.n:
        assert units_where(values, groups, s <= np.nextafter(threshold, np.inf)) > k
    else:
        assert threshold == max(values)


@PROPERTY
@given(scores)
def test_a_group_for_each_image_is_the_same_as_no_groups(values: list[float]) -> None:
    alone, each = HeldOut(values), HeldOut(values, [str(i) for i in range(len(values))])
    assert (alone.n, alone.unit) == (each.n, each.unit) == (len(values), "images")
    for t in values:
        assert alone.rejected(t) == each.rejected(t)


@PROPERTY
@given(grouped, st.randoms(use_true_random=False))
def test_the_order_of_images_does_not_matter(
    data: tuple[list[float], list[str] | None], random: Random
) -> None:
    values, groups = data
    rows = list(range(len(values)))
    random.shuffle(rows)
    shuffled = HeldOut([values[i] for i in rows], groups and [groups[i] for i in rows])
    for k in range(3):
        assert shuffled.lowest_threshold(k) == HeldOut(values, groups).lowest_threshold(k)


def test_n_counts_groups_where_images_share_one() -> None:
    held_out = HeldOut([1.0, 2.0, 3.0, 4.0], ["a", "a", "b", "c"])
    assert (held_out.n, held_out.unit) == (3, "groups")


def test_a_part_of_a_group_is_rounded_up_and_thirds_add_up_to_one() -> None:
    thirds = HeldOut([1.0, 2.0, 3.0], ["burst"] * 3)
    assert [thirds.rejected(t) for t in (0.0, 1.0, 2.0, 3.0)] == [1, 1, 1, 0]
    assert HeldOut(np.arange(21.0), np.arange(21) // 7).rejected(-1.0) == 3


def test_equal_scores_are_all_known_at_their_threshold() -> None:
    same = HeldOut([2.5] * 10)
    assert same.lowest_threshold(0) == same.lowest_threshold(4) == 2.5
    assert same.rejected(2.5) == 0
    assert same.accepted(same.highest_threshold(4)) == 0


def test_a_single_score_is_its_own_threshold() -> None:
    assert HeldOut([7.0]).lowest_threshold(0) == 7.0
    assert HeldOut([7.0]).highest_threshold(0) < 7.0


@pytest.mark.parametrize("bad", [[], [1.0, np.nan], [np.inf], [[1.0, 2.0]], 3.0])
def test_scores_must_be_a_vector_of_finite_numbers(bad: object) -> None:
    with pytest.raises(InvalidDataError, match="non-empty vector of finite"):
        HeldOut(bad)  # type: ignore[arg-type]


def test_there_must_be_one_group_per_score() -> None:
    with pytest.raises(InvalidDataError, match="must have one group each"):
        HeldOut([1.0, 2.0], ["a"])
