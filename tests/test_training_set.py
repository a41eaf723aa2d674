"""Embeddings with what is known about them, checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outgroup._component import OTHER, UNSEEN
from outgroup.errors import InvalidDataError
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.training_set import TrainingSet

LABELS = LabelSchema.multi_label(["a", "b", "c"])


def rows(n: int = 40) -> tuple[np.ndarray, list[str]]:
    return np.random.default_rng(0).normal(size=(3 * n, 8)), [k for k in "abc" for _ in range(n)]


def training_set(n: int = 40, **more: Any) -> TrainingSet:
    X, labels = rows(n)
    return TrainingSet.from_labels({"last": X}, labels, **more)


def test_calibrates_has_an_entry_for_each_image() -> None:
    with pytest.raises(
        InvalidDataError, match="`calibrates`: must have an entry for each of the 120 im"
    ):
        replace(training_set(), calibrates=np.ones(3, dtype=bool))


def test_classes_are_sorted_by_name_and_are_plain_strings() -> None:
    data = TrainingSet.from_labels({"last": np.eye(6)}, list(np.array(["b", "a", "c"] * 2)))
    assert data.classes == ("a", "b", "c")
    assert all(type(name) is str for name in data.classes)
    assert data.y.tolist() == [1, 0, 2] * 2


def test_other_is_only_what_has_no_label() -> None:
    labels = ["other", "None", None, "other", "None"]
    data = TrainingSet.from_labels({"last": np.eye(5)}, labels)
    assert data.classes == ("None", "other")
    assert data.y.tolist() == [1, 0, -1, 1, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_counted(bad: float) -> None:
    X, labels = rows()
    X[[3, 7], 2] = bad
    with pytest.raises(InvalidDataError, match=r"'last' of the embeddings has NaN or inf.* 2 rows"):
        TrainingSet.from_labels({"last": X}, labels)


def test_there_must_be_a_known_image() -> None:
    with pytest.raises(InvalidDataError, match="no known images: every label is empty"):
        TrainingSet.from_labels({"last": np.eye(3)}, [None] * 3)


def test_no_images_are_refused() -> None:
    for schema in (LABELS, LabelSchema.single("abc")):
        nothing = np.empty((0, len(schema.outputs)), dtype=np.int64)
        for targets in (nothing, nothing[:, 0]) if schema.is_single else (nothing,):
            with pytest.raises(InvalidDataError, match="no known images"):
                TrainingSet({"last": np.empty((0, 4))}, targets, schema)


def test_a_class_of_one_is_named() -> None:
    with pytest.raises(InvalidDataError, match=r"are 1 readable images of class 'b'\. At least 2"):
        TrainingSet.from_labels({"last": np.eye(3)}, ["a", "a", "b"])


def test_a_class_that_is_all_one_group_can_not_be_held_out() -> None:
    with pytest.raises(InvalidDataError, match=r"'b' are of one group\. At least 2 groups"):
        TrainingSet.from_labels({"last": np.eye(4)}, ["a", "a", "b", "b"], [None, None, "g", "g"])


@pytest.mark.parametrize("what", ["groups", "origins", "paths", "collections"])
def test_what_is_known_of_each_image_has_an_entry_for_each(what: str) -> None:
    with pytest.raises(InvalidDataError, match=f"`{what}`: must have an entry for each of the 4 i"):
        TrainingSet.from_labels({"last": np.eye(4)}, ["a", "a", "b", "b"], **{what: ["x"] * 3})


def test_every_layer_has_a_row_for_each_label() -> None:
    layers = {"last": np.eye(4), "second_last": np.eye(5)}
    with pytest.raises(
        InvalidDataError, match=r"'second_last' .* one row for each of the 4 labels"
    ):
        TrainingSet.from_labels(layers, ["a", "a", "b", "b"])


def test_a_bound_counts_groups_and_images_without_one() -> None:
    assert training_set().units is None
    assert training_set(groups=[None] * 120).units is None
    units = training_set(groups=["g", "g", None] * 40).units
    assert units is not None
    assert len(np.unique(units)) == 41


def test_embeddings_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(InvalidDataError, match=r"embeddings of all 4 images are the same.*blank"):
        TrainingSet.from_labels({"last": np.ones((4, 3))}, ["a", "a", "b", "b"])


def test_classes_that_are_known_already_need_no_image_each() -> None:
    data = TrainingSet.from_labels({"last": np.eye(3)}, ["b", "b", None], classes=("c", "b"))
    assert data.classes == ("b", "c")
    assert data.y.tolist() == [0, 0, -1]
    with pytest.raises(InvalidDataError, match=r"labelled 'a', and the classes are 'b', 'c'\."):
        TrainingSet.from_labels({"last": np.eye(3)}, ["a", "b", None], classes=("c", "b"))


def test_labels_that_nothing_can_be_learned_of_are_refused() -> None:
    rng = np.random.default_rng(0)
    features, Y = {"last": rng.normal(size=(90, 4))}, (rng.random((90, 3)) < 0.4).astype(np.int64)

    def labelled(Y: np.ndarray, **more: Any) -> TrainingSet:
        return TrainingSet(features, label_targets(Y), LABELS, **more)

    alone = Y.copy()
    alone[:, 1] = 0
    alone[0, 1] = 1
    with pytest.raises(InvalidDataError, match="There are 1 readable images of label 'b'"):
        labelled(alone)
    always = Y.copy()
    always[1:, 2] = 1
    with pytest.raises(InvalidDataError, match=r"Fewer than 2 readable images are without .*'c'"):
        labelled(always)
    with pytest.raises(InvalidDataError, match="All images of label 'a' are of one group"):
        labelled(Y, groups=["g" if row[0] else None for row in Y])
    with pytest.raises(InvalidDataError, match="matrix of 1, 0 and -1"):
        labelled(Y + 1)
    with pytest.raises(InvalidDataError, match="one row for each of the 89 labels"):
        labelled(Y[:-1])
    with pytest.raises(
        InvalidDataError, match=r"a column for each of 3 outputs, got shape \(90, 2"
    ):
        TrainingSet(features, label_targets(Y[:, :2]), LABELS)
    with pytest.raises(InvalidDataError, match="class indices, -1 or -2, got values from -1 to 1"):
        TrainingSet(features, np.where(Y == 1, 1, OTHER), LABELS)
    broken = {"last": features["last"].copy()}
    broken["last"][0, 0] = np.inf
    with pytest.raises(InvalidDataError, match="NaN or infinite"):
        TrainingSet(broken, label_targets(Y), LABELS)


def test_parts_are_what_each_strategy_learns_from() -> None:
    schema = LabelSchema((*LABELS.outputs[:1], *LabelSchema.columns({"size": ["L", "S"]}).outputs))
    targets = np.array([[0, 0], [OTHER, UNSEEN], [UNSEEN, 1], [0, 1], [OTHER, 0], [OTHER, OTHER]])
    data = TrainingSet(
        {"last": np.eye(6)}, targets, schema, groups=list("uvwxyz"), paths=list("abcdef")
    )
    (name, labels), (column, sizes) = data.parts()
    assert (name, column) == ("", "size")
    assert labels.targets.tolist() == [[0], [OTHER], [0], [OTHER], [OTHER]]
    assert sizes.targets.tolist() == [[0], [1], [1], [0], [OTHER]]
    assert (labels.paths, sizes.groups) == (["a", "b", "d", "e", "f"], ["u", "w", "x", "y", "z"])
    assert [part.schema.outputs for part in (labels, sizes)] == [(o,) for o in schema.outputs]
    np.testing.assert_array_equal(sizes.features["last"], np.eye(6)[[0, 2, 3, 4, 5]])


def test_known_and_negative_images_are_those_of_all_outputs() -> None:
    targets = np.array([[0, 0], [0, UNSEEN], [OTHER, UNSEEN], [OTHER, OTHER], [UNSEEN, 0]])
    schema = LabelSchema.multi_label(["a", "b"])
    data = TrainingSet({"last": np.eye(5)}, targets, schema, learned_from=False)
    assert data.known.tolist() == [True, True, False, False, True]
    assert data.negative.tolist() == [False, False, False, True, False]
    assert data.n_known == (2, "images")


def test_folds_spread_each_label_and_hold_folders_of_negatives_out_whole() -> None:
    rng = np.random.default_rng(0)
    Y = np.vstack([rng.random((100, 3)) < [0.9, 0.5, 0.1], np.zeros((50, 3))]).astype(np.int64)
    Y[:100, 0] |= Y[:100].sum(axis=1) == 0
    origins = ["photos"] * 100 + [f"folder {i % 10}" for i in range(50)]
    data = TrainingSet(
        {"last": rng.normal(size=(150, 4))}, label_targets(Y), LABELS, origins=origins
    )
    folds = data.folds(5, 0)
    rare = np.bincount(folds[Y[:, 2] == 1], minlength=5)
    assert rare.max() - rare.min() <= 1
    for name in {*origins[100:]}:
        assert len({*folds[np.array(origins) == name]}) == 1
    np.testing.assert_array_equal(folds, data.folds(5, 0))
    assert (folds != data.folds(5, 1)).any()
