"""Folders of images and archives."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from outgroup.data import from_images
from outgroup.errors import InvalidDataError, PoolSourceError
from outgroup.pool.sources import open_source

PNG = Callable[..., bytes]


@pytest.fixture
def photos(tmp_path: Path, png: PNG) -> Path:
    root = tmp_path / "photos"
    for number, name in enumerate(("b/2.png", "b/1.png", "a/deep/3.png", "top.png", "a/.x.png")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(number))
    return root


def test_images_come_as_in_a_folder_of_negatives(photos: Path) -> None:
    read = list(open_source(photos))
    samples = from_images(photos)
    assert [i.image for i in read] == list(samples.sources)
    assert [i.source for i in read] == list(samples.origins) == ["a", "b", "b", "photos"]
    assert [i.origin for i in read] == list(samples.sources)
    assert open_source(photos).length() == 4


def test_hidden_files_are_counted(photos: Path) -> None:
    source = open_source(str(photos), name="mine")
    assert {i.source for i in source} == {"mine"}
    assert source.skipped_reasons == {"a hidden or system file": 1}
    assert {i.source for i in source} == {"mine"}
    assert source.n_skipped == 1  # not twice, when it is read again


def test_archives_inside_are_read_in_their_place(photos: Path, png: PNG) -> None:
    with zipfile.ZipFile(photos / "b" / "11.zip", "w") as archive:
        archive.writestr("x.png", png(20))
        archive.writestr("sofas/y.png", png(21))
    read = [(Path(i.origin).name, i.source) for i in open_source(photos)]
    assert read == [
        ("3.png", "a"),
        ("1.png", "b"),
        ("11.zip!x.png", "b"),
        ("y.png", "sofas"),
        ("2.png", "b"),
        ("top.png", "photos"),
    ]
    assert open_source(photos).length() is None


def test_damaged_archive_keeps_nothing_from_being_read(photos: Path) -> None:
    (photos / "a" / "0.zip").write_bytes(b"PK, and no more")
    read = []
    with pytest.raises(PoolSourceError, match=r"gave 4 images.*0\.zip"):
        read.extend(open_source(photos))
    assert len(read) == 4


def test_empty_folder_is_an_error_that_says_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    with pytest.raises(InvalidDataError, match=r"1 a hidden or system file \(.*Thumb"):
        list(open_source(tmp_path))


def test_list_of_what_is_skipped_is_bounded(tmp_path: Path, png: PNG) -> None:
    for number in range(300):
        (tmp_path / f".{number}").touch()
    (tmp_path / "1.png").write_bytes(png(1))
    source = open_source(tmp_path)
    assert len(list(source)) == 1
    assert len(source.skipped) == 100
    assert source.n_skipped == 300
