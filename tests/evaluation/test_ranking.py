import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from outgroup.errors import InvalidDataError
from outgroup.evaluation import auroc, auroc_interval, fpr_at_tpr

PROPERTY = settings(derandomize=True, deadline=None, max_examples=100)
tied = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)
free = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=30)
scores = st.one_of(tied, free)


@PROPERTY
@given(scores, scores)
def test_auroc_is_that_of_scikit_learn_with_other_as_the_positive_class(
    known: list[float], other: list[float]
) -> None:
    expected = roc_auc_score([0] * len(known) + [1] * len(other), known + other)
    assert auroc(known, other) == pytest.approx(expected, abs=1e-12)


def test_other_is_the_positive_class_so_higher_scores_of_others_are_better() -> None:
    assert auroc([0.0, 1.0], [2.0, 3.0]) == 1.0
    assert auroc([2.0, 3.0], [0.0, 1.0]) == 0.0
    assert fpr_at_tpr([0.0, 1.0], [2.0, 3.0]) == 0.0
    assert fpr_at_tpr([2.0, 3.0], [0.0, 1.0]) == 1.0


@PROPERTY
@given(tied, tied)
def test_no_increasing_map_moves_the_auroc(known: list[float], other: list[float]) -> None:
    a, b = np.array(known), np.array(other)
    for increasing in (np.exp, lambda s: 1e-9 * s + 7, lambda s: s**3, ndtr):
        assert auroc(increasing(a), increasing(b)) == auroc(a, b)
        assert fpr_at_tpr(increasing(a), increasing(b)) == fpr_at_tpr(a, b)


@PROPERTY
@given(scores, scores)
def test_swapping_the_samples_or_the_sign_turns_the_auroc_over(
    known: list[float], other: list[float]
) -> None:
    value = auroc(known, other)
    assert auroc(other, known) == pytest.approx(1 - value, abs=1e-12)
    assert auroc(-np.array(known), -np.array(other)) == pytest.approx(1 - value, abs=1e-12)


def test_scores_that_a_single_precision_would_merge_are_kept_apart() -> None:
    assert auroc([1.0], [1.0 + 1e-12]) == 1.0


@PROPERTY
@given(scores, scores, st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_fpr_at_tpr_reads_the_lowest_threshold_that_keeps_enough(
    known: list[float], other: list[float], tpr: float
) -> None:
    keeps = [t for t in known if np.mean(np.array(known) <= t) >= tpr - 1e-12]
    assert fpr_at_tpr(known, other, tpr) == np.mean(np.array(other) <= min(keeps))


@PROPERTY
@given(st.floats(0.0, 1.0), st.integers(1, 5000), st.integers(1, 5000))
def test_the_interval_holds_the_value_and_stays_between_zero_and_one(
    value: float, n_known: int, n_other: int
) -> None:
    low, high = auroc_interval(value, n_known, n_other)
    assert 0.0 <= low <= value + 1e-8
    assert value - 1e-8 <= high <= 1.0
    wider = auroc_interval(value, n_known, n_other, confidence=0.99)
    assert wider[0] <= low + 1e-8
    assert wider[1] >= high - 1e-8


def test_the_interval_narrows_with_more_images_and_mirrors_at_one_half() -> None:
    few, many = auroc_interval(0.9, 50, 50), auroc_interval(0.9, 500, 500)
    assert few[0] < many[0] < 0.9 < many[1] < few[1]
    mirrored = auroc_interval(0.1, 50, 50)
    assert mirrored == pytest.approx((1 - few[1], 1 - few[0]), abs=1e-9)


def test_at_one_the_interval_is_not_a_point() -> None:
    low, high = auroc_interval(1.0, 30, 30)
    assert high == 1.0
    assert 0.85 < low < 0.97
    assert auroc_interval(0.0, 30, 30) == pytest.approx((0.0, 1 - low), abs=1e-9)


@pytest.mark.parametrize(
    ("shift", "n_known", "n_other"), [(0.5, 40, 60), (1.5, 100, 30), (2.5, 60, 60)]
)
def test_the_interval_covers_the_truth_about_as_often_as_it_says(
    shift: float, n_known: int, n_other: int
) -> None:
    # two Gaussians: the true AUROC is Phi(shift / sqrt(2)); Newcombe's interval is approximate
    rng, truth = np.random.default_rng(1), ndtr(shift / np.sqrt(2))
    covered = 0
    for _ in range(400):
        value = auroc(rng.normal(0, 1, n_known), rng.normal(shift, 1, n_other))
        low, high = auroc_interval(value, n_known, n_other)
        covered += low <= truth <= high
    assert covered >= 0.92 * 400
    assert covered < 400


@pytest.mark.parametrize("bad", [[], [np.nan, 1.0], [[1.0]]])
def test_scores_must_be_a_vector_without_nan(bad: list[float]) -> None:
    for measure in (auroc, fpr_at_tpr):
        with pytest.raises(InvalidDataError, match="non-empty vector without NaN"):
            measure(bad, [1.0])
        with pytest.raises(InvalidDataError, match="non-empty vector without NaN"):
            measure([1.0], bad)


def test_infinite_scores_have_a_rank_too() -> None:
    assert auroc([-np.inf, 0.0], [0.0, np.inf]) == 0.875
