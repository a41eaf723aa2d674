from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from outgroup import ImageClassifier, Prediction, Predictions
from outgroup.errors import InvalidDataError, InvalidParameterError


def test_one_image_in_any_form_gives_one_answer(trained: ImageClassifier, new: Path) -> None:
    path = new / "red" / "100.png"
    with Image.open(path) as file:
        image = file.copy()
    forms = [str(path), path, path.read_bytes(), image, np.asarray(image)]
    answers = [trained.predict(form) for form in forms]
    for answer in answers:
        assert isinstance(answer, Prediction)
        assert answer.label == "red"
        assert answer.other_score == answers[0].other_score
        assert answer.probabilities == answers[0].probabilities
    assert [answer.path for answer in answers] == [str(path), str(path), None, None, None]


def test_many_images_in_any_form_give_the_same_answers(
    trained: ImageClassifier, new: Path, make_picture: Callable[[str, int], Image.Image]
) -> None:
    paths = sorted((new / "green").iterdir())
    images = [make_picture("green", int(path.stem)) for path in paths]
    arrays = [np.asarray(image) for image in images]
    expected = [trained.predict(path).other_score for path in paths]
    for many in (
        new / "green",
        str(new / "green"),
        paths,
        tuple(map(str, paths)),
        np.array(list(map(str, paths))),
        arrays,
        np.stack(arrays),
        iter(arrays),
        [paths[0], arrays[1], paths[2].read_bytes(), images[3], str(paths[4])],
    ):
        answers = trained.predict(many)
        assert isinstance(answers, Predictions)
        np.testing.assert_allclose(answers.other_score, expected, rtol=1e-9)
    assert [a.path for a in trained.predict(new / "green")] == list(map(str, paths))


def test_answers_are_decided_by_the_threshold(trained: ImageClassifier, new: Path) -> None:
    answers = trained.predict(new)
    assert answers.threshold == trained.threshold
    for answer in answers:
        assert answer.threshold == trained.threshold
        assert answer.other == (answer.other_score > trained.threshold) == (answer.label is None)
        assert answer.reason == ("unknown" if answer.other else "known")
        assert set(answer.probabilities) == set(trained.classes)
    assert [answer.label for answer in answers] == answers.labels


def test_unreadable_image_is_an_answer(trained: ImageClassifier, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    for image in (tmp_path / "notes.txt", tmp_path / "missing.png", b"", np.zeros((0, 5, 3), "u1")):
        answer = trained.predict(image)
        assert answer.reason == "unreadable"
        assert answer.error
        assert (answer.label, answer.other, answer.other_score) == (None, False, None)
        assert json.loads(answer.to_json())["probabilities"] == {}


def test_nothing_to_predict_is_an_error(trained: ImageClassifier, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="at least one image"):
        trained.predict([])
    with pytest.raises(InvalidDataError, match="has no files in it"):
        trained.predict(tmp_path)
    with pytest.raises(InvalidParameterError, match="got int"):
        trained.predict(7)


def test_array_that_is_no_picture_is_an_answer_too(trained: ImageClassifier) -> None:
    assert trained.predict(np.zeros((8, 8, 3), dtype=np.float64)).reason == "unreadable"


def test_stream_answers_in_order_like_predict(trained: ImageClassifier, new: Path) -> None:
    paths = sorted(map(str, new.rglob("*.png")))
    expected = list(trained.predict(paths))
    assert list(trained.stream(paths)) == expected
    assert list(trained.stream(path for path in paths)) == expected
    mixed: list[object] = [paths[0], Path(paths[1]).read_bytes(), "missing.png", paths[2]]
    answers = list(trained.stream(mixed))  # type: ignore[arg-type]
    assert [a.path for a in answers] == [paths[0], None, "missing.png", paths[2]]
    assert answers[2].reason == "unreadable"
    assert answers[3] == expected[2]


def test_stream_without_end_is_taken_bit_by_bit(
    model_file: Path, make_picture: Callable[[str, int], Image.Image]
) -> None:
    classifier = ImageClassifier.load(model_file, threads=2)
    image = np.asarray(make_picture("red", 0))
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield image

    answers = classifier.stream(endless())
    assert taken == 0  # nothing is done before it is asked for
    ahead = []
    for i, answer in enumerate(itertools.islice(answers, 1500), start=1):
        assert answer.label == "red"
        ahead.append(taken - i)
    assert max(ahead) < 400
    answers.close()  # type: ignore[attr-defined]
    before = taken
    assert taken == before < 1900


def test_stream_may_decide_by_another_threshold(trained: ImageClassifier, new: Path) -> None:
    paths = sorted(new.rglob("*.png"))
    lowest, highest = (list(trained.stream(paths, threshold=t)) for t in (-1e9, 10**9))
    assert all(answer.other for answer in lowest)
    assert not any(answer.other for answer in highest)
    assert [a.threshold for a in highest] == [1e9] * len(paths)
    assert json.loads(highest[0].to_json())["threshold"] == 1e9
    assert trained.threshold not in (-1e9, 1e9)


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_threshold_must_be_finite(trained: ImageClassifier, threshold: float) -> None:
    with pytest.raises(InvalidParameterError, match="`threshold`: must be a finite"):
        trained.stream([b""], threshold=threshold)


@pytest.mark.parametrize("one", ["photos", Path("photos"), b"bytes", Image.new("RGB", (9, 9))])
def test_stream_of_a_single_image_is_refused(trained: ImageClassifier, one: object) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"`images`: must be an iterable of images, got a single"
    ):
        trained.stream(one)  # type: ignore[arg-type]


def test_loaded_classifier_keeps_no_embeddings_unless_asked(
    model_file: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTGROUP_CACHE", str(tmp_path / "cache"))
    ImageClassifier.load(model_file).predict(new)
    assert not (tmp_path / "cache").exists()
    ImageClassifier.load(model_file, cache=True).predict(new)
    assert any((tmp_path / "cache").iterdir())


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are a matter of POSIX")
def test_file_name_that_is_no_text_can_be_predicted(
    trained: ImageClassifier, new: Path, tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes((new / "red" / "100.png").read_bytes())
    (answer,) = trained.predict(tmp_path)
    assert answer.label == "red"
    assert json.loads(answer.to_json())["path"] == str(tmp_path / name)


def test_size_and_format_of_the_picture_hardly_matter(
    trained: ImageClassifier, make_picture: Callable[[str, int], Image.Image]
) -> None:
    image = make_picture("blue", 7)
    large = image.resize((400, 300))
    buffer = io.BytesIO()
    large.convert("CMYK").save(buffer, "JPEG")
    for same in (large, large.convert("RGBA"), buffer.getvalue()):
        assert trained.predict(same).probabilities["blue"] > 0.5
