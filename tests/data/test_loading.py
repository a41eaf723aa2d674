from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from outgroup.data import Samples, load_samples
from outgroup.errors import InvalidParameterError


def test_a_folder(touch):
    assert load_samples(touch("cat/1.jpg")).labels == ("cat",)


@pytest.mark.parametrize("name", ["zoo.csv", "zoo.tsv", "ZOO.CSV"])
def test_a_table_on_disk(tmp_path, name):
    (tmp_path / name).write_text("file\tlabel\n1.jpg\tcat\n")
    samples = load_samples(str(tmp_path / name), path_column="file", root="photos")
    assert samples.sources == ("photos/1.jpg",)


def test_a_frame():
    frame = pandas.DataFrame({"path": ["1.jpg"], "animal": ["cat"]})
    assert load_samples(frame, label_column="animal").labels == ("cat",)


def test_many_images():
    for images in (["1.jpg", b"2"], np.zeros((2, 3, 4, 3), np.uint8), iter(["1.jpg", "2.jpg"])):
        assert load_samples(images).labels == (None, None)


def test_samples_are_returned_as_they_are():
    samples = Samples([], [], [], [])
    assert load_samples(samples) is samples


@pytest.mark.parametrize("data", [None, 7, b"bytes", "photo.jpg", Image.new("L", (2, 2))])
def test_anything_else_is_refused(data):
    with pytest.raises(InvalidParameterError, match="The 'data' parameter must be a folder"):
        load_samples(data)


def test_a_path_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"fotos', which is not there\.$"):
        load_samples(tmp_path / "fotos")
    (tmp_path / "notes.docx").write_text("x")
    with pytest.raises(InvalidParameterError, match=r"notes\.docx' instead\.$"):
        load_samples(tmp_path / "notes.docx")
