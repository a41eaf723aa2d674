"""Cells, frames, scaling and codes: what is read of data as people have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from outgroup.artifact.row_encoder_codec import flatten_cell_encoder, restore_cell_encoder
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.multi_input.cells import as_image, as_name, as_number
from outgroup.multi_input.encoding import fit_cell_encoder, fit_name, fit_number, fit_scaling
from outgroup.multi_input.image_statistics import describe_images
from outgroup.multi_input.inputs import Bands, Categorical, Inputs, Numeric
from outgroup.multi_input.leaks import leaks
from outgroup.multi_input.row_scoring import fit_tail, together
from outgroup.multi_input.row_table import as_row_table, read_cells
from outgroup.multi_input.training_rows import gather_rows


def test_a_flat_list_a_nested_one_and_an_array_are_one_image() -> None:
    flat = list(range(12))
    image = np.arange(12, dtype=float).reshape(3, 4)
    for cell in (image, image.tolist(), tuple(map(tuple, image)), image[np.newaxis]):
        np.testing.assert_array_equal(as_image(cell, 1, None), image[np.newaxis])
    np.testing.assert_array_equal(as_image(flat, 1, (3, 4)), image[np.newaxis])


def test_channels_may_come_first_or_last() -> None:
    image = np.arange(24, dtype=float).reshape(2, 3, 4)
    np.testing.assert_array_equal(as_image(np.moveaxis(image, 0, 2), 2, None), image)
    np.testing.assert_array_equal(as_image(image.ravel(), 2, (3, 4)), image)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([1.0] * 5, "5 numbers are not a square"),
        ([[1, 2], [3]], "its rows differ in length"),
        (["a", "b"], "no image of numbers"),
        ([float("nan")] * 4, "4 of its 4 pixels are NaN or infinite"),
        (np.zeros((2, 2, 2, 2)), "its shape is"),
        (np.zeros((8, 8, 3)), r"its shape is .*; .* 3 channels is declared with channels=3"),
        ("there_is_none.npy", "no such file"),
    ],
)
def test_what_is_no_image_says_why(cell: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_image(cell, 1, None)


def test_files_are_read_from_beside_the_table(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "bad.npy", np.array([{}], dtype=object), allow_pickle=True)
    Image.fromarray(np.full((2, 3), 7, np.uint8)).save(tmp_path / "b.png")
    table = tmp_path / "rows.csv"
    table.write_text("band,angle\na.npy,1\nb.png,na\nbad.npy,2\n,3\n")
    cells = read_cells(Inputs([Bands("band")], [Numeric("angle")]), as_row_table(table))
    np.testing.assert_array_equal(cells.images[0][0, 0], values)
    np.testing.assert_array_equal(cells.images[0][1, 0], np.full((2, 3), 7))
    assert cells.present[:, 0].tolist() == [True, True, False, False]
    assert cells.errors[2] is not None
    assert "can't be read as an array" in cells.errors[2]
    assert cells.errors[3] is None  # an image that is missing is no error while there is an angle


def test_numbers_and_names() -> None:
    assert np.isnan([as_number(cell) for cell in ("na", "NaN", None, "")]).all()
    assert as_number(" 38.5 ") == 38.5
    with pytest.raises(ValueError, match="no finite number"):
        as_number(float("inf"))
    assert [as_name(cell) for cell in (1, 1.0, "1", "null")] == ["1", "1", "1", None]


def test_a_json_file_of_records_and_one_of_columns_are_the_same(tmp_path: Path) -> None:
    records, columns = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], {"a": [1, 2], "b": ["x", "y"]}
    for name, data in (("records", records), ("columns", columns)):
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    frames = [as_row_table(tmp_path / f"{name}.json") for name in ("records", "columns")]
    assert frames[0].columns == frames[1].columns == columns


def test_frames_that_are_none() -> None:
    with pytest.raises(InvalidDataError, match=r"must have one length\. Got 1 cells of 'b' and 2"):
        as_row_table({"a": [1, 2], "b": [1]})
    with pytest.raises(InvalidDataError, match="no rows"):
        as_row_table([])
    with pytest.raises(InvalidParameterError, match="Invalid `data`"):
        as_row_table(3)
    with pytest.raises(InvalidDataError, match=r"There is no column 'c'\. There are: 'a'"):
        as_row_table({"a": [1]}).column("c")


def test_scaling_is_that_of_training_rows_alone() -> None:
    draws = np.random.default_rng(0)
    images = draws.normal(-20, 3, size=(50, 1, 8, 8)).astype(np.float32)
    scaling = fit_scaling("robust", images)
    assert scaling.apply(images).mean() == pytest.approx(0, abs=0.05)
    assert scaling.apply(images).std() == pytest.approx(1, abs=0.05)
    assert scaling.apply(np.full((1, 1, 2, 2), 1e9, np.float32)).max() == 30.0


def test_intensities_become_decibels() -> None:
    image = np.array([[[[0.0, 0.01], [1.0, 100.0]]]], dtype=np.float32)
    scaling = fit_scaling("dB", image)
    assert scaling.floor == pytest.approx(0.01)
    decibels = scaling.apply(image) * scaling.spread[0] + scaling.centre[0]
    np.testing.assert_allclose(decibels.ravel(), [-20, -20, 0, 20], atol=1e-5)


def test_a_constant_column_and_a_constant_image_divide_by_nothing() -> None:
    code = fit_number("x", np.full(9, 4.0), True)
    np.testing.assert_array_equal(code.encode(np.array([4.0, np.nan])), [[0, 0], [0, 1]])
    assert np.isfinite(code.encode(np.array([1e300]))).all()
    same = np.full((3, 1, 4, 4), 2.0, np.float32)
    assert not fit_scaling("robust", same).apply(same).any()


def test_an_unseen_category_has_a_slot_of_its_own() -> None:
    code = fit_name("sensor", np.array(["A", "B", None, "A"]))
    np.testing.assert_array_equal(
        code.encode(np.array(["A", "B", "C", None])), [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    )


def test_an_encoder_survives_being_written_down() -> None:
    inputs = Inputs(
        [Bands("b", channels=2, units="dB", scaling="dB")], [Numeric("x"), Categorical("s")]
    )
    draws = np.random.default_rng(0)
    data = {"b": list(draws.uniform(0, 1, (6, 2, 3, 3))), "x": range(6), "s": list("ABABAB")}
    cells = read_cells(inputs, as_row_table({**data, "x": list(data["x"])}))
    encoder = fit_cell_encoder(inputs.sized_as(cells.images), cells, np.ones(6, dtype=bool))
    again = restore_cell_encoder(json.loads(json.dumps(flatten_cell_encoder(encoder))))
    assert again == encoder
    assert again.complete == ("b", "x", "s")
    np.testing.assert_array_equal(again.encode(cells).table, encoder.encode(cells).table)


def test_wrong_declarations_say_what_is_right() -> None:
    with pytest.raises(InvalidParameterError, match="with different names"):
        Inputs([Bands("a")], [Numeric("a")])
    with pytest.raises(InvalidParameterError, match="Invalid `fusion`: must be one of"):
        Inputs([Bands("a")], fusion="late")
    with pytest.raises(InvalidParameterError, match="must be a list of Bands"):
        Inputs(["a"])  # type: ignore[list-item]
    with pytest.raises(InvalidParameterError, match="no 'image'"):
        Inputs.from_dict({"image": ["a"]})
    with pytest.raises(InvalidParameterError, match="Invalid `missing`: must be one of"):
        Numeric("x", missing="drop")
    assert Inputs.from_dict({"images": ["a"], "table": ["x"]}) == Inputs(
        [Bands("a")], [Numeric("x")]
    )


def test_statistics_tell_a_saturated_frame_from_noise() -> None:
    noise = np.random.default_rng(0).normal(size=(20, 1, 18, 18)).astype(np.float32)
    inside = describe_images(noise)
    clipped = describe_images(np.minimum(noise + 3, 2.0))
    spread = np.abs(inside - np.median(inside, axis=0)).max(axis=0)
    assert ((np.abs(clipped - np.median(inside, axis=0)) > 3 * spread).sum(axis=1) >= 3).all()
    np.testing.assert_array_equal(describe_images(noise)[:1], describe_images(noise[:1]))


def test_surprises_are_calibrated_on_known_rows() -> None:
    draws = np.random.default_rng(2)
    tail = fit_tail(draws.exponential(size=5000))
    nats = tail.nats(draws.exponential(size=20000))
    for share in (0.5, 0.1, 0.01, 0.001):
        assert np.mean(nats > -np.log(share)) == pytest.approx(share, rel=0.35)
    flat = fit_tail(np.zeros(10))  # a part that is the same for all known rows
    assert flat.nats(np.array([0.0, 1.0]))[1] > 100
    assert together({"a": np.array([np.nan]), "b": np.array([np.nan])}).tolist() == [0.0]


def scenes(label_of_scene: bool) -> tuple[Any, list[str], Inputs]:
    """200 rows in 50 scenes with an angle each."""
    draws = np.random.default_rng(1)
    angle = np.repeat(draws.uniform(30, 45, 50), 4)
    labels = (
        np.repeat(draws.integers(2, size=50), 4) if label_of_scene else draws.integers(2, size=200)
    )
    inputs = Inputs(table=[Numeric("angle"), Numeric("noise")])
    data = {"angle": angle, "noise": draws.normal(size=200)}
    return (data, labels.tolist()), [f"scene {i // 4}" for i in range(200)], inputs


def test_an_angle_that_tells_the_scene_and_through_it_the_label_is_named() -> None:
    (data, labels), _, inputs = scenes(label_of_scene=True)
    rows = gather_rows(inputs, "binary", data, labels)
    (message,) = leaks(inputs, rows)
    assert message.startswith("'angle' alone predicts the class of 79 % of held-out rows as long")
    assert message.endswith("Keep its values together: groups='angle'.")


def test_an_angle_that_tells_the_group_is_named_where_groups_are_kept() -> None:
    (data, labels), groups, inputs = scenes(label_of_scene=True)
    rows = gather_rows(inputs, "binary", data, labels, groups)
    (message,) = leaks(inputs, rows)
    assert message.startswith("'angle' tells the group of a row: for 100 % of the rows in groups")


def test_a_column_that_says_nothing_is_not_named() -> None:
    (data, labels), _, inputs = scenes(label_of_scene=False)
    assert not list(leaks(inputs, gather_rows(inputs, "binary", data, labels)))


def test_a_column_that_is_the_label_is_named() -> None:
    draws = np.random.default_rng(2)
    labels = draws.integers(2, size=100)
    inputs = Inputs(table=[Numeric("answer"), Categorical("said")])
    data = {"answer": labels + draws.normal(0, 0.1, 100), "said": [str(y) for y in labels]}
    messages = list(leaks(inputs, gather_rows(inputs, "binary", data, labels.tolist())))
    assert [message.split(" alone")[0] for message in messages] == ["'answer'", "'said'"]
    assert all("leave it out" in message for message in messages)
