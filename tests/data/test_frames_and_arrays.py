from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from outgroup.data import from_arrays, from_frame
from outgroup.errors import InvalidDataError, InvalidParameterError

MISSING = [float("nan"), np.nan, np.float32("nan"), pandas.NA, pandas.NaT]


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

    def test_anything_with_columns_will_do(self):
        class Table(dict):
            columns = ("path", "label")

            def __len__(self):
                return 1

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
    def test_other_labels_are_refused_with_their_place(self, label):
        with pytest.raises(InvalidDataError, match=r"label \(row 1\) must be text or a number"):
            from_arrays(["1", "2"], ["cat", label])

    def test_lengths_must_agree(self):
        with pytest.raises(InvalidDataError, match="Got 2 images, 1 labels, 2 groups, 2 sources"):
            from_arrays(["1", "2"], ["cat"])

    @pytest.mark.parametrize("images", ["folder", b"bytes", Image.new("L", (2, 2)), None])
    def test_a_single_image_is_not_many(self, images):
        with pytest.raises(InvalidParameterError, match="must be a sequence of images"):
            from_arrays(images, ["cat"])

    def test_no_image(self):
        with pytest.raises(InvalidDataError, match="at least one image"):
            from_arrays([], [])


def test_paths_like_are_strings_in_the_end():
    samples = from_arrays([Path("a/b.jpg")], ["cat"])
    assert samples.sources == (os.path.join("a", "b.jpg"),)
