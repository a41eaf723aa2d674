from __future__ import annotations

import json
import os
import random
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import outgroup
from outgroup import ImageClassifier
from outgroup.artifact import FORMAT_VERSION
from outgroup.data import from_arrays, from_folder
from outgroup.strategies import STRATEGIES


@pytest.mark.parametrize(
    "strategy",
    [*STRATEGIES.names(), "softmax:openmax", "softmax:kl-matching", "detector:answer-profile"],
)
def test_every_strategy_answers_the_same_after_loading(
    strategy: str, quick: str, photos: Path, odds: Path, new: Path, tmp_path: Path
) -> None:
    fitted = ImageClassifier(strategy=strategy, backbone=quick).fit(photos, other=odds)
    loaded = outgroup.load(fitted.save(tmp_path / "model.outgroup"))

    before, after = fitted.predict(new), loaded.predict(new)
    assert after.labels == before.labels
    np.testing.assert_allclose(after.other_score, before.other_score, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(after.class_scores, before.class_scores, rtol=1e-9, atol=1e-12)
    assert loaded.contents.model.strategy.name == strategy.partition(":")[0]
    assert loaded.classes == fitted.classes
    assert loaded.threshold == fitted.threshold
    assert loaded.certificate == fitted.certificate
    assert loaded.contents.training == fitted.contents.training


def test_held_out_scores_travel_with_the_model(trained: ImageClassifier, model_file: Path) -> None:
    before, after = trained.contents.model, outgroup.load(model_file).contents.model
    np.testing.assert_array_equal(after.known_scores, before.known_scores)
    np.testing.assert_array_equal(after.other_scores, before.other_scores)
    assert len(after.known_scores) == 75
    assert len(after.other_scores) == 24


def test_loaded_model_can_be_saved_again_to_the_same_bytes(
    model_file: Path, tmp_path: Path
) -> None:
    again = outgroup.load(model_file).save(tmp_path / "again.outgroup")
    assert again.read_bytes() == model_file.read_bytes()


def test_options_of_training_come_back(
    quick: str, photos: Path, odds: Path, tmp_path: Path
) -> None:
    fitted = ImageClassifier(
        strategy="softmax",
        backbone=quick,
        max_known_rejected=0.2,
        max_other_accepted=0.9,
        confidence=0.9,
        seed=3,
    ).fit(photos, other=odds)
    loaded = outgroup.load(fitted.save(tmp_path / "model.outgroup"))
    assert (loaded.strategy, loaded.budget, loaded.seed) == ("softmax", fitted.budget, 3)
    assert loaded.budget.max_known_rejected == 0.2


def test_file_is_a_plain_zip_without_dates_and_pickles(model_file: Path) -> None:
    with zipfile.ZipFile(model_file) as archive:
        names = archive.namelist()
        assert names == ["manifest.json", "arrays.npz", "backbone.onnx"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        manifest = json.loads(archive.read("manifest.json"))
        with archive.open("arrays.npz") as file, np.load(file, allow_pickle=False) as arrays:
            assert "strategies.0.head.coef" in arrays
            assert "golden.image" in arrays
    assert list(manifest)[:2] == ["format", "format_version"]
    assert manifest["format_version"] == FORMAT_VERSION == 1


def train_here(photos: Path, odds: Path, quick: str, out: Path, **options: object) -> bytes:
    classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False, **options)  # type: ignore[arg-type]
    return classifier.fit(photos, other=odds).save(out).read_bytes()


def test_names_and_order_of_files_change_nothing_but_the_paths_that_are_kept(
    photos: Path, odds: Path, quick: str, trained: ImageClassifier, tmp_path: Path
) -> None:
    renamed = tmp_path / "other name"
    dice = random.Random(0)
    for file in sorted(photos.rglob("*.png")):
        folder = renamed / file.parent.name / f"sub{dice.randrange(3)}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / f"{dice.random()}.png")
    classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    found = classifier.fit(renamed, other=odds).save(tmp_path / "found.outgroup", paths=False)
    expected = trained.save(tmp_path / "expected.outgroup", paths=False)
    assert found.read_bytes() == expected.read_bytes()


def test_paths_of_training_images_can_be_left_out(
    trained: ImageClassifier, photos: Path, new: Path, tmp_path: Path
) -> None:
    path = trained.save(tmp_path / "model.outgroup", paths=False)
    assert str(photos).encode() not in path.read_bytes()
    assert str(photos).encode() in trained.save(tmp_path / "with.outgroup").read_bytes()
    for answer, expected in zip(
        outgroup.load(path).predict(new), trained.predict(new), strict=True
    ):
        assert {near.path for near in answer.nearest} == {None}
        assert [(near.label, near.distance) for near in answer.nearest] == [
            (near.label, near.distance) for near in expected.nearest
        ]
        assert answer.reason == expected.reason
    again = outgroup.load(path).save(tmp_path / "again.outgroup", paths=False)
    assert again.read_bytes() == path.read_bytes()


def test_order_of_files_and_of_copies_does_not_change_the_bytes(
    photos: Path, odds: Path, quick: str, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    for name in ("a.png", "z.png"):
        shutil.copy(photos / "red" / "003.png", tmp_path / "photos" / "red" / name)
    samples = from_folder(tmp_path / "photos")
    order = list(range(len(samples)))
    found = set()
    for rows in (order, order[::-1], random.Random(0).sample(order, len(order))):
        classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
        fitted = classifier.fit(samples.subset(rows), other=odds)
        found.add(fitted.save(tmp_path / "model.outgroup").read_bytes())
        nearest = fitted.predict(photos / "red" / "003.png").nearest[0]
        assert nearest.path == str(tmp_path / "photos" / "red" / "003.png")
    assert len(found) == 1


def test_order_of_groups_of_copies_does_not_change_the_bytes(
    make_picture: Callable, quick: str, tmp_path: Path
) -> None:
    rows = [
        (make_picture(colour, i), colour, f"burst {i // 2}")
        for colour in ("blue", "red")
        for i in range(30)
    ]
    # The same picture in three bursts: whichever is met first, all copies stay together.
    rows += [(make_picture("blue", 4), "blue", "burst 9"), (make_picture("blue", 4), "blue", None)]
    found = set()
    for order in (rows, rows[::-1], random.Random(1).sample(rows, len(rows))):
        samples = from_arrays(*zip(*order, strict=True))
        classifier = ImageClassifier(strategy="softmax", backbone=quick, cache=False).fit(samples)
        found.add(classifier.save(tmp_path / "model.outgroup").read_bytes())
    assert len(found) == 1


def test_second_process_with_other_threads_writes_the_same_bytes(
    photos: Path, odds: Path, quick: str, model_file: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from outgroup import ImageClassifier\n"
        "photos, odds, quick, out = sys.argv[1:]\n"
        "c = ImageClassifier(strategy='sigmoid', backbone=quick, cache=False, threads=3)\n"
        "c.fit(photos, other=odds).save(out)\n"
    )
    out = tmp_path / "model.outgroup"
    arguments = [sys.executable, "-c", code, str(photos), str(odds), quick, str(out)]
    other = {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    subprocess.run(arguments, check=True, env={**os.environ, **other})
    assert out.read_bytes() == model_file.read_bytes()


def test_seed_decides_the_folds_and_with_them_the_bytes(
    photos: Path, odds: Path, quick: str, model_file: Path, tmp_path: Path
) -> None:
    found = train_here(photos, odds, quick, tmp_path / "model.outgroup", seed=1)
    assert found != model_file.read_bytes()
    scores = outgroup.load(tmp_path / "model.outgroup").contents.model.known_scores
    assert not np.array_equal(scores, outgroup.load(model_file).contents.model.known_scores)


def test_network_of_ones_own_travels_in_the_file(
    network_file: Path, photos: Path, new: Path, tmp_path: Path
) -> None:
    fitted = ImageClassifier(strategy="detector", backbone=f"onnx:{network_file}", cache=False).fit(
        photos
    )
    model = fitted.save(tmp_path / "model.outgroup")
    expected = fitted.predict(new)
    shutil.rmtree(network_file.parent)

    found = outgroup.load(model).predict(new)
    np.testing.assert_allclose(found.other_score, expected.other_score, rtol=1e-9)


def test_bundled_network_stays_out_of_the_file(photos: Path, new: Path, tmp_path: Path) -> None:
    paths = [p for colour in ("blue", "red") for p in sorted((photos / colour).iterdir())[:6]]
    samples = from_arrays(paths, [p.parent.name for p in paths])
    fitted = ImageClassifier(strategy="softmax").fit(samples)
    model = fitted.save(tmp_path / "model.outgroup")
    with zipfile.ZipFile(model) as archive:
        assert archive.namelist() == ["manifest.json", "arrays.npz"]
    assert outgroup.load(model).predict(new).labels == fitted.predict(new).labels


def test_saving_replaces_a_model(trained: ImageClassifier, tmp_path: Path) -> None:
    path = tmp_path / "model.outgroup"
    path.write_bytes(b"an older one")
    assert trained.save(path) == path
    assert outgroup.load(path).classes == trained.classes
    assert [p.name for p in tmp_path.iterdir()] == ["model.outgroup"]


def test_new_file_has_the_usual_permissions(trained: ImageClassifier, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    path = trained.save(tmp_path / "model.outgroup")
    mode = stat.S_IMODE(path.stat().st_mode)
    assert mode == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_failure_to_write_leaves_the_old_model(
    trained: ImageClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.outgroup"
    path.write_bytes(b"an older one")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        trained.save(path)
    assert path.read_bytes() == b"an older one"
    assert [p.name for p in tmp_path.iterdir()] == ["model.outgroup"]


@pytest.mark.parametrize("place", ["missing/model.outgroup", "a file/model.outgroup"])
def test_place_that_cannot_be_written_is_an_os_error(
    trained: ImageClassifier, tmp_path: Path, place: str
) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(OSError, match=r"No such file|Not a directory"):
        trained.save(tmp_path / place)


def test_reasons_travel_with_the_model(
    trained: ImageClassifier, model_file: Path, new: Path
) -> None:
    before, after = trained.predict(new), outgroup.load(model_file).predict(new)
    assert list(after.at(-1e9)) == list(before.at(-1e9))
    assert all(len(answer.nearest) == 5 for answer in after)
    np.testing.assert_array_equal(after.ambiguous, before.ambiguous)


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes are a matter of POSIX")
def test_paths_of_any_bytes_and_images_without_one_come_back(
    make_picture: Callable, quick: str, tmp_path: Path
) -> None:
    name = str(tmp_path / os.fsdecode(b"caf\xe9\n \xf0\x9f\xa6\x92.png"))
    make_picture("red", 0).save(tmp_path / "red.png")
    os.rename(tmp_path / "red.png", name)
    rows = [(make_picture(c, i), c) for c in ("red", "blue") for i in range(1, 12)]
    samples = from_arrays(*zip(*rows, (name, "red"), strict=True))
    fitted = ImageClassifier(strategy="softmax", backbone=quick, cache=False).fit(samples)
    loaded = outgroup.load(fitted.save(tmp_path / "model.outgroup"))
    of_file, of_array = (loaded.predict(one).nearest[0] for one in (name, rows[0][0]))
    assert (of_file.path, of_file.label, of_file.distance) == (name, "red", 0.0)
    assert (of_array.path, of_array.label, of_array.distance) == (None, "red", 0.0)


def test_model_without_reasons_answers_the_same_and_names_no_neighbours(
    forge: Callable[..., Path], manifest: dict, arrays: dict, trained: ImageClassifier, new: Path
) -> None:
    manifest["reasons"] = None
    bare = forge(manifest=manifest, array={n: None for n in arrays if n.startswith("references.")})
    answers, expected = outgroup.load(bare).predict(new), trained.predict(new)
    assert answers.labels == expected.labels
    assert [answer.percentile for answer in answers] == [a.percentile for a in expected]
    for answer in answers:
        assert answer.reason == ("unknown" if answer.other else "known")
        assert tuple(answer.nearest) == ()
    again = outgroup.load(outgroup.load(bare).save(bare.with_name("again.outgroup")))
    assert again.contents.model.reasons is None
    assert again.predict(new).labels == expected.labels
