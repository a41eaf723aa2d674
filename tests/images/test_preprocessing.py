from __future__ import annotations

import json

import pytest

from outgroup.errors import InvalidParameterError
from outgroup.images import Preprocessing


def test_json_round_trip():
    original = Preprocessing(resize=300, crop=260, resample="lanczos", keep_aspect=False)
    restored = Preprocessing.from_dict(json.loads(json.dumps(original.to_dict())))
    assert restored == original
    assert restored.digest() == original.digest()
    assert hash(restored) == hash(original)


@pytest.mark.parametrize(
    "change",
    [
        {"resize": 257},
        {"crop": 223},
        {"resample": "bilinear"},
        {"keep_aspect": False},
        {"mean": (1.0, 2.0, 3.0)},
        {"std": (1.0, 2.0, 3.0)},
    ],
)
def test_every_field_changes_the_digest(change):
    assert Preprocessing(**change).digest() != Preprocessing().digest()


def test_integers_and_floats_of_the_same_value_are_the_same():
    assert Preprocessing(mean=[127, 127, 127]).digest() == Preprocessing().digest()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resize", 0),
        ("resize", 10**9),
        ("resize", True),
        ("crop", 0),
        ("crop", 257),
        ("crop", 224.0),
        ("resample", "cubic"),
        ("keep_aspect", 1),
        ("mean", (1.0, 2.0)),
        ("mean", (1.0, 2.0, float("nan"))),
        ("mean", 127),
        ("std", (1.0, 1.0, 0.0)),
        ("std", ("a", "b", "c")),
    ],
)
def test_a_bad_field_is_named(field, value):
    with pytest.raises(InvalidParameterError, match=f"^Invalid `{field}`: must be"):
        Preprocessing(**{field: value})


@pytest.mark.parametrize("values", [{}, {"resize": 256}, {"sharpness": 1}, None, ["resize"]])
def test_a_manifest_with_other_fields_is_refused(values):
    with pytest.raises(InvalidParameterError, match="must be a mapping"):
        Preprocessing.from_dict(values)
