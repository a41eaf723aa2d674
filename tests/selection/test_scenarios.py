from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from outgroup._component import OTHER, UNSEEN
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.selection import select_strategy
from outgroup.selection.scenarios import MAX_SETS, scenarios, thinned
from outgroup.selection.unknowns import LEFT_OUT, NEGATIVES, SYNTHETIC
from outgroup.training_set import TrainingSet


def training_set(n_classes: int, n: int = 6, folders: int = 0, **more: Any) -> TrainingSet:
    """Classes "0", "1", ... of n rows each, and folders of 4 negatives each in two collections."""
    labels: list[str | None] = [str(k) for k in range(n_classes) for _ in range(n)]
    names = [f"folder {i}" for i in range(folders) for _ in range(4)]
    rows = np.arange(len(labels) + len(names), dtype=np.float64)[:, np.newaxis] + np.zeros(3)
    return TrainingSet.from_labels(
        {"last": rows},
        labels + [None] * len(names),
        origins=["data"] * len(labels) + names,
        collections=["data"] * len(labels) + [f"c{i // 4 % 2}" for i in range(len(names))],
        **more,
    )


def test_each_class_is_unknown_once_and_known_otherwise() -> None:
    data = training_set(3, folders=6)
    first, *others = scenarios(data, 3, seed=0)
    assert first.name == "all classes known"
    np.testing.assert_array_equal(first.rows.y, data.y)
    assert [scenario.name for scenario in others] == ["without 0", "without 1", "without 2"]
    for k, scenario in enumerate(others):
        left_out = data.y == k
        np.testing.assert_array_equal(np.flatnonzero(left_out), scenario.asked)
        assert (scenario.rows.y[left_out] == UNSEEN).all()
        assert (scenario.rows.y[data.y == OTHER] == OTHER).all()
        assert set(scenario.rows.y[(data.y >= 0) & ~left_out]) == {0, 1}
        assert set(scenario.unknowns.kind) == {LEFT_OUT}
        assert set(scenario.unknowns.source) == {str(k)}
        np.testing.assert_array_equal(scenario.rows.folds, first.rows.folds)


def test_leaving_out_makes_nothing_unknown_where_the_network_was_tuned_on_it() -> None:
    data = replace(training_set(3, folders=6), tuned=True)
    assert [scenario.name for scenario in scenarios(data, 3, seed=0)] == ["all classes known"]
    assert thinned(data, 8).tuned
    chosen, comparison, _ = select_strategy("auto", data)
    assert chosen.name == "blend"
    assert comparison is None
    assert select_strategy("sigmoid", data)[0].name == "sigmoid"


def test_many_classes_are_left_out_in_sets() -> None:
    data = training_set(12, n=3)
    others = list(scenarios(data, 3, seed=0))[1:]
    assert len(others) == MAX_SETS
    left_out = [set(scenario.unknowns.source) for scenario in others]
    assert sorted(name for names in left_out for name in names) == sorted(data.classes)
    assert all(len(set(scenario.unknowns.block)) == 1 for scenario in others)
    assert left_out == [set(s.unknowns.source) for s in list(scenarios(data, 3, seed=0))[1:]]


@pytest.mark.parametrize("n_classes", [1, 2])
def test_no_class_is_left_out_where_two_would_not_remain(n_classes: int) -> None:
    assert len(list(scenarios(training_set(n_classes, folders=6), 3, seed=0))) == 1


def test_negatives_are_reported_by_collection_and_drawn_by_folder() -> None:
    data = training_set(2, folders=12)
    (scenario,) = scenarios(data, 3, seed=0)
    unknowns = scenario.unknowns
    assert set(unknowns.kind) == {NEGATIVES}
    assert set(unknowns.source) == {"c0", "c1"}
    origins = np.array(data.origins)[scenario.asked]
    np.testing.assert_array_equal(unknowns.cluster, origins)
    # what was held out by one fold is one block
    fold = scenario.rows.folds[scenario.asked]
    for block in np.unique(unknowns.block):
        rows = unknowns.block == block
        assert len(set(fold[rows])) == len(set(unknowns.source[rows])) == 1


def test_probes_are_unseen_by_everything_and_in_no_other_scenario() -> None:
    probes = {"noise": {"last": np.full((4, 3), 7.0)}, "squares": {"last": np.full((2, 3), 8.0)}}
    data = training_set(3, folders=6, probes=probes)
    first, *others = scenarios(data, 3, seed=0)
    n = len(data.y)
    assert (first.rows.y[n:] == UNSEEN).all()
    np.testing.assert_array_equal(first.rows.features["last"][n:, 0], [7.0] * 4 + [8.0] * 2)
    synthetic = first.unknowns.kind == SYNTHETIC
    assert first.unknowns.source[synthetic].tolist() == ["noise"] * 4 + ["squares"] * 2
    assert all(len(scenario.rows.y) == n for scenario in others)


def test_groups_stay_together_and_are_counted_as_one() -> None:
    data = training_set(3, groups=[f"g{i // 2}" for i in range(18)])
    for scenario in scenarios(data, 3, seed=0):
        folds = scenario.rows.folds.reshape(-1, 2)
        np.testing.assert_array_equal(folds[:, 0], folds[:, 1])
        known = scenario.known(np.zeros((len(scenario.rows.y), 1)))
        assert known.n == scenario.rows.known.sum() // 2


def test_thinning_keeps_every_class_and_collection() -> None:
    data = training_set(2, n=400, folders=50, groups=[None] * 1000)
    fewer = thinned(data, 500, seed=0)
    assert [int((fewer.y == k).sum()) for k in (0, 1)] == [200, 200]
    assert fewer.collections is not None
    assert [fewer.collections.count(name) for name in ("c0", "c1")] == [50, 50]
    rows = fewer.features["last"][:, 0].astype(int)
    assert sorted(set(rows)) == rows.tolist()
    np.testing.assert_array_equal(fewer.y, data.y[rows])
    assert thinned(data, 1000) is data
    np.testing.assert_array_equal(thinned(data, 500, seed=0).y, fewer.y)


def test_thinning_takes_no_small_class_apart() -> None:
    data = TrainingSet.from_labels({"last": np.eye(1020, 2)}, ["rare"] * 20 + ["common"] * 1000)
    fewer = thinned(data, 100, seed=0)
    assert int((fewer.y == fewer.classes.index("rare")).sum()) == 20


def labelled(Y: np.ndarray, names: str = "abc", **more: Any) -> TrainingSet:
    X = np.arange(len(Y), dtype=np.float64)[:, np.newaxis] + np.zeros(3)
    return TrainingSet({"last": X}, label_targets(Y), LabelSchema.multi_label(names), **more)


COMBINATIONS = np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [0, 0, 0], [-1, 1, 0], [1, -1, 0]]
)


def test_images_with_a_left_out_label_are_not_learned_from() -> None:
    data = labelled(np.tile(COMBINATIONS, (4, 1)))
    first, *others = scenarios(data, 3, seed=0)
    np.testing.assert_array_equal(first.rows.targets, data.targets)
    np.testing.assert_array_equal(first.asked, np.flatnonzero((data.targets == OTHER).all(axis=1)))
    assert [scenario.name for scenario in others] == ["without a", "without b", "without c"]
    for k, scenario in enumerate(others):
        has = data.targets[:, k] == 0
        kept = [j for j in range(3) if j != k]
        assert scenario.rows.targets.shape == (len(data.targets), 2)
        assert (scenario.rows.targets[has] == UNSEEN).all()
        np.testing.assert_array_equal(scenario.rows.targets[~has], data.targets[~has][:, kept])


def test_images_of_left_out_labels_alone_are_the_unknown_ones() -> None:
    data = labelled(np.tile(COMBINATIONS, (4, 1)))
    _, *others = scenarios(data, 3, seed=0)
    for k, scenario in enumerate(others):
        kept = [j for j in range(3) if j != k]
        alone = (data.targets[:, k] == 0) & ~(data.targets[:, kept] == 0).any(axis=1)
        np.testing.assert_array_equal(scenario.asked, np.flatnonzero(alone))
        assert set(scenario.unknowns.kind) == {LEFT_OUT}
        assert set(scenario.unknowns.source) == {"abc"[k]}
        assert len(set(scenario.unknowns.block)) == 1
        known = scenario.known(np.zeros((len(data.targets), 2)), 1)
        assert known.n == (scenario.rows.targets[:, 1] == 0).sum()


def test_many_labels_are_left_out_in_sets_and_combinations_of_a_set_are_a_source() -> None:
    Y = np.vstack([np.eye(12, dtype=np.int64)] * 3)
    both = np.zeros((66, 12), dtype=np.int64)
    for row, pair in enumerate(combinations(range(12), 2)):
        both[row, pair] = 1
    data = labelled(np.vstack([Y, both]), "abcdefghijkl")
    _, *others = scenarios(data, 3, seed=0)
    assert len(others) == MAX_SETS
    for scenario in others:
        left_out = scenario.name.removeprefix("without ").split(", ")
        pairs = {f"{i}|{j}" for i in left_out for j in left_out if i < j}
        assert set(scenario.unknowns.source) == {*left_out, *pairs}


def test_labels_are_not_left_out_where_too_little_would_remain() -> None:
    rows = {
        "never alone": [[1, 1, 0], [1, 1, 1], [0, 0, 1], [0, 1, 1]],  # the first label
        "nothing without": [[1, 0, 0], [0, 1, 1], [0, 1, 1], [0, 0, 1]],
    }
    for four in rows.values():
        data = labelled(np.tile(np.array(four), (4, 1)))
        for scenario in list(scenarios(data, 3, seed=0))[1:]:
            assert len(scenario.asked)
            targets = scenario.rows.targets
            assert ((targets == 0).sum(axis=0) > 1).all()
            assert ((targets == OTHER).sum(axis=0) > 1).all()
    names = [
        s.name for s in scenarios(labelled(np.tile(np.array(rows["never alone"]), (4, 1))), 3, 0)
    ]
    assert "without a" not in names
    two = labelled(np.tile([[1, 0], [0, 1], [0, 0]], (4, 1)), "ab")
    assert len(list(scenarios(two, 3, seed=0))) == 1


def test_thinning_keeps_rare_labels() -> None:
    Y = np.zeros((1000, 3), dtype=np.int64)
    Y[:900, 0] = 1
    Y[:20, 1] = 1
    Y[500:, 2] = 1
    fewer = thinned(labelled(Y), 200, seed=0)
    assert (fewer.targets[:, 1] == 0).sum() == 20
    assert len(fewer.targets) < 300
