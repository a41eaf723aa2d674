import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgroup.calibration import assign_folds
from outgroup.errors import InvalidParameterError

PROPERTY = settings(derandomize=True, deadline=None, max_examples=100)
labels = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)


@PROPERTY
@given(labels, st.integers(2, 7), st.integers(0, 5))
def test_each_class_is_spread_as_evenly_as_can_be(y: list[str], n_folds: int, seed: int) -> None:
    folds = assign_folds(y, n_folds, seed=seed)
    for name in set(y):
        per_fold = np.bincount(folds[np.array(y) == name], minlength=n_folds)
        assert per_fold.max() - per_fold.min() <= 1


@PROPERTY
@given(labels, st.integers(2, 7), st.data())
def test_every_fold_number_is_valid_and_groups_stay_whole(
    y: list[str], n_folds: int, data: st.DataObject
) -> None:
    groups = data.draw(st.lists(st.integers(0, 9), min_size=len(y), max_size=len(y)))
    folds = assign_folds(y, n_folds, groups)
    assert folds.shape == (len(y),)
    assert folds.dtype == np.int64
    assert ((folds >= 0) & (folds < n_folds)).all()
    for group in set(groups):
        assert len(set(folds[np.array(groups) == group])) == 1


def test_all_samples_together_are_spread_evenly_too() -> None:
    folds = assign_folds(np.repeat(np.arange(9), 2), 5)  # nine classes of two
    assert np.ptp(np.bincount(folds, minlength=5)) <= 1


def test_a_class_with_fewer_members_than_folds_goes_to_as_many_folds_as_it_has_members() -> None:
    y = np.array(["common"] * 20 + ["rare"] * 3)
    assert len(set(assign_folds(y, 5)[y == "rare"])) == 3


def test_large_groups_are_spread_over_the_folds() -> None:
    groups = np.repeat(np.arange(10), [30, 30, 30, 5, 5, 5, 5, 5, 5, 5])
    sizes = np.bincount(assign_folds(np.zeros(len(groups)), 3, groups), minlength=3)
    assert sizes.max() <= 50


def test_the_same_seed_gives_the_same_folds_and_another_does_not() -> None:
    y = np.repeat([0, 1], 50)
    np.testing.assert_array_equal(assign_folds(y, 5, seed=3), assign_folds(y, 5, seed=3))
    assert (assign_folds(y, 5, seed=3) != assign_folds(y, 5, seed=4)).any()


@pytest.mark.parametrize("bad", [1, 0, -2, 2.5, "5", True, None])
def test_the_number_of_folds_must_be_a_whole_number_from_two_up(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `n_folds`: must be a whole number"):
        assign_folds([0, 1], bad)  # type: ignore[arg-type]
