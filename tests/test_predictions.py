import json
from dataclasses import replace

import numpy as np
import pytest

from outgroup.neighbours import Neighbour
from outgroup.predictions import Prediction, Predictions

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
        classes=("cat", "dog"),
        class_scores=np.array([[0.9, 0.1], [0.4, 0.6], [np.nan, np.nan], [0.3, 0.2]]),
        other_score=np.array([0.2, 0.5, np.nan, 0.7]),
        threshold=0.5,
        paths=("a.jpg", None, "c.jpg", "d.jpg"),
        errors=(None, None, "not an image", None),
    )


def test_a_known_image_is_one_line_of_the_contract(answers: Predictions) -> None:
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
    assert answers.labels == ["cat", "dog", None, None]


def test_another_threshold_decides_anew_and_changes_nothing_else(answers: Predictions) -> None:
    strict, lax = answers.at(0.1), answers.at(9)
    assert strict.labels == [None] * 4
    assert lax.labels == ["cat", "dog", None, "cat"]
    assert [p.reason for p in lax] == ["known", "known", "unreadable", "known"]
    assert lax[0].threshold == 9.0
    assert answers.labels == ["cat", "dog", None, None]
    assert [p.other_score for p in strict] == [p.other_score for p in answers]


def test_one_by_one_and_all_at_once_say_the_same(answers: Predictions) -> None:
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
    answers = Predictions(names, np.eye(4), np.zeros(4), 0.0, (None,) * 4, (None,) * 4)
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
    none = Predictions(("a",), np.empty((0, 1)), np.empty(0), 0.5, (), ())
    assert none.labels == []
    assert list(none) == []


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
