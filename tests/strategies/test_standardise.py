from typing import Any

import numpy as np
import pytest

from outgroup.errors import InvalidParameterError
from outgroup.strategies import FoldedRows
from outgroup.strategies.blend import Blend
from outgroup.strategies.standardise import centre_and_tail_scale, class_scales, standardised


def test_scores_without_any_spread_are_left_on_their_scale() -> None:
    assert centre_and_tail_scale(np.full(9, 3.0)) == (3.0, 1.0)


def test_tail_and_deviation_of_normal_scores_agree() -> None:
    scores = np.random.default_rng(0).normal(3.0, 2.0, 100_000)
    assert centre_and_tail_scale(scores) == pytest.approx((3.0, 2.0 * 0.6745), rel=0.01)


def test_a_heavy_upper_tail_is_part_of_the_scale_and_a_lower_one_is_not() -> None:
    scores = np.r_[np.linspace(-1.0, 1.0, 80), np.full(20, 50.0)]
    up, down = centre_and_tail_scale(scores)[1], centre_and_tail_scale(-scores)[1]
    assert up > 20.0
    assert down < 1.0


@pytest.mark.parametrize("n", [2, 30, 3000])
def test_a_class_is_shrunk_towards_all_the_more_the_fewer_images_it_has(n: int) -> None:
    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=2 * n), np.repeat([0, 1], n)
    scores[y == 1] = 10.0 + 3.0 * scores[y == 1]
    centres, scales = class_scales(scores, y, 2)
    of_all, own = centre_and_tail_scale(scores), centre_and_tail_scale(scores[y == 1])
    assert centres[1] == pytest.approx((n * own[0] + 60 * of_all[0]) / (n + 60))
    assert scales[1] == pytest.approx((n * own[1] + 200 * of_all[1]) / (n + 200))


def test_a_class_without_two_images_has_the_scale_of_all() -> None:
    scores, y = np.array([1.0, 2.0, 4.0, 90.0]), np.array([0, 0, 0, 1])
    centres, scales = class_scales(scores, y, 3)
    assert (centres[2], scales[2]) == centre_and_tail_scale(scores)
    assert (centres[1], scales[1]) == pytest.approx(centre_and_tail_scale(scores))


def test_scores_are_read_by_the_class_that_the_head_gives() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = standardised(np.array([3.0, 3.0, 5.0]), logits, [1.0, 3.0], [2.0, 4.0])
    np.testing.assert_array_equal(found, [1.0, 0.0, 0.5])


def test_one_centre_and_one_scale_may_stand_for_all_classes() -> None:
    logits = np.eye(3)
    found = standardised(np.array([1.0, 2.0, 5.0]), logits, 1.0, 2.0)
    np.testing.assert_array_equal(found, [0.0, 0.5, 2.0])


def test_a_varied_class_keeps_as_many_of_its_images_as_a_plain_one() -> None:
    """One class is spread four times as wide; by one scale for both it alone loses images."""
    rng = np.random.default_rng(1)

    def drawn(n: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        y = np.arange(n) % 2
        X = rng.normal(size=(n, 20)) * np.where(y == 0, 1.0, 4.0)[:, np.newaxis]
        X[:, 0] += np.where(y == 0, 12.0, -30.0)
        return {"last": X}, y

    (features, y), (new, of_new) = drawn(2000), drawn(4000)
    strategy = Blend()
    held_out = strategy.cross_fit(FoldedRows(features, y, np.arange(2000) % 5)).other_score
    scores = strategy.fit(features, y).score(new)
    rejected = scores.other_score > np.quantile(held_out, 0.9)
    by_class = [rejected[of_new == k].mean() for k in (0, 1)]
    logits = strategy.logits(new)
    one_scale = sum(
        np.logaddexp(0.0, standardised(part, logits, *centre_and_tail_scale(part)))
        for part in (
            -logits.max(axis=1),
            strategy.last_shape.other_score(new["last"]),
            strategy.last_neighbours.other_score(new["last"]),
        )
    )
    without = one_scale > np.quantile(one_scale, 0.9)
    gap = [without[of_new == 1].mean() - without[of_new == 0].mean(), by_class[1] - by_class[0]]
    assert abs(gap[1]) < 0.8 * abs(gap[0])


@pytest.mark.parametrize(
    "scaling",
    [
        "x",
        {"confidence": [0.0]},
        {"confidence": [0.0, 0.0]},
        {"confidence": [[0.0, None], [1.0, 1.0]]},
        {"confidence": [[0.0, 1.0], [1.0, float("nan")]]},
        {"confidence": [0.0, 1.0, "twice"]},
        {"confidence": 7},
    ],
    ids=str,
)
def test_invalid_scales_are_refused(scaling: Any) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `scaling`: must be a dict"):
        Blend(scaling=scaling)
