import json
from dataclasses import replace

import numpy as np
import pytest

from outgroup.label_schema import LabelSchema, Output
from outgroup.predictions import Neighbour, Prediction, Predictions

KEYS = [
    "path",
    "label",
    "labels",
    "other",
    "reason",
    "other_score",
    "threshold",
    "probabilities",
    "error",
]


@pytest.fixture
def answers() -> Predictions:
    return Predictions(
        schema=LabelSchema.single(["cat", "dog"]),
        class_scores=np.array([[0.9, 0.1], [0.4, 0.6], [np.nan, np.nan], [0.3, 0.2]]),
        other_scores=np.array([[0.2], [0.5], [np.nan], [0.7]]),
        threshold=0.5,
        paths=("a.jpg", None, "c.jpg", "d.jpg"),
        errors=(None, None, "not an image", None),
    )


def test_a_known_image_is_one_line_of_json(answers: Predictions) -> None:
    line = answers[0].to_json()
    assert "\n" not in line
    assert list(json.loads(line).items()) == [
        ("path", "a.jpg"),
        ("label", "cat"),
        ("labels", ["cat"]),
        ("other", False),
        ("reason", "known"),
        ("other_score", 0.2),
        ("threshold", 0.5),
        ("probabilities", {"cat": 0.9, "dog": 0.1}),
        ("error", None),
    ]


def test_an_other_image_is_null_and_no_label(answers: Predictions) -> None:
    data = json.loads(answers[3].to_json())
    assert list(data) == KEYS
    assert (data["label"], data["labels"], data["other"], data["reason"]) == (
        None,
        [],
        True,
        "unknown",
    )
    assert data["probabilities"] == {"cat": 0.3, "dog": 0.2}


def test_an_unreadable_image_is_a_line_too_and_not_other(answers: Predictions) -> None:
    assert json.loads(answers[2].to_json()) == {
        "path": "c.jpg",
        "label": None,
        "labels": [],
        "other": False,
        "reason": "unreadable",
        "other_score": None,
        "threshold": None,
        "probabilities": {},
        "error": "not an image",
    }


def test_a_score_equal_to_the_threshold_is_known(answers: Predictions) -> None:
    assert answers[1].label == "dog"
    assert answers.labels == answers.top_labels == ["cat", "dog", None, None]


def test_another_threshold_decides_again_and_changes_nothing_else(answers: Predictions) -> None:
    strict, lax = answers.at(0.1), answers.at(9)
    assert strict.labels == [None] * 4
    assert lax.labels == ["cat", "dog", None, "cat"]
    assert [p.reason for p in lax] == ["known", "known", "unreadable", "known"]
    assert lax[0].threshold == 9.0
    assert answers.labels == ["cat", "dog", None, None]
    assert [p.other_score for p in strict] == [p.other_score for p in answers]


def test_answers_are_the_same_one_by_one_and_all_at_once(answers: Predictions) -> None:
    for threshold in (0.0, 0.2, 0.5, 0.6, 0.7, 1.0):
        again = answers.at(threshold)
        assert [p.label for p in again] == again.labels


def test_answers_are_a_sequence(answers: Predictions) -> None:
    assert len(answers) == 4
    assert answers[-1] == answers[3]
    tail = answers[2:]
    assert isinstance(tail, Predictions)
    assert [p.path for p in tail] == ["c.jpg", "d.jpg"]
    assert tail.labels == answers.labels[2:]
    assert [p.path for p in answers[::-2]] == ["d.jpg", None]
    with pytest.raises(IndexError):
        answers[4]


def test_a_path_that_is_not_utf8_survives_json() -> None:
    path = b"photos/caf\xe9.jpg".decode("utf-8", "surrogateescape")
    line = Prediction(path, "cat", "known", 0.1, 0.5, {"cat": 1.0}).to_json()
    assert line.isascii()
    back = json.loads(line)["path"]
    assert back.encode("utf-8", "surrogateescape") == b"photos/caf\xe9.jpg"


def test_no_class_name_is_cut_or_taken_for_other() -> None:
    names = ("cat", "other", "a-very-long-class-name-with-größe", "None")
    schema, none = LabelSchema.single(names), (None,) * 4
    answers = Predictions(schema, np.eye(4), np.zeros((4, 1)), 0.0, none, none)
    assert answers.labels == list(names)
    assert all(type(label) is str for label in answers.labels)
    assert answers[1].label == "other"
    assert not answers[1].other
    assert json.loads(answers[2].to_json())["label"] == names[2]


def test_numbers_are_plain_ones(answers: Predictions) -> None:
    one = answers[0]
    assert type(one.other_score) is float
    assert all(type(p) is float for p in one.probabilities.values())


def test_no_images_are_no_answers() -> None:
    for schema in (LabelSchema.single("a"), LabelSchema.multi_label("ab")):
        shapes = [(0, len(schema.class_names)), (0, len(schema.outputs))]
        none = Predictions(schema, np.empty(shapes[0]), np.empty(shapes[1]), 0.5, (), ())
        assert none.labels == none.label_lists == list(none) == []


@pytest.fixture
def explained(answers: Predictions) -> Predictions:
    near = (Neighbour("photos/a.jpg", "cat", 0.25), Neighbour(None, None, 0.5, row=3))
    return replace(
        answers,
        ambiguous=np.array([True, False, False, True]),
        percentile=np.array([12.5, 50.0, np.nan, 97.0]),
        nearest=[near, (), (), near[:1]],
    )


def test_other_is_ambiguous_or_unknown_and_what_has_a_label_is_known(
    explained: Predictions,
) -> None:
    assert [p.reason for p in explained] == ["known", "known", "unreadable", "ambiguous"]
    strict = [p.reason for p in explained.at(0.1)]
    assert strict == ["ambiguous", "unknown", "unreadable", "ambiguous"]
    assert [p.label for p in explained.at(0.1)] == [None] * 4
    assert [p.reason for p in explained.at(9)] == ["known", "known", "unreadable", "known"]


def test_an_explained_line_has_two_keys_more(explained: Predictions) -> None:
    assert list(explained[0].to_dict()) == KEYS
    for answer in explained:
        line = json.loads(answer.to_json(explain=True))
        assert list(line) == [*KEYS, "percentile", "nearest"]
        assert {key: line[key] for key in KEYS} == answer.to_dict()
    first, unreadable = explained[0].to_dict(True), explained[2].to_dict(True)
    assert (first["percentile"], type(first["percentile"])) == (12.5, float)
    assert first["nearest"] == [
        {"path": "photos/a.jpg", "label": "cat", "distance": 0.25},
        {"path": None, "label": None, "distance": 0.5},
    ]
    assert (unreadable["percentile"], unreadable["nearest"]) == (None, [])


def test_without_explanations_there_are_none(answers: Predictions) -> None:
    for answer in answers:
        assert (answer.percentile, list(answer.nearest)) == (None, [])
        assert answer.reason != "ambiguous"
    assert answers[3].to_dict(explain=True)["percentile"] is None


def test_slices_take_their_explanations_along(explained: Predictions) -> None:
    assert list(explained[::-1]) == list(explained)[::-1]
    assert list(explained[3:]) == [explained[3]]


# Several outputs: two labels, and a column.

MIXED = LabelSchema((*LabelSchema.multi_label(["cat", "dog"]).outputs, Output("size", ("S", "L"))))


@pytest.fixture
def several() -> Predictions:
    """Two labels and a column, whose thresholds are 1, 2 and 3; the third could not be read."""
    nan = [np.nan] * 4
    return Predictions(
        schema=MIXED,
        class_scores=np.array(
            [[0.9, 0.8, 0.3, 0.7], [0.1, 0.2, 0.6, 0.4], nan, [0.1, 0.2, 0.5, 0.5]]
        ),
        other_scores=np.array([[1.0, 1.0, 9.0], [1.5, 3.0, 2.5], nan[:3], [1.5, 2.5, 9.0]]),
        threshold=0.0,
        paths=("a.jpg", "b.jpg", "c.jpg", None),
        errors=(None, None, "not an image", None),
        offsets=np.array([1.0, 2.0, 3.0]),
        ambiguous=np.array([True, False, False, True]),
    )


def test_each_output_gives_its_best_class_up_to_its_own_threshold(several: Predictions) -> None:
    assert several.label_lists == [["cat", "dog"], ["size=S"], [], []]
    assert several.given.tolist() == [
        [True, True, False],
        [False, False, True],
        [False, False, False],
        [False, False, False],
    ]
    assert [p.labels for p in several] == several.label_lists
    assert several.best[:2].tolist() == [[0, 0, 1], [0, 0, 0]]


def test_the_label_is_the_one_that_is_most_certain(several: Predictions) -> None:
    assert several.top_labels == ["dog", "size=S", None, None]  # by a margin of 1, and of 0.5
    assert several.labels == several.label_lists
    np.testing.assert_array_equal(several.other_score, [-1.0, -0.5, np.nan, 0.5])
    for threshold in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 9.0):
        moved = several.at(threshold)
        assert [p.label for p in moved] == moved.top_labels
        assert [p.labels for p in moved] == moved.label_lists
        for label, labels, answer in zip(moved.top_labels, moved.label_lists, moved, strict=True):
            assert (label in labels) == bool(labels)
            assert answer.other == (not labels and answer.error is None)


def test_thresholds_of_all_outputs_are_moved_together(several: Predictions) -> None:
    assert several[0].thresholds == {"cat": 1.0, "dog": 2.0, "size": 3.0}
    assert several.at(0.5)[0].thresholds == {"cat": 1.5, "dog": 2.5, "size": 3.5}
    assert several.at(0.5).label_lists == [["cat", "dog"], ["cat", "size=S"], [], ["cat", "dog"]]
    assert several.at(0.5)[1].threshold == 0.5


def test_a_line_of_several_outputs_has_their_scores_behind_the_contract(
    several: Predictions,
) -> None:
    line = json.loads(several[1].to_json())
    assert list(line) == [*KEYS, "other_scores", "thresholds", "outputs"]
    assert line["labels"] == ["size=S"]
    assert line["probabilities"] == {"cat": 0.1, "dog": 0.2, "size=S": 0.6, "size=L": 0.4}
    assert line["other_scores"] == {"cat": 1.5, "dog": 3.0, "size": 2.5}
    assert line["outputs"] == {"size": "S"}
    assert (line["other_score"], line["threshold"]) == (-0.5, 0.0)
    unreadable = json.loads(several[2].to_json())
    assert list(unreadable) == list(line)
    assert (unreadable["labels"], unreadable["other"], unreadable["reason"]) == (
        [], False, "unreadable"
    )  # fmt: skip
    assert (unreadable["other_scores"], unreadable["thresholds"]) == ({}, {})
    assert unreadable["outputs"] == {"size": None}
    labels = replace(several[0], outputs=None)
    assert list(labels.to_dict()) == [*KEYS, "other_scores", "thresholds"]


def test_answers_of_several_outputs_have_a_reason(several: Predictions) -> None:
    assert [p.reason for p in several] == ["known", "known", "unreadable", "ambiguous"]
    assert several.at(-9)[1].reason == "unknown"


def test_answers_for_people_name_every_label_or_every_column(several: Predictions) -> None:
    columns = Prediction(None, "a=x", "known", 0.0, 0.0, {}, outputs={"a": "x", "b": None})
    assert columns.text() == "a=x|b=other"
    assert columns.text("-") == "a=x|b=-"
    labels = replace(several[0], outputs=None)
    assert (labels.text(), replace(labels, given=()).text("none")) == ("cat|dog", "none")


def test_slices_and_joined_parts_keep_all_outputs(several: Predictions) -> None:
    assert list(several[1:]) == list(several)[1:]
    joined = Predictions.joined([several[:1], several[1:]])
    assert joined.label_lists == several.label_lists
    assert [p.other_scores for p in joined] == [p.other_scores for p in several]
    assert [p.error for p in joined] == [p.error for p in several]


def test_inputs_are_scored_each_and_the_odd_ones_explained(answers: Predictions) -> None:
    scored = replace(
        answers,
        input_scores={"photo": np.array([0.5, np.nan, np.nan, 6.0])},
        odd_inputs=({}, {}, {}, {"photo": "more unusual than most"}),
    )
    assert [p.input_scores for p in scored] == [{"photo": 0.5}, {"photo": None}, {}, {"photo": 6.0}]
    assert [p.odd_inputs for p in scored[2:]] == [{}, {"photo": "more unusual than most"}]
    assert scored[2:][1].input_scores == {"photo": 6.0}
    assert list(scored[0].to_dict()) == [*KEYS, "input_scores", "odd_inputs"]
