"""Model files, and the ways in which an image may be given: they change no answer."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from expectations import CLOSE_IN_FLOAT32, check, differences, plain, read
from images_data import MadeImages
from PIL import Image
from surface import CONTRACT, answers, error_of, explained, guarantees

import outgroup
from outgroup.errors import DataWarning, ModelFileError

MORE = ("other_scores", "thresholds", "outputs")


def models(made: MadeImages) -> dict[str, Callable[[], Any]]:
    """Return how to get a model of each kind, by name."""
    return {
        "classes": lambda: made.single,
        "labels": lambda: made.labels,
        "columns": lambda: made.columns,
        "names": lambda: made.classifier(strategy="auto", map={"dog": ["pug", "beagle"]}).fit(),
        "blend": lambda: made.classifier(strategy="blend", seed=4).fit(made.photos),
        "a network": lambda: made.classifier(backbone=made.network).fit(made.photos),
    }


KINDS = ("classes", "labels", "columns", "names", "blend", "a network")


def members(made: MadeImages) -> Any:
    """Return the members of the file of each kind of model."""
    found = {}
    for name, make in models(made).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            file = make().save(made.root / "members.outgroup")
        with zipfile.ZipFile(file) as archive:
            found[name] = sorted(archive.namelist())
            assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    return found


def explanations(made: MadeImages) -> Any:
    """Return why images are answered as they are, with the training images that are nearest."""
    found = made.single.predict(made.asked)
    lines = [explained(prediction) for prediction in found]
    few = [explained(one) for one in made.single.predict(made.asked[:2], nearest=2)]
    return made.named([lines, few])


def lines(made: MadeImages) -> Any:
    """Return a whole JSON line of each kind of model, of a known image and of a broken one."""
    asked = [made.asked[0], made.asked[-1]]
    return made.named(
        {
            kind: [
                {**line, "error": bool(line["error"])}
                for line in answers(models(made)[kind]().predict(asked), *MORE)
            ]
            for kind in ("classes", "labels", "columns")
        }
    )


def streamed(made: MadeImages) -> Any:
    """Return the answers of streams, by the model's own threshold and by another one."""
    own = made.single.stream(iter(made.asked[7:12]))
    moved = made.single.stream(list(made.asked[7:12]), threshold=-0.5, nearest=0)
    shifted = made.labels.stream(list(made.asked[7:12]), threshold=2.0)
    return made.named(
        [
            [[line["label"], line["other_score"], line["threshold"]] for line in answers(some)]
            for some in (own, moved, shifted)
        ]
    )


CASES: dict[str, Callable[[MadeImages], Any]] = {
    "members": members,
    "explanations": explanations,
    "lines": lines,
    "streams": streamed,
}


@pytest.mark.parametrize("case", CASES)
def test_files_and_answers_are_as_recorded(case: str, made: MadeImages) -> None:
    check("images_files", case, CASES[case](made), CLOSE_IN_FLOAT32)


def test_every_recorded_case_is_computed() -> None:
    assert {*read("images_files")} == {*CASES}


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_answers_as_the_saved_one(
    kind: str, made: MadeImages, tmp_path: Path
) -> None:
    classifier = models(made)[kind]()
    file = classifier.save(tmp_path / "model.outgroup")
    loaded = outgroup.load(file)
    asked = made.asked[::3]
    before, after = (answers(one.predict(asked), *MORE) for one in (classifier, loaded))
    assert not differences(plain(after), plain(before))
    assert loaded.classes == classifier.classes
    assert guarantees(loaded.certificate) == guarantees(classifier.certificate)
    if kind not in ("labels", "columns"):
        assert loaded.threshold == classifier.threshold
        one, two = (explained(clf.predict(asked[0])) for clf in (classifier, loaded))
        assert one == two
    assert loaded.save(tmp_path / "again.outgroup").read_bytes() == file.read_bytes()


def test_a_loaded_model_can_be_fitted_again(made: MadeImages, tmp_path: Path) -> None:
    loaded = outgroup.load(made.single.save(tmp_path / "model.outgroup"), cache=True)
    loaded.fit(made.photos, other=made.odd)
    assert loaded.threshold == made.single.threshold


def test_paths_of_training_images_may_be_left_out(made: MadeImages, tmp_path: Path) -> None:
    file = made.single.save(tmp_path / "model.outgroup", paths=False)
    assert b"circle-red" not in file.read_bytes()
    nearest = outgroup.load(file).predict(made.asked[0]).nearest
    assert [one.path for one in nearest] == [None] * 5
    assert {one.label for one in nearest} == {"circle"}


def test_a_damaged_file_is_refused(made: MadeImages, tmp_path: Path) -> None:
    file = made.single.save(tmp_path / "model.outgroup")
    data = file.read_bytes()
    broken = {
        "half": data[: len(data) // 2],
        "empty": b"",
        "no zip": b"no zip at all",
        "changed": data.replace(b'"threshold"', b'"threshald"'),
        "foreign": data.replace(b"outgroup-model", b"outgroup-muddle"),
    }
    for name, content in broken.items():
        path = tmp_path / f"{name}.outgroup"
        path.write_bytes(content)
        with pytest.raises(ModelFileError):
            outgroup.load(path)
    assert error_of(lambda: outgroup.load(tmp_path / "no-such.outgroup"))["error"]


def test_an_image_is_the_same_however_it_is_given(made: MadeImages, tmp_path: Path) -> None:
    path = Path(made.asked[0])
    image = Image.open(path)
    png = io.BytesIO()
    image.save(png, "png")
    image.save(tmp_path / "same.PNG")
    ways: dict[str, Any] = {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "image": image,
        "array": np.asarray(image),
        "png": png.getvalue(),
        "png file": tmp_path / "same.PNG",
        "RGBA": image.convert("RGBA"),
    }
    for classifier in (made.single, made.labels, made.columns):
        expected = answers([classifier.predict(str(path))], *MORE)[0]
        for name, source in ways.items():
            found = answers([classifier.predict(source)], *MORE)[0]
            given = str(source) if name in ("path", "text", "png file") else None
            assert found["path"] == given
            assert not differences(
                plain({**found, "path": None}), plain({**expected, "path": None})
            )


def test_one_image_gives_one_answer_and_many_give_many(made: MadeImages) -> None:
    one = made.single.predict(made.asked[0])
    assert isinstance(one, outgroup.Prediction)
    many = made.single.predict([made.asked[0]])
    assert isinstance(many, outgroup.Predictions)
    assert [line.label for line in many] == [one.label] == ["circle"]
    folder = made.single.predict(made.new)
    assert sorted(line["path"] for line in answers(folder)) == made.asked[:9]
    assert len(folder) == 9


def test_what_can_not_be_read_is_answered_with_the_reason(made: MadeImages) -> None:
    missing = str(made.root / "no-such.bmp")
    for classifier in (made.single, made.labels, made.columns):
        found = answers(classifier.predict([str(made.broken), missing, b"no image"]), *MORE)
        for line in found:
            assert (line["label"], line["labels"], line["other"]) == (None, [], False)
            assert (line["reason"], line["other_score"], line["threshold"]) == (
                "unreadable", None, None
            )  # fmt: skip
            assert line["probabilities"] == {}
            assert isinstance(line["error"], str)
            assert line["error"]
        assert [line["path"] for line in found] == [str(made.broken), missing, None]
        alone = classifier.predict(made.broken)
        assert not alone.other
        assert alone.reason == "unreadable"


def test_a_line_of_json_has_the_fields_of_the_contract_in_order(made: MadeImages) -> None:
    more = {
        "single": [],
        "labels": ["other_scores", "thresholds"],
        "columns": ["other_scores", "thresholds", "outputs"],
    }
    for kind, fields in more.items():
        prediction = getattr(made, kind).predict(made.asked[0])
        line = json.loads(prediction.to_json())
        assert [key for key in line if key in (*CONTRACT, *MORE)] == [*CONTRACT, *fields]
        assert line == prediction.to_dict()


def test_answers_do_not_depend_on_threads_or_on_other_images(made: MadeImages) -> None:
    classifier = made.classifier(threads=2, cache=False).fit(made.photos, other=made.odd)
    expected = answers(made.single.predict(made.asked))
    for found in (
        answers(classifier.predict(made.asked)),
        [line for path in made.asked for line in answers([classifier.predict(path)])],
    ):
        for line, recorded in zip(found, expected, strict=True):
            score = recorded["other_score"]
            assert line["label"] == recorded["label"]
            assert line["other_score"] == (score and pytest.approx(score, rel=1e-3))
