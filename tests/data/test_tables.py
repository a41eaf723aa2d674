from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from outgroup.data import Samples, from_arrays, from_csv, from_frame, load_samples
from outgroup.errors import InvalidDataError, InvalidParameterError

MISSING = [float("nan"), np.nan, np.float32("nan"), pandas.NA, pandas.NaT]


@pytest.fixture
def write(tmp_path):
    def written(content: str | bytes):
        path = tmp_path / "zoo.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def test_each_line_of_a_csv_file_is_a_sample(write, tmp_path):
    samples = from_csv(write("path,label,group,source\na/1.jpg,cat,burst 1,web\n/b.jpg,dog,,\n"))
    assert samples.sources == (os.path.join(tmp_path, "a/1.jpg"), "/b.jpg")
    assert samples.labels == ("cat", "dog")
    assert samples.groups == ("burst 1", None)
    assert samples.origins == ("web", "zoo")
    assert samples.skipped == samples.unlabelled == ()


def test_an_empty_label_is_other_and_a_missing_one_unlabelled(write):
    samples = from_csv(write('path,label\n1.jpg,cat\n2.jpg,\n3.jpg\n4.jpg,""\n5.jpg,  \n'), root="")
    assert samples.sources == ("1.jpg", "2.jpg", "4.jpg", "5.jpg")
    assert samples.labels == ("cat", None, None, None)
    assert samples.unlabelled == ("3.jpg",)


def test_without_a_column_of_labels_all_are_unlabelled(write):
    samples = from_csv(write("path\n1.jpg\n2.jpg\n"), root="photos")
    assert len(samples) == 0
    assert samples.unlabelled == ("photos/1.jpg", "photos/2.jpg")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_spreadsheets_are_read(write, delimiter, newline, encoding):
    rows = [["path", "label"], ['"a, b; c.jpg"', " Bär "], [], ['"say ""hi"".jpg"', "7"]]
    text = newline.join(delimiter.join(row) for row in rows)
    samples = from_csv(write(text.encode(encoding)), root="")
    assert samples.sources == ("a, b; c.jpg", 'say "hi".jpg')
    assert samples.labels == ("Bär", "7")


def test_columns_of_other_names_and_in_any_order(write):
    samples = from_csv(
        write("species, patient ,site,file\ncat,p1,Kiel,1.jpg\n"),
        root="",
        path_column="file",
        label_column="species",
        group_column="patient",
        source_column="site",
    )
    assert samples.sources == ("1.jpg",)
    assert (samples.labels, samples.groups, samples.origins) == (("cat",), ("p1",), ("Kiel",))


@pytest.mark.parametrize("parameter", ["path", "label", "group", "source"])
def test_an_absent_column_is_named(write, parameter):
    path = write("path,label\n1.jpg,cat\n")
    with pytest.raises(InvalidParameterError, match=r"columns, 'path', 'label', got 'specis'"):
        from_csv(path, **{f"{parameter}_column": "specis"})


def test_without_a_header_the_columns_found_are_shown(write):
    with pytest.raises(InvalidParameterError, match=r"'1.jpg', 'cat', got 'path'"):
        from_csv(write("1.jpg,cat\n2.jpg,dog\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\n1.jpg,cat\n2.jpg,a,b\n", "Line 3 of zoo.csv has 3 cells, the header 2"),
        ("path,label\n1.jpg,cat\n\n,dog\n", "none in line 4 of zoo.csv"),
        ("label,path\ncat,1.jpg\ncat\n", "none in line 3 of zoo.csv"),
        ('path,label\n1.jpg,cat\n"2.jpg,dog\n', "Line 3 of zoo.csv can't be read as CSV"),
        ('path,label\n"1\n.jpg",cat\n"2.jpg" x,dog\n', "Line 4 of zoo.csv can't be read as CSV"),
        ("path,label\n", "at least one image"),
        ("path,label\n1.jpg,Bär\n".encode("latin-1"), "UTF-8. Line 2 is not"),
    ],
)
def test_errors_name_the_line(write, content, message):
    with pytest.raises(InvalidDataError, match=message):
        from_csv(write(content))


def test_an_empty_file_has_no_columns(write):
    with pytest.raises(InvalidParameterError, match="path_column"):
        from_csv(write(""))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidParameterError, match=r"no\.csv': No such file"):
        from_csv(tmp_path / "no.csv")


class TestFrame:
    def test_each_row_is_a_sample(self):
        frame = pandas.DataFrame(
            {
                "path": ["1.jpg", "/2.jpg"],
                "label": ["cat", ""],
                "group": [1.0, None],
                "source": ["web", None],
            },
            index=[7, 7],
        )
        samples = from_frame(frame, root="photos")
        assert samples.sources == ("photos/1.jpg", "/2.jpg")
        assert samples.labels == ("cat", None)
        assert samples.groups == ("1", None)
        assert samples.origins == ("web", "DataFrame")

    @pytest.mark.parametrize("dtype", ["object", "string", "category"])
    @pytest.mark.parametrize("missing", [None, *MISSING])
    def test_a_missing_label_is_unlabelled(self, dtype, missing):
        labels = pandas.Series(["cat", missing, ""], dtype=dtype)
        samples = from_frame(pandas.DataFrame({"path": ["1", "2", "3"], "label": labels}))
        assert samples.labels == ("cat", None)
        assert samples.unlabelled == ("2",)

    def test_integers_that_a_missing_one_turned_into_floats(self):
        frame = pandas.DataFrame({"path": ["1", "2", "3"], "label": [7, None, 8]})
        assert from_frame(frame).labels == ("7", "8")

    def test_without_a_column_of_labels_all_are_unlabelled(self):
        assert from_frame(pandas.DataFrame({"path": ["1", "2"]})).unlabelled == ("1", "2")

    def test_cells_may_be_images(self):
        cells = [Path("a.jpg"), b"bytes", Image.new("L", (2, 2)), np.zeros((2, 2), np.uint8)]
        frame = pandas.DataFrame({"image": pandas.Series(cells, dtype=object), "label": "cat"})
        samples = from_frame(frame, path_column="image", root="photos")
        assert samples.sources[0] == "photos/a.jpg"
        assert all(a is b for a, b in zip(samples.sources[1:], cells[1:], strict=True))

    @pytest.mark.parametrize("cell", [None, float("nan"), "", 7])
    def test_a_row_without_an_image_is_named(self, cell):
        frame = pandas.DataFrame({"path": pandas.Series(["1.jpg", cell], dtype=object)})
        with pytest.raises(InvalidDataError, match="none in row 1"):
            from_frame(frame)

    def test_no_rows_and_no_columns(self):
        with pytest.raises(InvalidDataError, match="at least one image"):
            from_frame(pandas.DataFrame({"path": []}))
        with pytest.raises(InvalidParameterError, match="path_column"):
            from_frame(pandas.DataFrame({"file": ["1.jpg"]}))

    def test_any_object_with_columns_is_read_like_a_frame(self):
        class Table(dict):
            columns = ("path", "label")

        assert from_frame(Table(path=["1.jpg"], label=["cat"])).labels == ("cat",)


class TestArrays:
    def test_labels_become_python_strings_of_full_length(self):
        samples = from_arrays(["1", "2", "3"], np.array(["ox", "cat", "giraffe"]))
        assert samples.labels == ("ox", "cat", "giraffe")
        assert {type(label) for label in samples.labels} == {str}

    @pytest.mark.parametrize(
        ("label", "expected"),
        [
            (7, "7"),
            (np.int64(7), "7"),
            (7.0, "7"),
            (np.float32(7.0), "7"),
            (7.5, "7.5"),
            (np.float32(0.1), "0.1"),
            (10**400, "1" + "0" * 400),
            (True, "True"),
            (np.bool_(False), "False"),
            (" cat\n", "cat"),
            (np.str_("cat"), "cat"),
            ("", None),
            (None, None),
        ],
    )
    def test_numbers_and_text(self, label, expected):
        assert from_arrays(["1.jpg"], [label]).labels == (expected,)

    @pytest.mark.parametrize("missing", MISSING)
    def test_nan_is_unlabelled(self, missing):
        samples = from_arrays(["1", "2"], ["cat", missing], groups=["a", "b"])
        assert samples.labels == ("cat",)
        assert samples.groups == ("a",)
        assert samples.unlabelled == ("2",)

    def test_groups_and_sources(self):
        samples = from_arrays(["1", "2"], [1, 2], groups=[3, np.nan], sources=["web", None])
        assert samples.groups == ("3", None)
        assert samples.origins == ("web", "memory")

    def test_one_array_of_many_images(self):
        images = np.zeros((3, 4, 5, 3), np.uint8)
        samples = from_arrays(images, [1, 2, 3])
        assert all(np.shares_memory(source, images) for source in samples.sources)

    @pytest.mark.parametrize("label", [["cat", "dog"], {"cat"}, b"cat", object()])
    def test_an_invalid_label_is_refused_with_its_place(self, label):
        with pytest.raises(InvalidDataError, match=r"'label' \(row 1\): must be text or a number"):
            from_arrays(["1", "2"], ["cat", label])

    def test_lengths_must_agree(self):
        with pytest.raises(InvalidDataError, match="got 2 images, 1 labels, 2 groups, 2 sources"):
            from_arrays(["1", "2"], ["cat"])

    @pytest.mark.parametrize("images", ["folder", b"bytes", Image.new("L", (2, 2)), None])
    def test_a_single_image_is_not_many(self, images):
        with pytest.raises(InvalidParameterError, match="must be a sequence of images"):
            from_arrays(images, ["cat"])

    def test_no_image(self):
        with pytest.raises(InvalidDataError, match="at least one image"):
            from_arrays([], [])


def test_path_objects_become_strings():
    samples = from_arrays([Path("a/b.jpg")], ["cat"])
    assert samples.sources == (os.path.join("a", "b.jpg"),)


def test_a_folder_is_loaded(touch):
    assert load_samples(touch("cat/1.jpg")).labels == ("cat",)


@pytest.mark.parametrize("name", ["zoo.csv", "zoo.tsv", "ZOO.CSV"])
def test_a_table_is_recognised_by_its_ending(tmp_path, name):
    (tmp_path / name).write_text("path\tspecies\n1.jpg\tcat\n")
    samples = load_samples(str(tmp_path / name), label_column="species")
    assert samples.sources == (str(tmp_path / "1.jpg"),)
    assert samples.labels == ("cat",)


def test_a_frame_is_loaded():
    frame = pandas.DataFrame({"path": ["1.jpg"], "animal": ["cat"]})
    assert load_samples(frame, label_column="animal").labels == ("cat",)


def test_images_without_labels_are_loaded_as_other():
    for images in (["1.jpg", b"2"], np.zeros((2, 3, 4, 3), np.uint8), iter(["1.jpg", "2.jpg"])):
        assert load_samples(images).labels == (None, None)


def test_samples_are_returned_as_they_are():
    samples = Samples([], [], [], [])
    assert load_samples(samples) is samples


@pytest.mark.parametrize("data", [None, 7, b"bytes", "photo.jpg", Image.new("L", (2, 2))])
def test_anything_else_is_refused(data):
    with pytest.raises(InvalidParameterError, match="Invalid `data`: must be a folder"):
        load_samples(data)


def test_an_absent_path_is_said_to_be_absent(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"fotos', which is not there\.$"):
        load_samples(tmp_path / "fotos")
    (tmp_path / "notes.docx").write_text("x")
    with pytest.raises(InvalidParameterError, match=r"notes\.docx'\.$"):
        load_samples(tmp_path / "notes.docx")
