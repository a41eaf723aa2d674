"""Data that are rarely meant as they are, from every side: an error or a warning with the fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from outgroup import ImageClassifier
from outgroup.data import from_arrays
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError

Picture = Callable[[str, int], Image.Image]
NAN = float("nan")


@pytest.fixture
def fit(quick: str) -> Callable[..., ImageClassifier]:
    def start(data: object, other: object = None, strategy: str = "softmax") -> ImageClassifier:
        clf = ImageClassifier(strategy=strategy, backbone=quick, cache=False, progress=False)
        return clf.fit(data, other)

    return start


@pytest.fixture
def folder(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    """Twelve pictures of each of three kinds, of which one is in a folder named other."""
    made = make_folder(tmp_path / "photos", ["blue", "green", "red"], 12)
    (made / "green").rename(made / "other")
    return made


def test_one_class_alone_is_enough_for_auto_and_not_for_softmax(
    fit: Callable[..., ImageClassifier], photos: Path, make_picture: Picture
) -> None:
    reds = from_arrays(sorted((photos / "red").iterdir()), ["red"] * 25)
    clf = fit(reds, strategy="auto")
    assert clf.contents.model.strategy.name == "one-class"
    assert [clf.predict(make_picture(c, 77)).label for c in ("red", "blue")] == ["red", None]
    with pytest.raises(InvalidParameterError, match=r"only one, 'red'\. Take 'one-class'"):
        fit(reds)


def test_a_folder_named_other_is_pointed_out_with_the_option_to_give(
    fit: Callable[..., ImageClassifier], folder: Path
) -> None:
    with pytest.warns(DataWarning, match=f"--other {folder / 'other'} on the command line") as said:
        clf = fit(folder)
    assert clf.classes == ("blue", "other", "red")
    assert clf.report is not None
    assert clf.report.warnings == (str(said[0].message),)


def test_a_folder_named_other_is_no_class_where_it_is_given_as_negatives(
    fit: Callable[..., ImageClassifier], folder: Path
) -> None:
    clf = fit(folder, folder / "other", "sigmoid")
    assert clf.classes == ("blue", "red")
    assert clf.report is not None
    assert (clf.report.n_others, clf.report.contradictory, clf.report.warnings) == (12, (), ())


def test_a_class_that_is_given_as_negatives_is_pointed_out(
    fit: Callable[..., ImageClassifier], photos: Path
) -> None:
    with pytest.warns(
        DataWarning, match="folder 'green' is among the classes and was given as neg"
    ):
        clf = fit(photos, [photos / "green"], "sigmoid")
    assert clf.classes == ("blue", "red")


def test_negatives_that_are_copies_of_a_class_are_refused(
    fit: Callable[..., ImageClassifier], photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos / "red", tmp_path / "negatives")
    with pytest.raises(
        InvalidDataError, match=r"'red' and other\. .*keep each image under one lab"
    ):
        fit(photos, tmp_path / "negatives", "sigmoid")


def test_negatives_of_the_kind_of_a_class_are_pointed_out(
    fit: Callable[..., ImageClassifier], photos: Path, make_picture: Picture
) -> None:
    more = [make_picture("red", 1000 + i) for i in range(20)]
    with pytest.warns(DataWarning, match=r"of the negatives in 'memory' \(\d+ of 20, held out\)"):
        fit(photos, more, "sigmoid")


def test_copies_of_one_image_are_no_class(
    fit: Callable[..., ImageClassifier], photos: Path, make_picture: Picture
) -> None:
    images = [*sorted((photos / "red").iterdir()), *[make_picture("blue", 0)] * 6]
    with pytest.raises(InvalidDataError, match=r"All 6 images of class 'blue' are copies of one\."):
        fit(from_arrays(images, ["red"] * 25 + ["blue"] * 6))


def test_blank_images_of_different_sizes_can_not_be_told_apart(
    fit: Callable[..., ImageClassifier],
) -> None:
    blank = [Image.new("RGB", (20 + i, 20)) for i in range(8)]
    with pytest.raises(InvalidDataError, match="embeddings of all 8 images are the same"):
        fit(from_arrays(blank, ["a"] * 4 + ["b"] * 4))
    noise = np.random.default_rng(0).integers(0, 256, (4, 20, 20, 3), dtype=np.uint8)
    with pytest.warns(DataWarning, match="All 4 images of class 'a' have the same embedding"):
        fit(from_arrays([*blank[:4], *noise], ["a"] * 4 + ["b"] * 4))


@pytest.mark.parametrize("kind", ["arrays", "frame", "csv"])
def test_labels_that_are_no_names_mean_the_same_everywhere(
    kind: str, fit: Callable[..., ImageClassifier], make_picture: Picture, tmp_path: Path
) -> None:
    labels = [7] * 3 + [7.0] * 3 + ["7"] * 3 + [True] * 4 + ["other"] * 4 + [""] * 4 + ["none"] * 4
    images = []
    for i in range(len(labels) + 2):
        images.append(tmp_path / f"{i}.png")
        make_picture("red", i).save(images[-1])
    data: object
    if kind == "arrays":
        data = from_arrays(images, [*labels, None, NAN])
    elif kind == "frame":
        data = pd.DataFrame({"path": images, "label": pd.Series([*labels, "", NAN], dtype=object)})
    else:
        lines = [f"{image},{label}" for image, label in zip(images, [*labels, ""], strict=False)]
        data = tmp_path / "labels.csv"
        data.write_text("\n".join(["path,label", *lines, str(images[-1])]))
    if kind == "csv":  # a text file can't tell 7.0 from "7.0"
        data.write_text(data.read_text().replace(",7.0", ",7"))  # type: ignore[attr-defined]
    with pytest.warns(DataWarning) as said:
        clf = fit(data)
    assert clf.classes == ("7", "True", "none", "other")
    assert clf.report is not None
    assert clf.report.class_counts == {"7": 9, "True": 4, "none": 4, "other": 4}
    assert (clf.report.n_others, clf.report.n_unlabelled) == (5, 1)
    assert [str(w.message)[:24] for w in said[:2]] == [
        "A class is named 'none',",
        "A class is named 'other'",
    ]
