"""Models of several labels, of columns, and of both."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outgroup._component import OTHER, UNSEEN
from outgroup.calibration import Budget
from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError
from outgroup.label_schema import LabelSchema, Output, label_targets
from outgroup.model import Model, fit_model
from outgroup.predictions import Predictions
from outgroup.strategies import Features, choose_strategy
from outgroup.strategies.sigmoid import Sigmoid
from outgroup.training_set import TrainingSet

LABELS = LabelSchema.multi_label(["a", "b", "c"])


def labels_world(n: int = 200, none: int = 60, seed: int = 0) -> tuple[Features, np.ndarray]:
    """Three labels that add up in twelve dimensions, and images of none of them, elsewhere."""
    rng = np.random.default_rng(seed)
    Y = np.zeros((n + none, 3), dtype=np.int64)
    Y[:n] = rng.random((n, 3)) < 0.35
    bare = np.flatnonzero(Y[:n].sum(axis=1) == 0)
    Y[bare, rng.integers(0, 3, len(bare))] = 1
    X = rng.normal(size=(n + none, 12)) + 6 * Y @ np.eye(3, 12)
    X[n:] += 5 * np.eye(12)[3 + np.arange(none) % 2]
    return {"last": X.astype(np.float32)}, Y


def labelled(Y: np.ndarray | None = None, **more: Any) -> TrainingSet:
    features, drawn = labels_world()
    return TrainingSet(features, label_targets(drawn if Y is None else Y), LABELS, **more)


@pytest.fixture(scope="module")
def of_labels() -> Model:
    return fit_model(labelled(), choose_strategy("blend", labels=True))


def check_consistent(answers: Predictions) -> None:
    """Check that the answers follow from the scores of the outputs and their thresholds."""
    for row, answer in enumerate(answers):
        assert answer.labels == answers.label_lists[row]
        assert (answer.label is None) == answer.other == (answer.labels == [])
        assert answer.other == (answer.other_score > answer.threshold)
        assert answer.label is None or answer.label in answer.labels
        assert answer.other_scores is not None
        assert answer.thresholds is not None
        given = [name for name, s in answer.other_scores.items() if s <= answer.thresholds[name]]
        assert [name.partition("=")[0] for name in answer.labels] == given


def test_answers_are_lists_that_may_hold_several_labels_or_none(of_labels: Model) -> None:
    features, Y = labels_world(seed=1)
    answers = of_labels.predict(features)
    assert {len(labels) for labels in answers.label_lists} == {0, 1, 2, 3}
    right = [
        [LABELS.class_names[k] for k in np.flatnonzero(row)] == found
        for row, found in zip(Y, answers.label_lists, strict=True)
    ]
    assert np.mean(right) > 0.85
    check_consistent(answers)
    assert {answer.reason for answer in answers} == {"known", "unknown"}  # no label excludes others


def test_all_thresholds_can_be_moved_together(of_labels: Model) -> None:
    features = labels_world(seed=1)[0]
    answers = of_labels.predict(features)
    wide, narrow = answers.at(2.0), answers.at(-2.0)
    assert narrow.given.sum() < answers.given.sum() < wide.given.sum()
    assert (wide.given | ~answers.given).all()
    moved = replace(of_labels, threshold=2.0)
    np.testing.assert_array_equal(moved.predict(features).given, wide.given)
    assert of_labels.threshold == 0.0
    assert moved.thresholds == {k: v + 2.0 for k, v in of_labels.thresholds.items()}


def test_the_percentile_is_that_of_the_least_margin(of_labels: Model) -> None:
    assert len(of_labels.known_scores) == 200
    assert len(of_labels.other_scores) == 60
    features = {"last": labels_world(seed=1)[0]["last"].copy()}
    features["last"][3] = np.nan
    answers = of_labels.predict(features, errors=[None] * 3 + ["broken"] + [None] * 256)
    for answer in answers[:3]:
        below = (of_labels.known_scores < answer.other_score).mean()
        assert answer.percentile == pytest.approx(100 * below)
    assert (answers[3].reason, answers[3].percentile, list(answers[3].nearest)) == (
        "unreadable", None, []
    )  # fmt: skip
    of_none = np.array([a.percentile for a in answers[200:]])
    assert np.median(of_none) > 95


@pytest.mark.parametrize("kind", ["labels", "columns"])
def test_the_nearest_rows_are_named_with_all_their_classes(kind: str) -> None:
    data = labelled() if kind == "labels" else columns()
    model = fit_strategies(data)
    answers = model.predict(data.features)
    texts = data.schema.texts(data.targets)
    for i, answer in enumerate(answers):
        assert (answer.nearest[0].row, answer.nearest[0].label) == (i, texts[i])
    assert len({*texts}) > 6
    assert len(model.predict(data.features, nearest=2)[0].nearest) == 2


def test_the_same_labels_and_seed_give_the_same_model() -> None:
    one, two = (
        fit_model(labelled(), choose_strategy("blend", labels=True), seed=3) for _ in range(2)
    )
    assert one.thresholds == two.thresholds
    np.testing.assert_array_equal(one.known_scores, two.known_scores)


def test_strategies_are_for_exclusive_classes_or_for_labels() -> None:
    with pytest.raises(InvalidParameterError, match="'sigmoid' learns exclusive classes, got labe"):
        fit_model(labelled(), Sigmoid())
    one = TrainingSet({"last": np.eye(4)}, np.repeat([0, 1], 2), ["a", "b"])
    with pytest.raises(InvalidParameterError, match="'sigmoid' learns labels of which an image"):
        fit_model(one, choose_strategy("sigmoid", labels=True))


# Columns, and a schema of all kinds.

COLUMNS = {"animal": ["cat", "dog"], "colour": ["black", "red"]}


def columns(seed: int = 0, n: int = 240, **more: Any) -> TrainingSet:
    """Animals and colours, some of neither kind, a quarter of the colours not looked at."""
    rng = np.random.default_rng(seed)
    animal, colour = rng.integers(0, 3, (2, n))
    X = rng.normal(size=(n, 12)) + 6 * np.eye(12)[animal] + 6 * np.eye(12)[4 + colour]
    targets = np.stack([animal, colour], axis=1)
    targets[targets == 2] = OTHER
    targets[np.arange(n) % 4 == 0, 1] = UNSEEN
    schema = LabelSchema.columns(COLUMNS)
    return TrainingSet({"last": X.astype(np.float32)}, targets, schema, **more)


def fit_strategies(data: TrainingSet, name: str = "auto", budget: Budget | None = None) -> Model:
    strategies = [
        choose_strategy(name, labels=part.schema.is_multi_label) for _, part in data.parts()
    ]
    return fit_model(data, strategies, budget)


@pytest.fixture(scope="module")
def of_columns() -> Model:
    return fit_strategies(columns())


def test_every_column_answers_for_itself(of_columns: Model) -> None:
    data = columns(seed=1)
    answers = of_columns.predict(data.features)
    for o, output in enumerate(data.schema.outputs):
        said = np.where(answers.given[:, o], answers.best[:, o], OTHER)
        seen = data.targets[:, o] != UNSEEN
        assert (said == data.targets[:, o])[seen].mean() > 0.85
        for answer, k in zip(answers, said, strict=True):
            assert answer.outputs is not None
            assert answer.outputs[output.name] == (None if k < 0 else output.classes[k])
    both = [(a.outputs["animal"], a.outputs["colour"]) for a in answers]  # type: ignore[index]
    assert {("cat", None), (None, "red"), ("dog", "black")} <= {*both}
    check_consistent(answers)


def test_a_column_is_learned_from_the_images_that_are_labelled_in_it(of_columns: Model) -> None:
    data = columns()
    seen = data.targets[data.targets[:, 1] != UNSEEN, 1]
    guarantees = of_columns.certificate.guarantees[2:]
    assert [p.n for p in guarantees] == [(seen >= 0).sum(), (seen == OTHER).sum()]
    rows = np.flatnonzero(data.targets[:, 1] != UNSEEN)
    alone = TrainingSet({"last": data.features["last"][rows]}, seen, COLUMNS["colour"])
    model = fit_model(alone, choose_strategy("auto"))
    assert model.threshold == of_columns.thresholds["colour"]
    assert [p.bound for p in model.certificate.guarantees] == [p.bound for p in guarantees]


def test_a_line_of_json_has_the_value_of_each_column(of_columns: Model) -> None:
    answer = of_columns.predict(columns(seed=1).features)[0]
    line = json.loads(answer.to_json())
    assert list(line["outputs"]) == ["animal", "colour"]
    assert tuple(line["probabilities"]) == of_columns.classes
    assert of_columns.classes == ("animal=cat", "animal=dog", "colour=black", "colour=red")
    assert answer.text("none").count("=") == 2


def test_guarantees_name_the_column(of_columns: Model) -> None:
    sentence = of_columns.certificate.sentence
    assert "are rejected in 'animal'" in sentence
    assert "are accepted in 'colour'" in sentence


def test_errors_name_the_column() -> None:
    data = columns()
    with pytest.raises(InfeasibleTargetError, match="Column 'animal'") as caught:
        fit_strategies(data, budget=Budget(0.001))
    assert caught.value.n_needed == 2995
    one = data.targets.copy()
    one[:, 1] = OTHER
    one[0, 1] = 1
    with pytest.raises(InvalidDataError, match="0 readable images of class 'colour=black'"):
        replace(data, targets=one)
    all_known = np.stack([np.arange(240) % 2, data.targets[:, 1]], axis=1)
    with pytest.raises(InvalidParameterError, match=r"Column 'animal': .* learns from negatives"):
        fit_strategies(replace(data, targets=all_known), "other-class")


def test_rows_that_do_not_calibrate_count_in_no_column_and_no_label() -> None:
    marks = np.arange(240) % 2 == 0
    model = fit_strategies(columns(calibrates=marks))
    data = columns()
    counted = [y[marks & (y != UNSEEN)] for y in data.targets.T]
    counts = [int(n) for y in counted for n in ((y >= 0).sum(), (y == OTHER).sum())]
    assert [p.n for p in model.certificate.guarantees] == counts
    assert len(model.known_scores) == (data.known & marks).sum()
    marks = np.arange(260) % 2 == 0
    guarantees = fit_strategies(labelled(calibrates=marks)).certificate.guarantees
    has = labels_world()[1][marks]
    assert [p.n for p in guarantees] == [*has.sum(axis=0), (has == 0).all(axis=1).sum()]


MIXED = LabelSchema((Output("cat", ("cat",)), Output("size", ("L", "S")), Output("dog", ("dog",))))


def mixed(seed: int = 0, n: int = 300) -> TrainingSet:
    """Cats, dogs, both or neither, each large, small or of a size that nobody has looked at."""
    rng = np.random.default_rng(seed)
    cat, dog, size = rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, 3, n)
    X = rng.normal(size=(n, 12)) + 6 * np.eye(12)[4 + size]
    X[:, 0] += 6 * cat
    X[:, 1] += 6 * dog
    sizes = np.array([0, 1, OTHER])[size]
    targets = np.stack([cat - 1, np.where(np.arange(n) % 5, sizes, UNSEEN), dog - 1], axis=1)
    return TrainingSet({"last": X}, targets, MIXED)


def test_labels_and_a_column_are_one_model() -> None:
    model, data = fit_strategies(mixed()), mixed(seed=1)
    assert [(s.name, s.for_labels) for s in model.strategies] == [("blend", True), ("blend", False)]
    answers = model.predict(data.features)
    said = np.where(answers.given, answers.best, OTHER)
    seen = data.targets != UNSEEN
    for o in range(3):
        assert (said == data.targets)[seen[:, o], o].mean() > 0.85
    check_consistent(answers)
    assert {*answers[0].to_dict()["outputs"]} == {"size"}
    events = [guarantee.event for guarantee in model.certificate.guarantees]
    assert events == [
        "not called 'cat'", "not called 'dog'", "given any label",
        "rejected in 'size'", "accepted in 'size'",
    ]  # fmt: skip
    # the parts are those of a model of the labels and one of the column
    labels = replace(mixed(), targets=mixed().targets[:, [0, 2]], schema=MIXED.part((0, 2)))
    alone = fit_strategies(labels).thresholds
    assert alone == {name: model.thresholds[name] for name in ("cat", "dog")}
