"""Outputs and classes of a model, and what is known about images as class indices."""

import numpy as np
import pytest

from outgroup._component import OTHER, UNSEEN
from outgroup.errors import InvalidDataError
from outgroup.label_schema import LabelSchema, Output, label_targets

SINGLE = LabelSchema.single(["cat", "dog"])
LABELS = LabelSchema.multi_label(["cat", "dog", "cow"])
COLUMNS = LabelSchema.columns({"animal": ["cat", "dog"], "colour": ["red"]})
MIXED = LabelSchema(
    (Output("cat", ("cat",)), Output("colour", ("red", "black")), Output("dog", ("dog",)))
)


@pytest.mark.parametrize(
    ("schema", "names", "kinds"),
    [
        (SINGLE, ("cat", "dog"), (True, False)),
        (LABELS, ("cat", "dog", "cow"), (False, True)),
        (COLUMNS, ("animal=cat", "animal=dog", "colour=red"), (False, False)),
        (MIXED, ("cat", "colour=red", "colour=black", "dog"), (False, False)),
        (LabelSchema.single(["cat"]), ("cat",), (True, False)),
        (LabelSchema.single([""]), ("",), (True, False)),
        (LabelSchema.multi_label(["cat"]), ("cat",), (False, True)),
        (LabelSchema.columns({"animal": ["cat"]}), ("animal=cat",), (False, False)),
    ],
)
def test_a_schema_names_its_classes_and_knows_its_kind(
    schema: LabelSchema, names: tuple[str, ...], kinds: tuple[bool, bool]
) -> None:
    assert schema.class_names == names
    assert (schema.is_single, schema.is_multi_label) == kinds
    assert [names[part] for part in schema.slices] == [
        tuple(output.text(name) for name in output.classes) for output in schema.outputs
    ]


@pytest.mark.parametrize(
    ("schema", "parts"),
    [
        (SINGLE, ((0,),)),
        (LABELS, ((0, 1, 2),)),
        (COLUMNS, ((0,), (1,))),
        (MIXED, ((0, 2), (1,))),
    ],
)
def test_labels_are_learned_together_and_columns_alone(
    schema: LabelSchema, parts: tuple[tuple[int, ...], ...]
) -> None:
    assert schema.parts == parts
    assert [schema.part(part).outputs for part in parts] == [
        tuple(schema.outputs[i] for i in part) for part in parts
    ]


def test_only_classes_of_columns_have_the_name_of_their_output() -> None:
    assert [output.is_label for output in MIXED.outputs] == [True, False, True]
    assert SINGLE.outputs[0].text("cat") == "cat"
    assert COLUMNS.outputs[0].text("cat") == "animal=cat"


def test_schemas_are_equal_by_their_outputs() -> None:
    assert LabelSchema.multi_label(["cat"]) == LabelSchema.columns({"cat": ["cat"]})
    assert LabelSchema.single(["dog", "cat"]) != SINGLE


TARGETS = np.array([[0, 1, OTHER], [UNSEEN, UNSEEN, 0], [OTHER, OTHER, OTHER], [0, OTHER, 0]])


def test_targets_are_written_as_marks_and_as_text() -> None:
    assert MIXED.indicator(TARGETS).tolist() == [
        [1, 0, 1, 0],
        [-1, -1, -1, 1],
        [0, 0, 0, 0],
        [1, 0, 0, 1],
    ]
    assert MIXED.texts(TARGETS) == ["cat|colour=black", "dog", None, "cat|dog"]


def test_marks_of_labels_become_targets_and_back() -> None:
    Y = np.random.default_rng(0).integers(-1, 2, (50, 3))
    np.testing.assert_array_equal(LABELS.indicator(label_targets(Y)), Y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelSchema(()), r"`outputs`: must be at least one.*got \[\]"),
        (lambda: LabelSchema.multi_label([]), "`outputs`: must be at least one"),
        (lambda: LabelSchema.columns({}), "`outputs`: must be at least one"),
        (lambda: LabelSchema.multi_label(["cat", "cat"]), "with different names"),
        (lambda: LabelSchema((Output("", ("a",)), Output("b", ("c",)))), "with different names"),
        (lambda: LabelSchema.single([]), "classes of the output '': must be at least one"),
        (lambda: LabelSchema.single(["cat", "cat"]), r"different names, got \['cat', 'cat'\]"),
        (lambda: LabelSchema.columns({"animal": []}), "classes of the output 'animal'"),
    ],
)
def test_outputs_and_classes_that_can_not_be_told_apart_are_refused(
    make: object, message: str
) -> None:
    with pytest.raises(InvalidDataError, match=message):
        make()  # type: ignore[operator]
