from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from outgroup.calibration import Budget
from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError
from outgroup.multilabel import (
    LABELERS,
    LabelsModel,
    LabelTrainingSet,
    OutputsModel,
    fit_labels,
    fit_outputs,
)
from outgroup.selection import choose_strategy

World = Callable[..., tuple[dict[str, np.ndarray], np.ndarray]]
CLASSES = ("a", "b", "c")
CONTRACT = ["path", "label", "labels", "other", "reason", "other_score", "threshold"]
CONTRACT += ["probabilities", "error"]


@pytest.fixture(scope="module")
def model(world: World) -> LabelsModel:
    return fit_labels(LabelTrainingSet(*world(), CLASSES), LABELERS.get("blend")())


def test_answers_are_lists_that_may_hold_several_labels_or_none(
    model: LabelsModel, world: World
) -> None:
    features, Y = world(seed=1)
    answers = model.predict(features)
    assert {len(labels) for labels in answers.labels} == {0, 1, 2, 3}
    right = [
        [CLASSES[k] for k in np.flatnonzero(row)] == found
        for row, found in zip(Y, answers.labels, strict=True)
    ]
    assert np.mean(right) > 0.85
    for row, answer in enumerate(answers):
        assert answer.labels == answers.labels[row]
        assert (answer.label is None) == answer.other == (answer.labels == [])
        assert answer.other == (answer.other_score > answer.threshold)
        assert answer.label is None or answer.label in answer.labels
        given = [k for k in CLASSES if answer.other_scores[k] <= answer.thresholds[k]]
        assert answer.labels == given
        assert answer.reason == ("unknown" if answer.other else "known")


def test_a_line_of_json_keeps_the_contract(model: LabelsModel, world: World) -> None:
    answers = model.predict(world()[0], [f"{i}.jpg" for i in range(260)])
    line = json.loads(answers[3].to_json())
    assert list(line) == [*CONTRACT, "other_scores", "thresholds"]
    assert line["path"] == "3.jpg"
    assert sorted(line["probabilities"]) == sorted(line["thresholds"]) == list(CLASSES)


def test_all_thresholds_can_be_moved_together(model: LabelsModel, world: World) -> None:
    answers = model.predict(world(seed=1)[0])
    wide, narrow = answers.at(2.0), answers.at(-2.0)
    assert narrow.given.sum() < answers.given.sum() < wide.given.sum()
    assert (wide.given | ~answers.given).all()
    moved = replace(model, threshold=2.0).predict(world(seed=1)[0])
    np.testing.assert_array_equal(moved.given, wide.given)
    assert moved[0].threshold == 2.0
    assert moved[0].thresholds["a"] == model.thresholds[0] + 2.0


def test_an_unreadable_image_is_an_answer_too(model: LabelsModel, world: World) -> None:
    features = {"last": world()[0]["last"][:3]}
    features["last"][1] = np.nan
    answers = model.predict(features, ["a", "b", "c"], [None, "is empty", None])
    line = answers[1].to_dict()
    assert (line["reason"], line["labels"], line["other"]) == ("unreadable", [], False)
    assert line["error"] == "is empty"
    assert line["other_score"] is None
    assert answers.labels[1] == []
    assert len(answers[:2]) == 2


def test_what_can_not_be_learned_from_is_refused(world: World) -> None:
    features, Y = world()
    alone = Y.copy()
    alone[:, 1] = 0
    alone[0, 1] = 1
    with pytest.raises(InvalidDataError, match="Fewer than 2 readable images have the label 'b'"):
        LabelTrainingSet(features, alone, CLASSES)
    always = Y.copy()
    always[1:, 2] = 1
    with pytest.raises(InvalidDataError, match=r"Fewer than 2 readable images are without .*'c'"):
        LabelTrainingSet(features, always, CLASSES)
    groups = ["g" if row[0] else None for row in Y]
    with pytest.raises(InvalidDataError, match=r"Fewer than 2 groups.*'a'"):
        LabelTrainingSet(features, Y, CLASSES, groups)
    with pytest.raises(InvalidDataError, match="matrix of 1, 0 and -1"):
        LabelTrainingSet(features, Y + 1, CLASSES)
    with pytest.raises(InvalidDataError, match="one row for each"):
        LabelTrainingSet(features, Y[:-1], CLASSES)
    broken = {"last": features["last"].copy()}
    broken["last"][0, 0] = np.inf
    with pytest.raises(InvalidDataError, match="NaN or infinite"):
        LabelTrainingSet(broken, Y, CLASSES)


def test_the_same_data_give_the_same_model(world: World) -> None:
    data = LabelTrainingSet(*world(), CLASSES)
    one, two = (fit_labels(data, LABELERS.get("blend")(), seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.thresholds, two.thresholds)
    np.testing.assert_array_equal(one.held_scores, two.held_scores)


def columns_world(
    seed: int = 0, n: int = 240
) -> tuple[dict[str, np.ndarray], dict[str, tuple[list[str | None], np.ndarray]]]:
    """Animals and colours, some of neither kind, a quarter of the colours not looked at."""
    rng = np.random.default_rng(seed)
    animal, colour = rng.integers(0, 3, (2, n))
    X = rng.normal(size=(n, 12)) + 6 * np.eye(12)[animal] + 6 * np.eye(12)[4 + colour]
    animals = np.array(["cat", "dog", None], dtype=object)[animal]
    colours = np.array(["black", "red", None], dtype=object)[colour]
    seen = np.arange(n) % 4 > 0
    return {"last": X.astype(np.float32)}, {
        "animal": (list(animals), np.ones(n, dtype=bool)),
        "colour": (list(colours), seen),
    }


@pytest.fixture(scope="module")
def outputs() -> OutputsModel:
    features, columns = columns_world()
    return fit_outputs(features, columns, lambda: choose_strategy("auto"))


def test_every_column_answers_for_itself(outputs: OutputsModel) -> None:
    features, columns = columns_world(seed=1)
    answers = outputs.predict(features)
    for name, (true, _) in columns.items():
        found = answers.outputs[name]
        assert np.mean([a == t for a, t in zip(found, true, strict=True)]) > 0.85
    both = [(a.outputs["animal"], a.outputs["colour"]) for a in answers]
    assert both == list(zip(*answers.outputs.values(), strict=True))
    assert ("cat", None) in both
    assert (None, "red") in both
    for answer in answers:
        given = [f"{k}={v}" for k, v in answer.outputs.items() if v is not None]
        assert answer.labels == given
        assert answer.other == (not given) == (answer.other_score > answer.threshold)
        assert answer.label in (given or [None])


def test_a_column_is_learned_from_the_images_that_are_labelled_in_it(
    outputs: OutputsModel,
) -> None:
    features, columns = columns_world()
    values, seen = columns["colour"]
    known = [v for v, s in zip(values, seen, strict=True) if s and v is not None]
    promises = outputs.columns["colour"].certificate.promises
    assert [p.n for p in promises] == [len(known), int(seen.sum()) - len(known)]
    noise = [
        ("black" if v is None else None) if not s else v for v, s in zip(values, seen, strict=True)
    ]
    again = fit_outputs(
        features, {**columns, "colour": (noise, seen)}, lambda: choose_strategy("auto")
    )
    assert again.columns["colour"].threshold == outputs.columns["colour"].threshold


def test_a_line_of_json_has_the_value_of_each_column(outputs: OutputsModel) -> None:
    answer = outputs.predict(columns_world(seed=1)[0])[0]
    line = json.loads(answer.to_json())
    assert list(line) == [*CONTRACT, "other_scores", "thresholds", "outputs"]
    assert list(line["outputs"]) == ["animal", "colour"]
    assert sorted(line["probabilities"]) == sorted(outputs.classes)
    assert outputs.classes == ("animal=cat", "animal=dog", "colour=black", "colour=red")
    assert answer.text("none").count("=") == 2


def test_promises_name_the_column(outputs: OutputsModel) -> None:
    sentence = outputs.certificate.sentence
    assert "are called other in 'animal'" in sentence
    assert "are accepted in 'colour'" in sentence


def test_errors_name_the_column() -> None:
    features, columns = columns_world()
    with pytest.raises(InfeasibleTargetError, match="Column 'animal'"):
        fit_outputs(features, columns, lambda: choose_strategy("auto"), Budget(0.001))
    one = {**columns, "colour": (["red"] + [None] * 239, columns["colour"][1] | True)}
    with pytest.raises(InvalidDataError, match="Column 'colour': Class 'red' has 1"):
        fit_outputs(features, one, lambda: choose_strategy("auto"))
    all_known = {"animal": (["cat", "dog"] * 120, np.ones(240, dtype=bool))}
    with pytest.raises(InvalidParameterError, match=r"Column 'animal': .* learns from negatives"):
        fit_outputs(features, all_known, lambda: choose_strategy("other-class"))
    with pytest.raises(InvalidParameterError, match="at least one column"):
        fit_outputs(features, {}, lambda: choose_strategy("auto"))
