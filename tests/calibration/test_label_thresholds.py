"""Thresholds of labels, of which an image may have any number."""

from __future__ import annotations

import numpy as np
import pytest

from outgroup.calibration import Budget
from outgroup.calibration.bounds import upper_bound
from outgroup.calibration.label_thresholds import choose_thresholds, remarks
from outgroup.errors import InfeasibleTargetError, InvalidParameterError

NAMES = ("cat", "dog")


def drawn(
    n: int = 200, none: int = 100, seed: int = 0, shift: float = 4.0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two labels: lower where the label is there."""
    rng = np.random.default_rng(seed)
    Y = np.zeros((n + none, 2), dtype=np.int64)
    Y[np.arange(n), np.arange(n) % 2] = 1
    Y[: n // 4] = 1
    return rng.normal(size=Y.shape) - shift * Y, Y


def test_by_default_five_percent_of_each_label_are_expected_to_miss_it() -> None:
    scores, Y = drawn()
    thresholds, certificate = choose_thresholds(scores, Y, NAMES)
    for k, (name, guarantee) in enumerate(zip(NAMES, certificate.guarantees, strict=False)):
        has = Y[:, k] == 1
        missed = int((scores[has, k] > thresholds[k]).sum())
        assert missed == guarantee.k == int(0.05 * (has.sum() + 1)) - 1
        assert guarantee.bound == upper_bound(missed, has.sum())
        assert guarantee.population == f"images like your {name!r} ones"
        assert guarantee.event == f"not called {name!r}"


def test_the_last_guarantee_is_about_images_of_none_of_the_labels() -> None:
    scores, Y = drawn(shift=2.0)
    thresholds, certificate = choose_thresholds(scores, Y, NAMES)
    given = (scores[200:] <= thresholds).any(axis=1).sum()
    guarantee = certificate.guarantees[-1]
    assert (guarantee.k, guarantee.n) == (given, 100)
    assert guarantee.event == "given any label"
    assert given > 5
    assert len(choose_thresholds(scores[:200], Y[:200], NAMES)[1].guarantees) == 2


def test_a_limit_for_images_of_none_moves_all_thresholds_alike() -> None:
    scores, Y = drawn(shift=2.0)
    before, _ = choose_thresholds(scores, Y, NAMES)
    after, certificate = choose_thresholds(scores, Y, NAMES, Budget(max_other_accepted=0.1))
    np.testing.assert_allclose(after - before, (after - before)[0])
    assert after[0] < before[0]
    guarantee = certificate.guarantees[-1]
    assert guarantee.asked == 0.1
    assert guarantee.bound <= 0.1
    assert guarantee.k == (scores[200:] <= after).any(axis=1).sum()
    for k, of_label in enumerate(certificate.guarantees[:2]):
        has = Y[:, k] == 1
        assert of_label.k == (scores[has, k] > after[k]).sum() > 5
        assert of_label.bound == upper_bound(of_label.k, of_label.n)


def test_a_limit_that_is_kept_already_moves_nothing() -> None:
    scores, Y = drawn(shift=9.0)
    before, _ = choose_thresholds(scores, Y, NAMES)
    after, certificate = choose_thresholds(scores, Y, NAMES, Budget(max_other_accepted=0.1))
    np.testing.assert_array_equal(before, after)
    assert certificate.guarantees[-1].kept
    wider, _ = choose_thresholds(scores, Y, NAMES, Budget(None, 0.1))
    assert (wider > before).all()  # alone, the limit is used to the full


def test_a_number_is_kept_or_refused_with_the_n_that_would_do() -> None:
    scores, Y = drawn()
    _, certificate = choose_thresholds(scores, Y, NAMES, Budget(0.05))
    assert all(guarantee.bound <= 0.05 for guarantee in certificate.guarantees[:2])
    with pytest.raises(InfeasibleTargetError, match=r"Label 'cat'.*at least 299") as caught:
        choose_thresholds(scores, Y, NAMES, Budget(0.01))
    assert caught.value.n_needed == 299


def test_two_limits_that_can_not_both_be_kept_are_refused() -> None:
    scores, Y = drawn(shift=2.0)
    with pytest.raises(InfeasibleTargetError, match="Cannot guarantee both"):
        choose_thresholds(scores, Y, NAMES, Budget(0.1, 0.04))


def test_without_images_of_none_there_is_no_limit_to_set() -> None:
    scores, Y = drawn(none=0)
    with pytest.raises(InvalidParameterError, match="no image has none of the labels"):
        choose_thresholds(scores, Y, NAMES, Budget(max_other_accepted=0.1))


def test_a_fixed_threshold_is_described_or_refused_and_never_moved() -> None:
    scores, Y = drawn(shift=2.0)
    thresholds, certificate = choose_thresholds(scores, Y, NAMES, fixed=-1.5)
    assert thresholds.tolist() == [-1.5, -1.5]
    for k, guarantee in enumerate(certificate.guarantees[:2]):
        assert guarantee.k == (scores[Y[:, k] == 1, k] > -1.5).sum()
        assert guarantee.bound == upper_bound(guarantee.k, guarantee.n)
    with pytest.raises(InfeasibleTargetError, match="part of the strategy"):
        choose_thresholds(scores, Y, NAMES, Budget(0.05), fixed=-1.5)
    with pytest.raises(InfeasibleTargetError, match="Cannot guarantee both"):
        choose_thresholds(scores, Y, NAMES, Budget(max_other_accepted=0.05), fixed=1.5)


def test_labels_that_are_not_known_count_nowhere() -> None:
    scores, Y = drawn()
    Y[200:220, 1] = -1
    Y[:10, 0] = -1
    _, certificate = choose_thresholds(scores, Y, NAMES)
    counted = [guarantee.n for guarantee in certificate.guarantees]
    assert counted == [(Y[:, 0] == 1).sum(), (Y[:, 1] == 1).sum(), 80]


def test_groups_count_as_one() -> None:
    scores, Y = drawn()
    units = np.array([f"group {i // 4}" for i in range(len(Y))])
    _, certificate = choose_thresholds(scores, Y, NAMES, units=units)
    assert [p.unit for p in certificate.guarantees] == ["groups"] * 3
    assert certificate.guarantees[-1].n == 25


def test_labels_of_few_images_get_a_remark() -> None:
    scores, Y = drawn()
    Y[:, 1] = 0
    Y[:12, 1] = 1
    certificate = choose_thresholds(scores, Y, NAMES)[1]
    found = list(remarks(certificate))
    assert len(found) == 1
    assert "Only 12 images stand for images like your 'dog' ones" in found[0]
    assert "at least 59" in found[0]
