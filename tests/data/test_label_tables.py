from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from outgroup.data import (
    MISSING,
    Samples,
    from_images,
    label_matrix,
    load_label_columns,
    load_label_lists,
)
from outgroup.errors import InvalidDataError, InvalidParameterError


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "photos.csv"
        path.write_text(text, "utf-8")
        return path

    return write


def matrix(table: Any) -> list[list[int]]:
    return label_matrix(table.cells, len(table.columns)).tolist()


def test_labels_stand_in_one_cell_with_bars_between(write: Callable[[str], Path]) -> None:
    table = load_label_lists(write("path,label\n1.jpg,cat|dog\n2.jpg, dog |\n3.jpg,\n4.jpg\n"))
    assert table.columns == ("cat", "dog")
    assert matrix(table) == [[1, 1], [0, 1], [0, 0]]
    assert len(table.samples.unlabelled) == 1  # a missing cell: nobody has looked
    assert [Path(str(s)).name for s in table.samples.sources] == ["1.jpg", "2.jpg", "3.jpg"]


def test_another_column_may_hold_the_labels(write: Callable[[str], Path]) -> None:
    table = load_label_lists(write("path,tags\n1.jpg,a|b\n"), label_column="tags")
    assert table.columns == ("a", "b")


def test_labels_may_be_columns_of_marks(write: Callable[[str], Path]) -> None:
    text = "path,dog,cat,group\n1.jpg,1,0,g\n2.jpg,yes,TRUE,g\n3.jpg,no,\n4.jpg\n5.jpg,1\n"
    table = load_label_columns(write(text), ["dog", "cat"], marks=True)
    assert table.columns == ("dog", "cat")
    assert matrix(table) == [[1, 0], [1, 1], [0, 0], [1, -1]]
    assert table.samples.groups == ("g", "g", None, None)
    assert [Path(str(s)).name for s in table.samples.unlabelled] == ["4.jpg"]
    assert table.samples.origins == ("photos",) * 4


def test_columns_may_hold_classes(write: Callable[[str], Path]) -> None:
    text = "path,animal,colour,source\n1.jpg,cat,,web\n2.jpg,,red,web\n3.jpg,dog\n"
    table = load_label_columns(write(text), ["animal", "colour"], marks=False)
    assert table.cells == (("cat", None), (None, "red"), ("dog", MISSING))
    assert table.samples.origins == ("web", "web", "photos")


def test_a_frame_says_the_same_as_a_file() -> None:
    frame = pd.DataFrame(
        {"path": ["1.jpg", "2.jpg", "3.jpg"], "cat": [1, 0, None], "dog": [True, "", None]}
    )
    table = load_label_columns(frame, ["cat", "dog"], marks=True)
    assert matrix(table) == [[1, 1], [0, 0]]
    assert table.samples.unlabelled == ("3.jpg",)
    lists = load_label_lists(pd.DataFrame({"path": ["1.jpg"], "label": ["cat|dog"]}))
    assert lists.columns == ("cat", "dog")


def test_folders_with_a_plus_in_their_names_are_of_several_labels(tmp_path: Path) -> None:
    for name in ("cat", "dog", "cat+dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").touch()
    table = load_label_lists(tmp_path)
    assert matrix(table) == [[1, 0], [1, 1], [0, 1]]


def test_a_folder_that_gives_each_image_one_label_is_answered_with_what_would_do(
    tmp_path: Path,
) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.jpg").touch()
    with pytest.raises(InvalidParameterError, match=r"cat\+dog.*cat\|dog"):
        load_label_lists(tmp_path)
    assert load_label_lists(tmp_path, classes=["cat", "dog"]).columns == ("cat", "dog")


def test_negatives_are_rows_of_none_of_the_labels() -> None:
    samples = Samples(["1.jpg"], ["cat|dog"], [None], ["web"])
    table = load_label_lists(samples).with_others(from_images(["2.jpg", "3.jpg"]))
    assert matrix(table) == [[1, 1], [0, 0], [0, 0]]
    assert len(table.samples) == 3


def test_columns_are_put_in_another_order_and_filled() -> None:
    samples = Samples(["1.jpg"], ["cat"], [None], ["web"])
    table = load_label_lists(samples).aligned(["dog", "cat"], absent=MISSING)
    assert matrix(table) == [[-1, 1]]


def test_what_can_not_be_read_is_refused_with_the_place(write: Callable[[str], Path]) -> None:
    path = write("path,cat\n1.jpg,1\n2.jpg,siamese\n")
    with pytest.raises(InvalidDataError, match=r"'siamese' in line 3 of photos.csv.*multi-output"):
        load_label_columns(path, ["cat"], marks=True)
    with pytest.raises(InvalidParameterError, match=r"must name columns, of 'path', 'cat'.*'dog'"):
        load_label_columns(path, ["cat", "dog"], marks=True)
    with pytest.raises(InvalidParameterError, match="different names"):
        load_label_columns(path, ["cat", "cat"], marks=True)
    with pytest.raises(InvalidParameterError, match=r"must be a \.csv"):
        load_label_columns(path.parent, ["cat"], marks=True)
    with pytest.raises(InvalidDataError, match="does not know: dog"):
        load_label_lists(Samples(["1.jpg"], ["cat|dog"], [None], ["web"]), classes=["cat"])
    with pytest.raises(InvalidDataError, match="has 3 cells"):
        load_label_columns(write("path,cat\n1.jpg,1,0\n"), ["cat"], marks=True)
    with pytest.raises(InvalidDataError, match="at least one image"):
        load_label_columns(write("path,cat\n"), ["cat"], marks=True)


def test_a_matrix_of_no_rows_has_its_columns() -> None:
    assert label_matrix([], 3).shape == (0, 3)
    assert label_matrix([("1", None)], 2).dtype == np.int64
