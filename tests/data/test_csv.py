from __future__ import annotations

import os

import pytest

from outgroup.data import from_csv
from outgroup.errors import InvalidDataError, InvalidParameterError


@pytest.fixture
def write(tmp_path):
    def written(content: str | bytes):
        path = tmp_path / "zoo.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def test_each_line_is_a_sample(write, tmp_path):
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
def test_what_spreadsheets_write(write, delimiter, newline, encoding):
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
def test_a_column_that_is_not_there_is_named(write, parameter):
    path = write("path,label\n1.jpg,cat\n")
    with pytest.raises(InvalidParameterError, match=r"columns, 'path', 'label'. Got 'specis'"):
        from_csv(path, **{f"{parameter}_column": "specis"})


def test_without_a_header_the_columns_found_are_shown(write):
    with pytest.raises(InvalidParameterError, match=r"'1.jpg', 'cat'\. Got 'path' instead"):
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
def test_mistakes_are_told_with_their_line(write, content, message):
    with pytest.raises(InvalidDataError, match=message):
        from_csv(write(content))


def test_an_empty_file_has_no_columns(write):
    with pytest.raises(InvalidParameterError, match="path_column"):
        from_csv(write(""))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidParameterError, match=r"no\.csv' instead: No such file"):
        from_csv(tmp_path / "no.csv")
