"""Ambiguous and unknown images, the training images kept for it, and the nearest of them."""

from __future__ import annotations

import gc
import pickle
import weakref

import numpy as np
import pytest

from outgroup._component import OTHER, UNSEEN
from outgroup.calibration.bounds import conformal_quantile
from outgroup.errors import InvalidParameterError
from outgroup.explain import (
    NeighbourTable,
    Reasons,
    References,
    as_directions,
    choose_references,
    learn_reasons,
    neighbour_count,
)
from outgroup.label_schema import LabelSchema, Output
from outgroup.model import Model, fit_model
from outgroup.predictions import Neighbour, Predictions
from outgroup.strategies import STRATEGIES
from outgroup.strategies.blend import Blend
from outgroup.training_set import TrainingSet

D = 24
#: All images have something in common, and classes differ in less, as embeddings of photos do.
CENTRES = 8 * np.eye(D)[0] + 5 * np.eye(D)[1:5]
NAMES = ("cat", "dog", "giraffe")
ANIMALS = LabelSchema.single(NAMES)
TWO = LabelSchema.single(NAMES[:2])


def draw(centre: np.ndarray, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, D)) + centre


def world(n: int = 120, seed: int = 0, n_classes: int = 3) -> TrainingSet:
    known = [draw(CENTRES[k], n, seed + k) for k in range(n_classes)]
    others = draw(-CENTRES[3], n, seed + 9)
    labels = [name for name in NAMES[:n_classes] for _ in range(n)]
    return TrainingSet.from_labels({"last": np.vstack([*known, others])}, labels + [None] * n)


def ask(model: Model, X: np.ndarray) -> Predictions:
    return model.predict({"last": X})


def learned(
    X: np.ndarray, y: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None
) -> Reasons:
    return learn_reasons(TWO, X, y[:, np.newaxis], y, scores, groups)


def share_ambiguous(answers: Predictions) -> float:
    assert answers.ambiguous is not None
    return float(answers.ambiguous.mean())


@pytest.fixture(
    scope="module", params=[name for name, cls in STRATEGIES if cls.needs_layers == ("last",)]
)
def model(request: pytest.FixtureRequest) -> Model:
    return fit_model(world(), STRATEGIES.get(request.param)())


def test_images_between_two_classes_are_ambiguous(model: Model) -> None:
    for a, b in ((0, 1), (0, 2), (1, 2)):
        between = (CENTRES[a] + CENTRES[b]) / 2
        (mean,) = ask(model, between[np.newaxis]).at(-1e9)
        assert (mean.reason, mean.label) == ("ambiguous", None)
        blends = (draw(CENTRES[a], 200, 50) + draw(CENTRES[b], 200, 60)) / 2
        assert share_ambiguous(ask(model, blends)) > 0.5


def test_images_far_from_all_classes_are_unknown(model: Model) -> None:
    for far in (-CENTRES[0], -CENTRES[0] - CENTRES[1], 8 * np.eye(D)[10], -8 * np.eye(D)[0]):
        answers = ask(model, draw(far, 200, 70)).at(-1e9)
        assert {answer.reason for answer in answers} == {"unknown"}
        assert share_ambiguous(answers) == 0.0


def test_images_of_one_class_are_rarely_ambiguous(model: Model) -> None:
    fresh = np.vstack([draw(CENTRES[k], 300, 80 + k) for k in range(3)])
    # two classes compete for 5 %, give or take: the limit comes from 360 images
    assert share_ambiguous(ask(model, fresh)) < 0.08


def test_a_reason_goes_with_the_threshold_and_the_label(model: Model) -> None:
    between = (CENTRES[0] + CENTRES[1]) / 2
    answers = ask(model, np.vstack([between, CENTRES[0], -CENTRES[0]]))
    assert [answer.reason for answer in answers.at(1e9)] == ["known"] * 3
    lowest = answers.at(-1e9)
    assert [answer.reason for answer in lowest] == ["ambiguous", "unknown", "unknown"]
    for t in (-1e9, *answers.other_score, 1e9):
        for answer in answers.at(float(t)):
            assert (answer.reason == "known") == (answer.label is not None)
            assert answer.other == (answer.other_score > t)
        assert list(answers.at(float(t)).nearest or ()) == list(answers.nearest or ())


def test_between_is_not_enough_if_it_is_far_from_one_of_the_two() -> None:
    model = fit_model(world(), Blend())
    between = 3 * (CENTRES[0] + CENTRES[1]) / 2
    sideways = np.linspace(0, 60, 40)[:, np.newaxis] * np.eye(D)[10]
    answers = ask(model, between + sideways)
    found = answers.ambiguous
    assert found is not None
    assert found[0]
    assert not found[-1]
    assert (np.diff(found.astype(int)) <= 0).all()  # it stops once, on the way out


def test_classes_must_compete_and_both_be_near() -> None:
    directions = as_directions(np.eye(3))
    targets = np.arange(3, dtype=np.int32)[:, np.newaxis]
    references = References(ANIMALS, directions, targets, ("a", "b", "c"))
    reasons = Reasons(references, closeness=np.array([0.5]), reach=np.array([0.3, 0.3, 0.1]))
    between = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0.1, 0], [0, 1, 1], [0, 0, 0]])
    scores = np.array(
        [[0.4, 0.3, 0], [0.4, 0.1, 0], [0.4, 0, 0.3], [0.4, 0.3, 0], [0, 0.4, 0.3], [0, 0, 0]]
    )
    found = reasons.ambiguous(scores, as_directions(between))
    assert found.tolist() == [True, False, False, False, False, False]


def test_one_class_competes_with_none() -> None:
    model = fit_model(world(n_classes=1), Blend())
    answers = ask(model, np.vstack([CENTRES, -CENTRES]))
    assert share_ambiguous(answers) == 0.0
    assert {answer.reason for answer in answers} <= {"known", "unknown"}


def test_the_limits_are_those_of_held_out_images() -> None:
    rng = np.random.default_rng(0)
    X, y = np.vstack([draw(CENTRES[k], 400, k) for k in range(2)]), np.repeat([0, 1], 400)
    scores = rng.uniform(size=(800, 2))
    reasons = learned(X, y, scores)
    ratio = scores.min(axis=1) / scores.max(axis=1)
    assert (ratio <= reasons.closeness[0]).mean() == pytest.approx(0.95, abs=0.002)
    fresh = np.vstack([draw(CENTRES[k], 4000, 10 + k) for k in range(2)])
    distances = reasons.references.class_distances(as_directions(fresh))
    for k in range(2):
        own = distances[4000 * k : 4000 * (k + 1), k]
        # of new images, 1 % give or take: the limit comes from 400 of them
        assert 0.978 < (own <= reasons.reach[k]).mean() < 0.999


def test_negatives_do_not_change_the_limits() -> None:
    X, y = np.vstack([draw(CENTRES[k], 50, k) for k in range(3)]), np.repeat([0, 1, -1], 50)
    scores = np.random.default_rng(0).uniform(size=(150, 2))
    one = learned(X, y, scores)
    two = learned(X[:100], y[:100], scores[:100])
    np.testing.assert_array_equal(one.closeness, two.closeness)
    np.testing.assert_allclose(one.reach, two.reach, atol=1e-6)


def test_images_of_one_burst_do_not_make_the_reach_small() -> None:
    X = np.repeat(np.vstack([draw(CENTRES[k], 30, k) for k in range(2)]), 5, axis=0)
    X += 0.01 * np.random.default_rng(0).normal(size=X.shape)
    y, bursts = np.repeat([0, 1], 150), np.arange(300) // 5
    scores = np.tile([0.9, 0.1], (300, 1))
    with_groups = learned(X, y, scores, bursts)
    without = learned(X, y, scores)
    assert (without.reach < 0.01).all()
    assert (with_groups.reach > 0.1).all()


def test_a_class_of_images_all_alike_has_no_reach() -> None:
    X = np.vstack([np.tile(CENTRES[0], (10, 1)), draw(CENTRES[1], 10, 1)])
    scores = np.full((20, 2), 0.5)
    reasons = learned(X, np.repeat([0, 1], 10), scores)
    assert reasons.reach[0] == 0.0
    assert reasons.reach[1] > 0.0


def test_a_new_value_is_at_most_the_quantile_with_its_probability() -> None:
    rng = np.random.default_rng(0)
    kept = [rng.normal() <= conformal_quantile(rng.normal(size=39), 0.95) for _ in range(4000)]
    assert 0.938 < np.mean(kept) < 0.962  # 38 of 39 + 1: 95 %, in 3.5 standard errors


def test_classes_compete_within_one_output_only() -> None:
    """Two labels and a column: labels never compete, and values of the column do."""
    schema = LabelSchema(
        (Output("cat", ("cat",)), Output("dog", ("dog",)), Output("size", ("L", "S")))
    )
    targets = np.array([[0, OTHER, 0], [OTHER, 0, 1], [0, 0, UNSEEN]], dtype=np.int32)
    references = References(schema, as_directions(np.eye(3)), targets, ("a", "b", "c"))
    reasons = Reasons(references, np.array([0.0, 0.0, 0.5]), np.array([0.3, 0.3, 0.3, 0.3]))
    between = as_directions(np.array([[1.0, 1.0, 0.0]] * 4))
    scores = np.array(
        [[0.9, 0.9, 0.5, 0.4], [0.9, 0.9, 0.9, 0.1], [0.1, 0.1, 0.5, 0.4], [0.9, 0.9, 0.0, 0.0]]
    )
    assert reasons.ambiguous(scores, between).tolist() == [True, False, True, False]
    near_one = as_directions(np.array([[1.0, 0.0, 0.0]]))
    assert not reasons.ambiguous(scores[:1], near_one)[0]
    found = reasons.reached(np.array([[1.0, 0, 0]] * 4), np.arange(4))
    assert found.tolist() == [True, False, True, False]


def test_limits_of_a_column_come_from_the_images_that_are_labelled_in_it() -> None:
    rng = np.random.default_rng(0)
    schema = LabelSchema.columns({"animal": NAMES, "size": ["L", "S"]})
    X = np.vstack([draw(CENTRES[k], 100, k) for k in range(3)])
    targets = np.stack([np.repeat([0, 1, 2], 100), np.arange(300) % 2], axis=1)
    targets[:150, 1] = UNSEEN
    scores = rng.uniform(size=(300, 5))
    scores[:150, 3:] = np.nan
    reasons = learn_reasons(schema, X, targets, targets[:, 0], scores)
    alone = learn_reasons(
        LabelSchema.single("LS"), X[150:], targets[150:, 1:], targets[150:, 1], scores[150:, 3:]
    )
    assert reasons.closeness[1] == alone.closeness[0]
    np.testing.assert_allclose(reasons.reach[3:], alone.reach, atol=1e-6)
    animals = learn_reasons(ANIMALS, X, targets[:, :1], targets[:, 0], scores[:, :3])
    assert reasons.closeness[0] == animals.closeness[0]
    np.testing.assert_allclose(reasons.reach[:3], animals.reach, atol=1e-6)


def test_rows_that_do_not_calibrate_do_not_change_what_is_close() -> None:
    rng = np.random.default_rng(0)
    X, y = np.vstack([draw(CENTRES[k], 50, k) for k in range(2)]), np.repeat([0, 1], 50)
    scores = rng.uniform(size=(100, 2))
    calibrates = np.arange(100) % 2 == 0
    scores[~calibrates] = 0.5  # as close as can be
    found = learn_reasons(TWO, X, y[:, np.newaxis], y, scores, calibrates=calibrates)
    few = learned(X[calibrates], y[calibrates], scores[calibrates])
    np.testing.assert_array_equal(found.closeness, few.closeness)


# The training images that are kept.


def drawn(n: int = 200, d: int = 64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(-1, 2, n)
    return rng.gamma(0.5, size=(n, d)) + 2 * np.eye(3, d)[y], y


def kept(n: int = 200, d: int = 64, limit: int = 10_000, seed: int = 0) -> References:
    X, y = drawn(n, d, seed)
    return choose(X, y, [f"{i}.jpg" for i in range(n)], limit)[0]


def choose(
    X: np.ndarray, y: np.ndarray, paths: list[str] | None = None, limit: int = 10_000
) -> tuple[References, np.ndarray]:
    return choose_references(TWO, X, y[:, np.newaxis], y, paths, limit)


def cosine_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    A, B = (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (A, B))
    return 1 - A @ B.T


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_distances_are_one_less_the_cosine_up_to_some_thousandths(scale: float) -> None:
    X, _ = drawn()
    new, _ = drawn(n=50, seed=1)
    exact = cosine_distances(new, X)
    errors = []
    for one, few in zip(exact, kept().nearest(as_directions(scale * new), 5), strict=True):
        assert [near.distance for near in few] == sorted(near.distance for near in few)
        errors += [near.distance - one[int(str(near.path)[:-4])] for near in few]
        np.testing.assert_allclose([near.distance for near in few], np.sort(one)[:5], atol=6e-3)
    assert np.abs(errors).max() < 6e-3
    assert np.abs(errors).mean() < 2e-3


def test_a_training_image_is_nearest_to_itself() -> None:
    X, y = drawn()
    for i, (near,) in enumerate(kept().nearest(as_directions(X), 1)):
        assert (near.path, near.distance) == (f"{i}.jpg", 0.0)
        assert near.label == ("cat", "dog", None)[y[i]]


def test_without_paths_rows_are_named() -> None:
    X, y = drawn()
    references, positions = choose(X, y)
    found = references.nearest(as_directions(X), 1)
    assert [near.row for (near,) in found] == list(range(len(X)))
    assert {near.path for (near,) in found} == {None}
    np.testing.assert_array_equal(references.directions, as_directions(X)[positions])


def test_there_are_no_more_neighbours_than_references() -> None:
    new = as_directions(drawn(n=3, seed=1)[0])
    references = kept(n=4)
    assert [len(set(few)) for few in references.nearest(new, 9)] == [4] * 3
    assert references.nearest(new, 0) == [()] * 3
    assert references.nearest(new[:0], 2) == []


def test_distance_to_each_class_is_that_to_its_nearest_reference() -> None:
    X, y = drawn()
    new, _ = drawn(n=50, seed=1)
    exact = cosine_distances(new, X)
    expected = np.stack([exact[:, y == k].min(axis=1) for k in (0, 1)], axis=1)
    np.testing.assert_allclose(kept().class_distances(as_directions(new)), expected, atol=6e-3)
    only_dogs = choose(X[y != 0], y[y != 0])[0]
    found = only_dogs.class_distances(as_directions(new))
    assert np.isinf(found[:, 0]).all()
    np.testing.assert_allclose(found[:, 1], expected[:, 1], atol=6e-3)


def test_no_other_of_its_class_is_itself_or_of_its_group() -> None:
    X, y = drawn()
    order = np.argsort(y, kind="stable")
    targets = y[order, np.newaxis].astype(np.int32)
    references = References(TWO, as_directions(X[order]), targets, ())
    cats = X[y == 0]
    exact = cosine_distances(cats, cats)
    np.fill_diagonal(exact, np.inf)
    np.testing.assert_allclose(references.distances_within(0), exact.min(axis=1), atol=6e-3)
    pairs = np.arange(len(cats)) // 2
    groups = np.r_[np.full((y < 0).sum(), -1), pairs, np.full((y == 1).sum(), -2)]
    exact[pairs[:, np.newaxis] == pairs] = np.inf
    found = references.distances_within(0, groups)
    np.testing.assert_allclose(found, exact.min(axis=1), atol=6e-3)
    assert len(references.distances_within(1, groups)) == 0  # all of one group


def test_the_same_direction_is_kept_once_a_class() -> None:
    X = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, 2.0], [1.0, 2.0], [2.0, 1.0]])
    references, positions = choose(X, np.array([0, 0, 1, -1, 0]), list("abcde"))
    assert positions[:1].tolist() == [3]
    assert set(positions.tolist()) == {0, 2, 3, 4}
    assert references.targets[:, 0].tolist() == [-1, 0, 0, 1]


def test_beyond_the_limit_every_class_keeps_its_share() -> None:
    rng = np.random.default_rng(0)
    y = np.r_[np.full(500, -1), np.zeros(300, int), np.ones(20, int)]
    X = rng.normal(size=(len(y), 8))
    references, positions = choose(X, y, limit=120)
    assert np.bincount(references.targets[:, 0] + 1).tolist() == [50, 50, 20]
    np.testing.assert_array_equal(y[positions], references.targets[:, 0])
    # not the first ones, nor of one end: a choice as good as drawn
    assert 100 < positions[references.targets[:, 0] == -1].mean() < 400
    assert len(choose(X, y, limit=1)[1]) == 3


def test_the_order_of_the_images_plays_no_part() -> None:
    X, y = drawn(n=300)
    paths = [f"{i}.jpg" for i in range(300)]
    order = np.random.default_rng(2).permutation(300)
    for limit in (10_000, 40):
        one, _ = choose(X, y, paths, limit)
        two, _ = choose(X[order], y[order], [paths[i] for i in order], limit)
        assert one.paths == two.paths
        np.testing.assert_array_equal(one.directions, two.directions)
        np.testing.assert_array_equal(one.targets, two.targets)


def test_numbers_of_any_size_and_rows_of_zeros_do_no_harm() -> None:
    X = np.array([[0.0, 0.0], [1e300, 1e300], [5e-324, 0.0], [-1.0, 0.0]])
    directions = as_directions(X)
    assert directions.tolist() == [[0, 0], [127, 127], [127, 0], [-127, 0]]
    references, _ = choose(X, np.array([0, 0, 1, 1]))
    (of_zeros, *_) = references.nearest(directions, 4)
    assert {near.distance for near in of_zeros} == {1.0}
    assert np.isfinite(references.class_distances(directions)).all()


def test_the_size_of_the_batch_plays_no_part() -> None:
    references, new = kept(), as_directions(drawn(n=1500, seed=1)[0])
    at_once = references.nearest(new, 3)
    for i in (0, 700, 1499):
        assert references.nearest(new[i : i + 1], 3) == [at_once[i]]
    np.testing.assert_allclose(
        references.class_distances(new[1400:]), references.class_distances(new)[1400:], atol=1e-6
    )


def test_what_is_computed_from_the_references_is_not_pickled_with_them() -> None:
    references, new = kept(), as_directions(drawn(n=5, seed=1)[0])
    size = len(pickle.dumps(references))
    expected = references.nearest(new, 3)
    assert len(pickle.dumps(references)) == size
    assert pickle.loads(pickle.dumps(references)).nearest(new, 3) == expected


def test_references_of_several_outputs_are_kept_evenly_by_their_strata_with_all_classes() -> None:
    rng = np.random.default_rng(0)
    schema = LabelSchema.multi_label(["cat", "dog"])
    targets = np.where(rng.random((400, 2)) < [0.9, 0.1], 0, OTHER)
    strata = np.where(targets[:, 1] == 0, 1, targets[:, 0])
    references, kept = choose_references(
        schema, rng.normal(size=(400, 8)), targets, strata, limit=90
    )
    assert len(kept) == 90
    counts = np.unique(strata[kept], return_counts=True)[1]
    assert counts.max() - counts.min() <= 4
    np.testing.assert_array_equal(references.targets, targets[kept])
    assert {*references.labels} == {"cat", "dog", "cat|dog", None}


# The nearest training images.


class Counting:
    """Names the first number of each direction, and keeps how many were asked for at a time."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, directions: np.ndarray) -> list[tuple[Neighbour, ...]]:
        self.asked.append(len(directions))
        return [(Neighbour(f"{row[0]}.jpg", "cat", 0.5),) for row in directions]


def table(look_up: Counting, n: int = 4) -> NeighbourTable:
    directions = np.arange(2 * n, dtype=np.int8).reshape(n, 2)
    return NeighbourTable(look_up, directions, np.arange(n) != 1)


def paths(of_images: object) -> list[list[str | None]]:
    return [[near.path for near in few] for few in of_images]  # type: ignore[attr-defined]


def test_nothing_is_looked_up_until_it_is_asked_for() -> None:
    look_up = Counting()
    rows = list(table(look_up))
    tail = table(look_up)[2:]
    assert look_up.asked == []
    assert (len(rows), len(tail)) == (4, 2)


def test_images_of_a_table_are_looked_up_together_and_once() -> None:
    look_up = Counting()
    whole = table(look_up)
    expected = [["0.jpg"], [], ["4.jpg"], ["6.jpg"]]
    assert [paths([few])[0] for few in whole] == expected
    assert paths(whole) == expected
    assert look_up.asked == [3]
    assert paths(whole.found()) == expected
    assert look_up.asked == [3]


def test_unreadable_images_are_not_looked_up() -> None:
    look_up = Counting()
    assert len(table(look_up)[1]) == 0
    assert look_up.asked == []


def test_slices_and_negative_positions_are_those_of_a_sequence() -> None:
    whole = table(Counting())
    assert paths(whole[2:]) == [["4.jpg"], ["6.jpg"]]
    assert paths(whole[::-1]) == [["6.jpg"], ["4.jpg"], [], ["0.jpg"]]
    assert paths([whole[-1]]) == [["6.jpg"]]
    with pytest.raises(IndexError):
        whole[4]


def test_a_row_that_is_kept_holds_nothing_of_the_others() -> None:
    look_up = Counting()
    whole = table(look_up, n=100)
    row, gone, large = whole[7], weakref.ref(whole), weakref.ref(whole.directions)
    del whole
    gc.collect()
    assert gone() is None
    assert large() is None
    assert paths([row]) == [["14.jpg"]]
    assert paths([row]) == [["14.jpg"]]
    assert look_up.asked == [1]


def test_a_row_is_like_a_tuple() -> None:
    row = table(Counting())[0]
    expected = (Neighbour("0.jpg", "cat", 0.5),)
    assert row == expected
    assert expected == row
    assert row == table(Counting())[0]
    assert row != table(Counting())[2]
    assert row != ()
    assert (row[0], row[-1:], len(row)) == (expected[0], expected, 1)
    assert repr(row) == repr(expected)
    assert expected[0] in row
    copy = pickle.loads(pickle.dumps(row))
    assert type(copy) is tuple
    assert copy == expected


@pytest.mark.parametrize("bad", [-1, 1.0, True, "5", None])
def test_the_number_of_neighbours_is_a_whole_one(bad: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `nearest`: must be a whole number"):
        neighbour_count(bad)
    assert neighbour_count(np.int64(0)) == 0
