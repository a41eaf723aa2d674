from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outgroup.data import MISSING, LabelReader, LabelTable, Samples, from_images
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.label_schema import LabelSchema

LABELS = LabelReader("labels")


def columns(*names: str) -> LabelReader:
    return LabelReader("columns", names)


def marks(*names: str) -> LabelReader:
    return LabelReader("labels", names)


def one(label: str | None) -> Samples:
    return Samples(["1.jpg"], [label], [None], ["web"])


def matrix(table: LabelTable) -> list[list[int]]:
    """1 for a label that an image has, 0 for one that it has not, -1 for one that is not known."""
    schema = table.schema()
    return schema.indicator(table.targets(schema)).tolist()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "photos.csv"
        path.write_text(text, "utf-8")
        return path

    return write


class TestOneClass:
    def test_the_only_column_holds_the_class(self, write: Callable[[str], Path]) -> None:
        table = LabelReader().read(write("path,label\n1.jpg,dog\n2.jpg,cat\n3.jpg,\n4.jpg\n"))
        assert table.cells == (("dog",), ("cat",), (None,))
        assert table.schema().class_names == ("cat", "dog")
        assert table.targets(table.schema()).tolist() == [[1], [0], [-1]]
        assert len(table.samples.unlabelled) == 1

    def test_the_column_may_have_another_name(self, write: Callable[[str], Path]) -> None:
        path = write("path,species\n1.jpg,cat\n")
        assert LabelReader("single", ("species",)).read(path).cells == (("cat",),)

    def test_a_class_that_the_schema_lacks_is_refused(self) -> None:
        table = LabelReader().read(one("dog"))
        with pytest.raises(InvalidDataError, match=r"does not know: dog\. It knows cat\."):
            table.targets(LabelSchema.single(["cat"]))

    def test_without_a_class_there_is_no_schema(self) -> None:
        for kind in ("single", "labels"):
            with pytest.raises(InvalidDataError, match="every label is empty"):
                LabelReader(kind).read(one(None)).schema()  # type: ignore[arg-type]


class TestLabels:
    def test_a_cell_may_hold_several_labels(self, write: Callable[[str], Path]) -> None:
        table = LABELS.read(write("path,label\n1.jpg,cat|dog\n2.jpg, dog |\n3.jpg,\n4.jpg\n"))
        assert table.columns == ("cat", "dog")
        assert matrix(table) == [[1, 1], [0, 1], [0, 0]]
        assert len(table.samples.unlabelled) == 1
        assert [Path(str(s)).name for s in table.samples.sources] == ["1.jpg", "2.jpg", "3.jpg"]

    def test_the_column_may_have_another_name(self, write: Callable[[str], Path]) -> None:
        assert marks("tags").read(write("path,tags\n1.jpg,a|b\n")).columns == ("a", "b")

    def test_each_label_may_be_a_column_of_marks(self, write: Callable[[str], Path]) -> None:
        text = "path,dog,cat,group\n1.jpg,1,0,g\n2.jpg,yes,TRUE,g\n3.jpg,no,\n4.jpg\n5.jpg,1\n"
        table = marks("dog", "cat").read(write(text))
        assert table.columns == ("cat", "dog")
        assert matrix(table) == [[0, 1], [1, 1], [0, 0], [-1, 1]]
        assert table.samples.groups == ("g", "g", None, None)
        assert [Path(str(s)).name for s in table.samples.unlabelled] == ["4.jpg"]
        assert table.samples.origins == ("photos",) * 4

    def test_a_frame_is_read_like_a_file(self) -> None:
        frame = pd.DataFrame(
            {"path": ["1.jpg", "2.jpg", "3.jpg"], "cat": [1, 0, None], "dog": [True, "", None]}
        )
        table = marks("cat", "dog").read(frame)
        assert matrix(table) == [[1, 1], [0, 0]]
        assert table.samples.unlabelled == ("3.jpg",)
        lists = LABELS.read(pd.DataFrame({"path": ["1.jpg"], "label": ["cat|dog"]}))
        assert lists.columns == ("cat", "dog")

    def test_a_plus_in_the_name_of_a_folder_joins_labels(self, touch: Callable[..., Path]) -> None:
        table = LABELS.read(touch("cat/1.jpg", "dog/1.jpg", "cat+dog/1.jpg"))
        assert matrix(table) == [[1, 0], [1, 1], [0, 1]]

    def test_a_folder_of_one_label_an_image_is_refused_with_the_alternatives(
        self, touch: Callable[..., Path]
    ) -> None:
        folder = touch("cat/1.jpg")
        with pytest.raises(InvalidParameterError, match=r"cat\+dog.*cat\|dog"):
            LABELS.read(folder)
        schema = LabelSchema.multi_label(["cat", "dog"])
        assert LABELS.read(folder, schema).columns == ("cat", "dog")

    def test_columns_follow_the_schema_and_labels_without_a_column_are_not_known(
        self, write: Callable[[str], Path]
    ) -> None:
        schema = LabelSchema.multi_label(["dog", "cat", "fox"])
        table = marks("cat", "dog").read(write("path,cat,dog\n1.jpg,1,0\n"), schema)
        assert table.cells == ((None, "1", MISSING),)
        assert table.targets(schema).tolist() == [[-1, 0, -2]]

    def test_a_label_that_the_schema_lacks_is_refused(self) -> None:
        with pytest.raises(InvalidDataError, match="does not know: dog"):
            LABELS.read(one("cat|dog"), LabelSchema.multi_label(["cat"]))


class TestColumns:
    def test_each_column_holds_a_class(self, write: Callable[[str], Path]) -> None:
        text = "path,animal,colour,source\n1.jpg,cat,,web\n2.jpg,,red,web\n3.jpg,dog\n"
        table = columns("animal", "colour").read(write(text))
        assert table.cells == (("cat", None), (None, "red"), ("dog", MISSING))
        assert table.samples.origins == ("web", "web", "photos")
        assert table.schema().class_names == ("animal=cat", "animal=dog", "colour=red")
        assert table.targets(table.schema()).tolist() == [[0, -1], [-1, 0], [1, -2]]
        assert table.targets(table.schema()).dtype == np.int64

    def test_a_column_without_a_class_is_refused(self, write: Callable[[str], Path]) -> None:
        table = columns("animal", "colour").read(write("path,animal,colour\n1.jpg,cat,\n"))
        with pytest.raises(InvalidDataError, match=r"Column 'colour'.*leave the column out"):
            table.schema()

    def test_a_class_that_the_schema_lacks_is_refused(self, write: Callable[[str], Path]) -> None:
        table = columns("animal").read(write("path,animal\n1.jpg,cat\n2.jpg,dog\n"))
        with pytest.raises(InvalidDataError, match=r"column 'animal' has classes .*: dog"):
            table.targets(LabelSchema.columns({"animal": ["cat"]}))


def test_negatives_have_none_of_the_labels() -> None:
    table = LABELS.read(one("cat|dog")).with_others(from_images(["2.jpg", "3.jpg"]))
    assert matrix(table) == [[1, 1], [0, 0], [0, 0]]
    assert len(table.samples) == 3
    assert table.labelled.tolist() == [True, False, False]


def test_names_and_counts_of_a_subset(write: Callable[[str], Path]) -> None:
    text = "path,animal,colour\n1.jpg,cat,red\n2.jpg,,\n3.jpg,\n4.jpg,dog\n"
    table = columns("animal", "colour").read(write(text))
    assert [table.name(i) for i in range(4)] == ["animal=cat|colour=red", "", None, "animal=dog"]
    assert table.counts() == {"animal=cat": 1, "animal=dog": 1, "colour=red": 1}
    assert table.labelled.tolist() == [True, False, False, True]
    part = table.subset([3, 1])
    assert part.cells == (("dog", MISSING), (None, None))
    assert [Path(str(s)).name for s in part.samples.sources] == ["4.jpg", "2.jpg"]
    assert LABELS.read(one("cat|dog")).name(0) == "cat|dog"
    assert LabelReader().read(one("cat")).counts() == {"cat": 1}


def test_an_empty_table_has_its_columns() -> None:
    table = LABELS.read(one("cat|dog")).subset([])
    assert table.targets(table.schema()).shape == (0, 2)


def test_a_row_for_each_image_and_a_cell_for_each_column_are_required() -> None:
    for cells in ((), (("1", "1"),), (("1",), ("1",))):
        with pytest.raises(InvalidDataError, match="a row for each of 1 images"):
            LabelTable(one(None), "labels", ("cat",), cells)


def test_invalid_tables_are_refused_with_the_place(write: Callable[[str], Path]) -> None:
    path = write("path,cat,dog\n1.jpg,1,1\n2.jpg,siamese,1\n")
    with pytest.raises(
        InvalidDataError, match=r"'cat' \(line 3 of photos.csv\).*'siamese'.*multi-output"
    ):
        marks("cat", "dog").read(path)
    with pytest.raises(InvalidParameterError, match=r"columns, 'path', 'cat', 'dog', got 'fox'"):
        marks("cat", "fox").read(path)
    with pytest.raises(InvalidParameterError, match="different names"):
        marks("cat", "cat").read(path)
    with pytest.raises(InvalidParameterError, match="different names"):
        columns().read(path)
    with pytest.raises(InvalidParameterError, match=r"must be a \.csv"):
        columns("cat").read(path.parent)
    with pytest.raises(InvalidDataError, match="has 4 cells"):
        columns("cat").read(write("path,cat,dog\n1.jpg,1,0,0\n"))
    with pytest.raises(InvalidDataError, match="at least one image"):
        columns("cat").read(write("path,cat\n"))


class TestOptionsOfAClassifier:
    def test_they_choose_what_is_read(self) -> None:
        assert LabelReader.chosen(False, False, None) == LabelReader("single")
        assert LabelReader.chosen(False, False, ["species"]) == LabelReader("single", ("species",))
        assert LabelReader.chosen(True, False, None) == LABELS
        assert LabelReader.chosen(True, False, ["cat", "dog"]) == marks("cat", "dog")
        assert LabelReader.chosen(False, True, ["animal"]) == columns("animal")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ((False, False, "species"), r"`label_columns`: must be a sequence of names, got 'sp"),
            ((True, True, ["cat"]), "`multi_label`: must be False"),
            ((False, True, None), r"`label_columns`: must be the columns .* got None"),
            ((False, True, []), r"`label_columns`: must be the columns"),
            ((False, False, ["a", "b"]), "`label_columns`: must be one name or None"),
        ],
    )
    def test_contradictions_are_refused(self, options: tuple, message: str) -> None:
        with pytest.raises(InvalidParameterError, match=message):
            LabelReader.chosen(*options)
