import numpy as np
import pytest

from outgroup.selection.unknowns import (
    LEFT_OUT,
    NEGATIVES,
    Unknowns,
    choose,
    choose_nested,
)


def unknowns(*parts: tuple[str, str, list[str], int]) -> Unknowns:
    """Make unknowns of (kind, source, clusters, images in each cluster); a block a source."""
    rows = [(k, s, c, s) for k, s, clusters, n in parts for c in clusters for _ in range(n)]
    return Unknowns(*(np.array(column) for column in zip(*rows, strict=True)))


def share_of_each(unknown: Unknowns, shares: dict[str, float]) -> np.ndarray:
    """Accept the given share of the images of each cluster, the first ones."""
    accepted = np.zeros(len(unknown), dtype=bool)
    for cluster, share in shares.items():
        rows = np.flatnonzero(unknown.cluster == cluster)
        accepted[rows[: round(share * len(rows))]] = True
    return accepted


def test_kinds_weigh_the_same_and_sources_within_them_too() -> None:
    unknown = unknowns(
        (LEFT_OUT, "cat", ["cat"], 10),
        (LEFT_OUT, "dog", ["dog"], 30),
        (NEGATIVES, "pool", ["p"], 5),
    )
    weights = unknown.weights()
    assert weights.sum() == pytest.approx(1.0)
    assert weights[unknown.source == "cat"].sum() == pytest.approx(0.25)
    assert weights[unknown.source == "dog"].sum() == pytest.approx(0.25)
    assert weights[unknown.source == "pool"].sum() == pytest.approx(0.5)
    some = unknown.weights(unknown.source != "cat")
    assert some[unknown.source == "cat"].sum() == 0.0
    assert some[unknown.source == "dog"].sum() == pytest.approx(0.5)


def test_the_standard_error_is_that_of_a_mean_over_classes_however_many_images() -> None:
    values = np.array([0.1, 0.3, 0.2, 0.6])
    for n in (10, 1000):
        unknown = unknowns(*((LEFT_OUT, c, [c], n) for c in "abcd"))
        accepted = share_of_each(unknown, dict(zip("abcd", values, strict=True)))
        assert unknown.mean(accepted) == pytest.approx(values.mean())
        assert unknown.standard_error(accepted) == pytest.approx(values.std(ddof=1) / 2)


def test_the_standard_error_of_one_folder_is_that_of_its_images() -> None:
    unknown = unknowns((NEGATIVES, "pool", ["pool"], 400))
    accepted = share_of_each(unknown, {"pool": 0.1})
    assert unknown.standard_error(accepted) == pytest.approx(np.sqrt(0.1 * 0.9 / 399))


@pytest.mark.slow
def test_the_standard_error_covers_the_mean_of_new_clusters() -> None:
    rng = np.random.default_rng(0)
    unknown = unknowns((NEGATIVES, "pool", [f"folder {i}" for i in range(30)], 20))
    covered = []
    for _ in range(400):
        shares = rng.beta(1, 4, 30)  # folders differ; 1/5 on average
        accepted = rng.random(len(unknown)) < np.repeat(shares, 20)
        error = unknown.standard_error(accepted)
        covered.append(abs(unknown.mean(accepted) - 0.2) < 1.96 * error)
    assert 0.90 < np.mean(covered) < 0.985


FOLDERS = [f"folder {i}" for i in range(40)]
MANY = unknowns((NEGATIVES, "pool", FOLDERS, 50))
FEW = unknowns(*((LEFT_OUT, c, [c], 50) for c in "abc"))


def test_the_best_is_chosen_where_it_is_clearly_better() -> None:
    bad = share_of_each(MANY, dict.fromkeys(FOLDERS, 0.4))
    good = share_of_each(MANY, dict.fromkeys(FOLDERS, 0.1))
    assert choose([bad, good], MANY) == choose([bad, good], MANY, default=0) == 1


def test_of_equals_the_simpler_is_chosen() -> None:
    same = share_of_each(MANY, dict.fromkeys(FOLDERS, 0.1))
    assert choose([same, same, same], MANY, default=2) == 0


@pytest.mark.parametrize(("share", "taken"), [(0.3, 0), (0.004, 1)])
def test_a_difference_too_small_to_matter_is_none(share: float, taken: int) -> None:
    """A tenth of a point is nothing beside thirty, and a lot beside less than half a point."""
    every = unknowns((NEGATIVES, "pool", [f"folder {i}" for i in range(400)], 50))
    good = np.arange(len(every)) % 1000 < 1000 * share
    almost = good | (np.arange(len(every)) % 1000 == 999)
    assert choose([almost, good], every, default=1) == taken


def test_where_little_is_shown_the_default_is_kept() -> None:
    """Three classes that disagree say nothing: neither the luckier nor the simpler is taken."""
    default = share_of_each(FEW, {"a": 0.1, "b": 0.2, "c": 0.0})
    luckier = share_of_each(FEW, {"a": 0.0, "b": 0.0, "c": 0.2})
    assert choose([luckier, default], FEW, default=1) == 1
    assert choose([luckier, default], FEW) == 0


@pytest.mark.parametrize(
    ("shares", "taken"),
    [({"a": 0.1, "b": 0.2, "c": 0.3}, 0), ({"a": 0.2, "b": 0.3, "c": 0.4}, 1)],
)
def test_the_default_gives_way_to_what_is_clearly_better(
    shares: dict[str, float], taken: int
) -> None:
    """Fewer by 0.3, 0.2 and 0.1, or by 0.2, 0.1 and 0.0: 0.2 or 0.1, with an error of 0.06."""
    default = share_of_each(FEW, dict.fromkeys("abc", 0.4))
    assert choose([share_of_each(FEW, shares), default], FEW, default=1) == taken


def test_classes_that_agree_by_chance_show_nothing() -> None:
    """Both accept one image in ten of each class, but not the same ones."""
    simple = share_of_each(FEW, dict.fromkeys("abc", 0.1))
    default = simple.reshape(3, 50)[:, ::-1].ravel()
    assert choose([simple, default], FEW, default=1) == 1


def test_few_images_that_are_answered_alike_show_nothing() -> None:
    """Of the 150 that neither accepts the next may be accepted by one: more than is negligible."""
    none = np.zeros(len(FEW), dtype=bool)
    assert choose([none, none], FEW, default=1) == 1
    many = unknowns(*((LEFT_OUT, c, [c], 5_000) for c in "abc"))
    alike = share_of_each(many, dict.fromkeys("abc", 0.5))
    assert choose([alike, alike], many, default=1) == 0


def test_what_is_better_by_a_lucky_threshold_is_not_better() -> None:
    """The threshold of the one accepts nothing, or by other known images four unknowns in ten."""
    many = unknowns(*((LEFT_OUT, c, [c], 50) for c in "abcdefgh"))
    default = np.tile(share_of_each(many, dict.fromkeys("abcdefgh", 0.3))[:, np.newaxis], 64)
    lucky = share_of_each(many, dict.fromkeys("abcdefgh", 0.4))[:, np.newaxis] & (
        np.arange(64) % 2 == 1
    )
    assert choose([np.zeros_like(lucky), default], many, default=1) == 0
    assert choose([lucky, default], many, default=1) == 1
    assert many.standard_error(lucky) > 0.19 > 0.03 > many.standard_error(default)


def test_the_upper_bound_on_a_difference_holds_for_new_images() -> None:
    """What two strategies answer differently once in 200 images is often not seen in 100."""
    rng = np.random.default_rng(0)
    unknown = unknowns((NEGATIVES, "x", [f"image {i}" for i in range(100)], 1))
    bounds = [unknown.upper_bound((rng.random(100) < 0.005) * 1.0, 0.84) for _ in range(400)]
    assert np.mean(np.array(bounds) >= 0.005) >= 0.84
    assert unknown.uncertainty(np.zeros(100), 0.84) == 0.0  # which alone would not cover it


def test_one_class_that_differs_is_one_standard_error_and_not_enough() -> None:
    """However much better another strategy is on one class of three, two know of no difference."""
    default = share_of_each(FEW, {"a": 0.9, "b": 0.1, "c": 0.1})
    better_on_one = share_of_each(FEW, {"a": 0.0, "b": 0.1, "c": 0.1})
    assert choose([better_on_one, default], FEW, default=1) == 1
    better_on_all = share_of_each(FEW, {"a": 0.5, "b": 0.0, "c": 0.0})
    assert choose([better_on_all, default], FEW, default=1) == 0


def test_a_choice_that_may_not_look_at_rows_does_not() -> None:
    both = unknowns((NEGATIVES, "x", ["x"], 50), (NEGATIVES, "y", ["y"], 50))
    on_x, on_y = (share_of_each(both, {name: 1.0}) for name in "xy")
    assert choose([on_x, on_y], both, rows=both.source == "x") == 1
    assert choose([on_x, on_y], both, rows=both.source == "y") == 0


def test_the_nested_figure_is_free_of_the_luck_of_the_winner() -> None:
    """Of many strategies that only differ by luck the winner looks better than it will be."""
    rng = np.random.default_rng(0)
    unknown = unknowns(*((NEGATIVES, f"source {i}", [f"source {i}"], 20) for i in range(10)))
    winners, nested = [], []
    for _ in range(30):
        accepted = [rng.random(len(unknown)) < 0.3 for _ in range(20)]
        winners.append(unknown.mean(accepted[choose(accepted, unknown)]))
        taken = choose_nested(accepted, unknown)
        nested.append(unknown.mean(np.array(accepted)[taken, np.arange(len(unknown))]))
    assert np.mean(winners) < 0.27
    assert abs(np.mean(nested) - 0.3) < 0.015
