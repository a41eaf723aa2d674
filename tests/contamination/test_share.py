import numpy as np
import pytest
from scipy.stats import binomtest

from outgroup.contamination import Count, estimate_share
from outgroup.contamination.scores import Likeness
from outgroup.contamination.suspects import ZONES, class_levels, cut_level
from outgroup.errors import InfeasibleTargetError

REPEATS = 400


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.6])
@pytest.mark.parametrize(("recall", "alarms"), [(0.5, 0.0), (0.5, 0.01), (0.8, 0.05)])
def test_the_interval_covers_the_share(share: float, recall: float, alarms: float) -> None:
    rng = np.random.default_rng([round(100 * share), round(100 * recall), round(100 * alarms)])
    missed = 0
    for _ in range(REPEATS):
        pool = Count(rng.binomial(1000, share * recall + (1 - share) * alarms), 1000)
        known, others = Count(rng.binomial(150, recall), 150), Count(rng.binomial(200, alarms), 200)
        found = estimate_share(pool, known, others)
        missed += not found.low <= share <= found.high
    assert binomtest(missed, REPEATS, 0.05, alternative="greater").pvalue > 0.001


def test_the_interval_is_informative() -> None:
    found = estimate_share(Count(100, 1000), Count(100, 200), Count(0, 300))
    assert found.value == pytest.approx(0.2)
    assert 0.1 < found.low < 0.2 < found.high < 0.3


def test_without_look_alikes_the_lower_end_is_zero() -> None:
    found = estimate_share(Count(100, 1000), Count(100, 200))
    assert found.low == 0.0
    assert "nothing to say how many" in found.sentence
    assert found.high < 0.3


def test_look_alikes_that_look_like_the_classes_leave_the_lower_end_at_zero() -> None:
    assert estimate_share(Count(100, 1000), Count(100, 200), Count(150, 300)).low == 0.0


def test_too_few_images_are_refused() -> None:
    for pool, known in ((Count(0, 0), Count(50, 100)), (Count(1, 9), Count(9, 19))):
        with pytest.raises(InfeasibleTargetError, match="At least 20 known images") as caught:
            estimate_share(pool, known)
        assert caught.value.n_needed == 20


def test_the_sentence_names_the_population_and_the_assumption() -> None:
    said = estimate_share(Count(100, 1000), Count(100, 200), Count(0, 300)).sentence
    assert "images like those in the pool show one of your classes" in said
    assert "no more often than your look-alikes (95 % confidence)" in said


def likeness(scores: list[float] | np.ndarray, labels: list[int] | np.ndarray) -> Likeness:
    none = np.empty((len(scores), 0))
    label, score = np.asarray(labels, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    return Likeness(label, score, none.astype(np.int64), none.astype(np.float32))


def test_levels_of_new_images_of_a_class_are_spread_evenly() -> None:
    rng = np.random.default_rng(0)
    held_out, label = rng.normal(size=4000), np.arange(4000) % 2
    held_out[label == 1] *= 7  # each class on a scale of its own
    known = likeness(held_out, label)
    for k, scale in enumerate((1, 7)):
        images = likeness(scale * rng.normal(size=4000), np.full(4000, k))
        found = class_levels(images, known, np.ones(4000))
        np.testing.assert_allclose(np.quantile(found, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.04)


def test_the_level_falls_with_the_score_to_zero() -> None:
    known = likeness([3.0, 1.0, 2.0], [0, 0, 0])
    images = likeness([-5, 1, 1.5, 2, 3, 3.1, np.inf], [0] * 7)
    np.testing.assert_allclose(
        class_levels(images, known, np.ones(3)), [1, 1, 2 / 3, 2 / 3, 1 / 3, 0, 0]
    )
    of_no_known = likeness([0.0, 0.0], [1, 2])  # classes that no known image was predicted to be
    assert (class_levels(of_no_known, known, np.ones(3)) == 0).all()


def test_an_image_of_a_large_group_counts_less() -> None:
    known = likeness([1.0, 2.0, 2.1, 2.2], [0] * 4)
    found = class_levels(likeness([1.5], [0]), known, np.array([1.0, 1 / 3, 1 / 3, 1 / 3]))
    assert found[0] == pytest.approx(0.5)


def test_the_cut_is_low_without_others_and_rises_with_their_number() -> None:
    rng = np.random.default_rng(0)
    of_class = rng.uniform(size=200)
    near = rng.beta(1, 8, 400)
    cuts = [cut_level(np.r_[of_class, near[:n]]) for n in (0, 100, 400)]
    assert cuts[0] == min(ZONES)
    assert cuts == sorted(cuts)
    assert cuts[2] > 0.1


def test_images_of_a_class_are_rarely_cut_off_by_chance() -> None:
    rng = np.random.default_rng(0)
    kept = [
        (levels > cut_level(levels)).mean()
        for levels in (rng.uniform(size=n) for n in (5, 20, 100, 1000) for _ in range(100))
    ]
    assert np.mean(kept) > 0.88
