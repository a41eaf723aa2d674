import warnings
from dataclasses import replace

import numpy as np
import pytest

from outgroup import OpenSetClassifier
from outgroup._component import OTHER
from outgroup.data_checks import class_name_warnings, data_warnings, odd_names
from outgroup.errors import DataWarning
from outgroup.label_schema import LabelSchema, label_targets
from outgroup.model import fit_model
from outgroup.strategies import choose_strategy
from outgroup.strategies.sigmoid import Sigmoid
from outgroup.strategies.softmax import Softmax
from outgroup.training_set import TrainingSet

RNG = np.random.default_rng(0)


def rows(kind: int, n: int = 60) -> np.ndarray:
    return RNG.normal(size=(n, 8)) + 6 * np.eye(8)[kind]


def warned(*parts: tuple[str | None, np.ndarray, str], strategy: type[Sigmoid] = Sigmoid) -> str:
    labels = [label for label, X, _ in parts for _ in X]
    origins = [origin for _, X, origin in parts for _ in X]
    X = np.vstack([X for _, X, _ in parts])
    data = TrainingSet.from_labels({"last": X}, labels, None, origins)
    return "\n".join(data_warnings(data, fit_model(data, strategy())))


CAT, DOG = ("cat", rows(0), "photos"), ("dog", rows(1), "photos")


def test_data_as_they_should_be_give_no_warning() -> None:
    assert warned(CAT, DOG) == ""
    assert warned(CAT, DOG, (None, rows(2), "odds"), (None, rows(3), "ends")) == ""


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
    text = warned(CAT, ("dog", np.repeat(rows(1, 1), 30, axis=0), "photos"))
    assert text.startswith("All 30 images of class 'dog' have the same embedding")


def test_rows_of_two_labels_are_counted() -> None:
    text = warned(CAT, ("dog", np.vstack([rows(1), CAT[1][:7]]), "photos"))
    assert text.startswith("14 images have the same embedding as one with another label, of class")


def test_negatives_that_look_like_a_class_are_pointed_out_with_their_share() -> None:
    text = warned(CAT, DOG, (None, rows(0), "odds"))
    assert "(5" in text or "(6" in text
    assert "of 60, held out) are taken for 'cat'. If they show that class, take" in text
    assert "'dog'" not in text


def test_the_one_folder_that_looks_like_a_class_is_named() -> None:
    fine = [(None, rows(kind, 40), f"odds {kind}") for kind in range(2, 7)]
    text = warned(CAT, DOG, *fine, (None, rows(1, 20), "puppies"))
    assert "% of the negatives in 'puppies' (" in text
    assert "are taken for 'dog'" in text
    assert "odds" not in text


def test_negatives_that_are_not_learned_from_are_pointed_out_only_near_a_class() -> None:
    between = rows(0) / 2 + rows(1) / 2
    assert warned(CAT, DOG, (None, between, "odds"), strategy=Softmax) == ""  # type: ignore[arg-type]
    text = warned(CAT, DOG, (None, rows(0), "odds"), strategy=Softmax)  # type: ignore[arg-type]
    assert "are taken for 'cat'" in text


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
        ([7] * 60 + ["7"] * 60, "got both numbers and strings. Write them all as strings"),
        ([1] * 60 + [True] * 59 + [None], "got both numbers and truth values"),
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


# Labels and columns.


def labelled(kinds: list[int], Y: list[list[int]], n: int = 40, odd: int = 0) -> TrainingSet:
    """n rows of each kind with these labels, the first `odd` of each the same as each other."""
    X = np.vstack([rows(kind, n) for kind in kinds])
    for start in range(0, len(X), n):
        X[start : start + odd] = X[start]
    targets = label_targets(np.repeat(np.array(Y), n, axis=0))
    return TrainingSet({"last": X}, targets, LabelSchema.multi_label(["cat", "dog"]))


def messages(data: TrainingSet) -> list[str]:
    strategies = [choose_strategy("auto", labels=part.schema.is_multi_label)
                  for _, part in data.parts()]  # fmt: skip
    return data_warnings(data, fit_model(data, strategies))


def test_labels_and_columns_as_they_should_be_give_no_warning() -> None:
    assert messages(labelled([0, 1, 2], [[1, 0], [0, 1], [0, 0]])) == []
    schema = LabelSchema.columns({"animal": ["cat", "dog"], "colour": ["red", "black"]})
    targets = np.stack([np.repeat([0, 1, OTHER], 60), np.arange(180) % 3 - 1], axis=1)
    centres = 6 * np.eye(8)[targets[:, 0] % 3] + 6 * np.eye(8)[3 + targets[:, 1] % 3]
    assert (
        messages(TrainingSet({"last": RNG.normal(size=(180, 8)) + centres}, targets, schema)) == []
    )


def test_names_of_labels_and_of_values_of_columns_are_pointed_out() -> None:
    for schema in (
        LabelSchema.multi_label(["cat", "none"]),
        LabelSchema.columns({"animal": ["cat", "none"], "colour": ["red"]}),
    ):
        (message,) = class_name_warnings(schema)
        assert message.startswith("A class is named 'none'")
    same_in_two = LabelSchema.columns({"left": ["red"], "right": ["Red"]})
    assert class_name_warnings(same_in_two) == []


def test_a_label_of_identical_rows_is_pointed_out() -> None:
    data = labelled([0, 1, 2], [[1, 0], [0, 1], [0, 0]], odd=40)
    expected = [
        f"All 40 images of class {name!r} have the same embedding" for name in ("cat", "dog")
    ]
    assert [message[: len(expected[0])] for message in data_warnings(data)] == expected


def test_rows_with_other_labels_are_counted_with_both_combinations() -> None:
    data = labelled([0, 1, 2], [[1, 0], [1, 1], [0, 0]])
    X = data.features["last"].copy()
    X[40:43], X[80] = X[:3], X[3]
    one, two = data_warnings(replace(data, features={"last": X}))
    assert one.startswith(
        "6 images have the same embedding as one with another label, of class 'cat' and class "
        "'cat|dog'."
    )
    assert two.startswith("2 images")
    assert "of class 'cat' and the negatives." in two


def test_negatives_that_are_given_a_label_or_a_class_of_a_column_are_pointed_out() -> None:
    (message,) = messages(labelled([0, 1, 1], [[1, 0], [0, 1], [0, 0]]))
    assert "of 40, held out) are taken for 'dog'. If they show that class" in message
    schema = LabelSchema.columns({"animal": ["cat", "dog"], "colour": ["red", "black"]})
    targets = np.repeat([[0, 0], [1, 1], [OTHER, OTHER]], 60, axis=0)
    X = np.vstack([rows(kind) for kind in (0, 1, 1)])
    (message,) = messages(TrainingSet({"last": X}, targets, schema))
    assert "are taken for 'animal=dog'" in message or "are taken for 'colour=black'" in message
