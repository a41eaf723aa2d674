"""CSV files and DataFrames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from outgroup.errors import InvalidDataError
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text("path,label,source,group\na/1.jpg,cat,sofas,g1\n/abs/2.jpg,,,\n3.jpg\n")
    assert [(i.image, i.source, i.origin, i.group) for i in open_source(path)] == [
        (str(tmp_path / "a/1.jpg"), "sofas", str(tmp_path / "a/1.jpg"), "g1"),
        ("/abs/2.jpg", "web", "/abs/2.jpg", None),
        (str(tmp_path / "3.jpg"), "web", str(tmp_path / "3.jpg"), None),
    ]
    assert {i.source for i in open_source(path, name="mine")} == {"mine"}


def test_urls_and_empty_cells_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "web.tsv"
    path.write_text("path\tgroup\n1.jpg\tg\nHTTPS://a.example/2.jpg\t\n\tg\n")
    source = open_source(path)
    assert [i.origin for i in source] == [str(tmp_path / "1.jpg")]
    assert "img2dataset" in source.skipped[0].reason
    assert (source.skipped[1].path, source.skipped[1].reason) == (
        "line 4 of web.tsv",
        "names no image",
    )


def test_column_of_urls_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text("url,caption\nhttps://a.example/1.jpg,x\n")
    with pytest.raises(InvalidDataError, match=r"column 'path'.*'url' is of URLs.*not downloaded"):
        list(open_source(path))


def test_other_columns_and_broken_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "web.csv"
    path.write_text("photo\n1.jpg\n")
    with pytest.raises(InvalidDataError, match="its columns are 'photo'"):
        list(open_source(path))
    path.write_text("path,group\n1.jpg,a\n2.jpg,b,c\n")
    with pytest.raises(InvalidDataError, match=r"Line 3 of web\.csv"):
        list(open_source(path))
    path.write_text("path\n")
    with pytest.raises(InvalidDataError, match="no image in"):
        list(open_source(path))


def test_missing_csv_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a CSV file"):
        list(open_source(tmp_path / "none.csv"))


def test_dataframe_is_a_table_and_not_a_list_of_its_columns(png: PNG) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"path": ["a/1.jpg", png(1), None], "source": ["s", None, None], "group": [1, None, 2]}
    )
    source = open_source(frame)
    read = list(source)
    assert [(i.image, i.source, i.group) for i in read] == [
        ("a/1.jpg", "s", "1"),
        (png(1), "DataFrame", None),
    ]
    assert source.length() == 3
    assert source.skipped_reasons == {"names no image": 1}
