from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from outgroup import ImageClassifier
from outgroup.errors import InvalidDataError


@pytest.fixture
def test_photos(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    return make_folder(tmp_path / "test", ["blue", "green", "red"], 6, first=200)


def test_figures_count_what_predict_answers(
    trained: ImageClassifier, test_photos: Path, odds: Path, new: Path
) -> None:
    found, unreadable = trained.evaluate(test_photos, [odds, new / "pink"])
    assert unreadable == ()
    answers = trained.predict(test_photos)
    assert found.overall.rejected.k == sum(label is None for label in answers.labels)
    assert [c.name for c in found.classes] == ["blue", "green", "red"]
    for result in found.classes:
        labels = trained.predict(test_photos / result.name).labels
        assert (result.recall.k, result.recall.n) == (labels.count(result.name), 6)
    assert [u.name for u in found.unknown] == ["grey", "yellow", "pink"]
    for unknown, folder in zip(
        found.unknown, (odds / "grey", odds / "yellow", new / "pink"), strict=True
    ):
        labels = trained.predict(folder).labels
        assert unknown.accepted.k == sum(label is not None for label in labels)
        assert unknown.accepted.n == len(labels)
    assert found.unknown_overall is not None
    assert found.unknown_overall.accepted.n == 29


def test_known_images_alone_can_be_evaluated(trained: ImageClassifier, test_photos: Path) -> None:
    found, _ = trained.evaluate(test_photos)
    assert found.unknown == ()
    assert found.unknown_overall is None
    assert found.overall.recall.n == 18


def test_rows_labelled_other_are_unknown_ones(
    trained: ImageClassifier, test_photos: Path, new: Path
) -> None:
    files = sorted(test_photos.rglob("*.png")) + sorted((new / "pink").iterdir())
    labels = [f.parent.name if f.parent.name != "pink" else None for f in files]
    sources = [f.parent.name for f in files]
    frame = pd.DataFrame({"path": map(str, files), "label": labels, "source": sources})
    frame["label"] = frame["label"].fillna("")
    found, _ = trained.evaluate(frame)
    assert found.overall.recall.n == 18
    assert [(u.name, u.accepted.n) for u in found.unknown] == [("pink", 5)]


def test_unreadable_images_count_in_no_figure(
    trained: ImageClassifier, test_photos: Path, new: Path, tmp_path: Path
) -> None:
    (test_photos / "red" / "notes.txt").write_text("not a picture")
    (tmp_path / "unknown").mkdir()
    (tmp_path / "unknown" / "empty.png").touch()
    found, unreadable = trained.evaluate(test_photos, [new / "pink", tmp_path / "unknown"])
    assert len(unreadable) == 2
    assert all(file.reason for file in unreadable)
    assert found.overall.recall.n == 18
    assert [u.name for u in found.unknown] == ["pink"]


def test_folders_of_one_name_in_two_places_stay_apart(
    trained: ImageClassifier, test_photos: Path, new: Path, tmp_path: Path
) -> None:
    shutil.copytree(new / "pink", tmp_path / "pink")
    found, _ = trained.evaluate(test_photos, [new / "pink", tmp_path / "pink"])
    assert [u.name for u in found.unknown] == ["pink", "pink 2"]


def test_label_that_the_model_does_not_know_is_an_error(
    trained: ImageClassifier, new: Path
) -> None:
    with pytest.raises(InvalidDataError, match=r"does not know: pink\. It knows blue, green"):
        trained.evaluate(new)


def test_nothing_known_to_evaluate_on_is_an_error(
    trained: ImageClassifier, test_photos: Path
) -> None:
    for file in test_photos.rglob("*.png"):
        file.write_bytes(b"broken")
    with pytest.raises(InvalidDataError, match="at least one known image"):
        trained.evaluate(test_photos)
