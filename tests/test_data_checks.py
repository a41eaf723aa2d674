import warnings

import numpy as np
import pytest

from outgroup import OpenSetClassifier
from outgroup.data_checks import odd_names, suspicious
from outgroup.errors import DataWarning
from outgroup.model import fit_model
from outgroup.strategies.sigmoid import Sigmoid
from outgroup.strategies.softmax import Softmax
from outgroup.training_set import TrainingSet

RNG = np.random.default_rng(0)


def rows(kind: int, n: int = 60) -> np.ndarray:
    return RNG.normal(size=(n, 8)) + 6 * np.eye(8)[kind]


def found(*parts: tuple[str | None, np.ndarray, str], strategy: type[Sigmoid] = Sigmoid) -> str:
    labels = [label for label, X, _ in parts for _ in X]
    origins = [origin for _, X, origin in parts for _ in X]
    X = np.vstack([X for _, X, _ in parts])
    data = TrainingSet.from_labels({"last": X}, labels, None, origins)
    return "\n".join(suspicious(data, fit_model(data, strategy())))


CAT, DOG = ("cat", rows(0), "photos"), ("dog", rows(1), "photos")


def test_nothing_is_said_of_data_as_they_should_be() -> None:
    assert found(CAT, DOG) == ""
    assert found(CAT, DOG, (None, rows(2), "odds"), (None, rows(3), "ends")) == ""


@pytest.mark.parametrize("name", ["other", "Other ", "NONE", "unknown", "background", ""])
def test_names_of_no_class_are_pointed_out(name: str) -> None:
    (message,) = odd_names(["cat", name])
    assert repr(name) in message
    assert "--other FOLDER" in message
    assert "other=..." in message


@pytest.mark.parametrize("name", ["nan", "NA", "null"])
def test_names_of_no_label_are_pointed_out(name: str) -> None:
    (message,) = odd_names(["cat", name])
    assert f"{name!r}" in message
    assert "leave these images out" in message


@pytest.mark.parametrize("name", ["mother", "nonesuch", "7", "True", "others of mine"])
def test_ordinary_names_are_not(name: str) -> None:
    assert odd_names(["cat", name]) == []


def test_the_folder_to_give_as_negatives_is_named() -> None:
    (message,) = odd_names(["cat", "other"], "my photos")
    assert "--other 'my photos/other'" in message.replace("\\", "/")


def test_names_that_differ_in_case_are_pointed_out() -> None:
    assert odd_names(["Cat", "cat ", "dog"])[0].startswith("The classes 'Cat' and 'cat ' differ")


def test_a_class_of_identical_rows_is_pointed_out() -> None:
    said = found(CAT, ("dog", np.repeat(rows(1, 1), 30, axis=0), "photos"))
    assert said.startswith("All 30 images of class 'dog' have the same embedding")


def test_rows_of_two_labels_are_counted() -> None:
    said = found(CAT, ("dog", np.vstack([rows(1), CAT[1][:7]]), "photos"))
    assert said.startswith("14 images have the same embedding as one with another label, of class")


def test_negatives_that_look_like_a_class_are_pointed_out_with_their_share() -> None:
    said = found(CAT, DOG, (None, rows(0), "odds"))
    assert "(5" in said or "(6" in said
    assert "of 60, held out) are taken for 'cat'. If they show that class, take" in said
    assert "'dog'" not in said


def test_the_one_folder_that_looks_like_a_class_is_named() -> None:
    fine = [(None, rows(kind, 40), f"odds {kind}") for kind in range(2, 7)]
    said = found(CAT, DOG, *fine, (None, rows(1, 20), "puppies"))
    assert "% of the negatives in 'puppies' (" in said
    assert "are taken for 'dog'" in said
    assert "odds" not in said


def test_where_negatives_are_not_learned_from_only_those_near_a_class_are_worth_a_word() -> None:
    between = rows(0) / 2 + rows(1) / 2
    assert found(CAT, DOG, (None, between, "odds"), strategy=Softmax) == ""  # type: ignore[arg-type]
    said = found(CAT, DOG, (None, rows(0), "odds"), strategy=Softmax)  # type: ignore[arg-type]
    assert "are taken for 'cat'" in said


def test_the_estimator_warns_and_goes_on() -> None:
    X, y = np.vstack([CAT[1], DOG[1]]), ["cat"] * 60 + ["other"] * 60
    with pytest.warns(DataWarning, match="A class is named 'other'"):
        clf = OpenSetClassifier("softmax").fit(X, y)
    assert clf.classes_.tolist() == ["cat", "other"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OpenSetClassifier("softmax").fit(X, ["cat"] * 60 + ["dog"] * 60)


NAN = float("nan")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (["cat"] * 60 + [NAN] * 60, "labels of 60 rows are NaN, the first that of row 60"),
        ([NAN] + [0.0] * 59 + [1.0] * 60, "labels of 1 rows are NaN, the first that of row 0"),
        ([None] + [NAN] * 59 + [1.0] * 60, "labels of 59 rows are NaN, the first that of row 1"),
        ([7] * 60 + ["7"] * 60, "Got both numbers and strings. Write them all as strings"),
        ([1] * 60 + [True] * 59 + [None], "Got both numbers and truth values"),
    ],
)
def test_labels_that_can_mean_two_things_are_refused(labels: list[object], reason: str) -> None:
    X, y = np.vstack([CAT[1], DOG[1]]), np.array(labels, dtype=object)
    with pytest.raises(ValueError, match=reason):
        OpenSetClassifier("softmax").fit(X, y)


@pytest.mark.parametrize("labels", [(7, 8), (7.0, 8.0), (True, False), ("7", "8")])
def test_numbers_and_truth_values_are_classes_and_come_back_as_they_were(
    labels: tuple[object, object],
) -> None:
    X, y = np.vstack([CAT[1], DOG[1]]), [labels[0]] * 60 + [labels[1]] * 60
    clf = OpenSetClassifier("softmax").fit(X, y)
    answer = clf.predict(X[:1])[0]
    assert answer == labels[0]
    assert isinstance(answer, (type(labels[0]), np.generic))
