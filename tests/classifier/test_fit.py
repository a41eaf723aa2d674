from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from outgroup import ImageClassifier
from outgroup.data import from_arrays
from outgroup.errors import InfeasibleTargetError, InvalidDataError, InvalidParameterError

Picture = Callable[[str, int], Image.Image]


@pytest.fixture
def unfitted(quick: str) -> Callable[..., ImageClassifier]:
    def make(strategy: str = "softmax", **options: object) -> ImageClassifier:
        return ImageClassifier(strategy=strategy, backbone=quick, cache=False, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture
def own_photos(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    """Twelve pictures of each of two classes, which a test may change."""
    return make_folder(tmp_path / "photos", ["blue", "red"], 12)


@pytest.mark.parametrize("strategy", ["auto", "sigmoid", "softmax", "detector", "blend"])
def test_learned_colours_are_told_apart(
    strategy: str, quick: str, photos: Path, odds: Path, new: Path
) -> None:
    fitted = ImageClassifier(strategy=strategy, backbone=quick).fit(photos, other=odds)
    assert fitted.classes == ("blue", "green", "red")
    for colour in fitted.classes:
        answers = fitted.predict(new / colour)
        assert set(answers.at(np.inf).labels) == {colour}
    pink, red = (fitted.predict(new / c).other_score for c in ("pink", "red"))
    assert pink.mean() > red.mean()


def test_negatives_from_all_places_count(
    unfitted: Callable[..., ImageClassifier], photos: Path, odds: Path, make_picture: Picture
) -> None:
    image = make_picture("pink", 0)
    classifier = unfitted("sigmoid").fit(photos, other=[odds / "grey", image, odds / "yellow"])
    assert classifier.report is not None
    assert classifier.report.n_others == 25
    assert classifier.report.class_counts == {"blue": 25, "green": 25, "red": 25}


@pytest.mark.parametrize("name", ["other", "pool"])
def test_a_folder_of_negatives_that_does_not_exist_is_an_error(
    unfitted: Callable[..., ImageClassifier], photos: Path, odds: Path, name: str
) -> None:
    for given in ("lookalikes", [odds / "grey", "lookalikes"], "lost.png"):
        with pytest.raises(InvalidParameterError, match="which does not exist"):
            unfitted("sigmoid").fit(photos, **{name: given})


def test_what_cannot_be_read_is_listed_and_left_out(
    unfitted: Callable[..., ImageClassifier], own_photos: Path
) -> None:
    (own_photos / "red" / "notes.txt").write_text("not a picture")
    (own_photos / "red" / "empty.jpg").touch()
    (own_photos / "red" / "lost.png").symlink_to("nowhere.png")
    (own_photos / "red" / ".hidden.png").write_bytes(b"x")
    (own_photos / "stray.png").write_bytes(b"x")
    cut = (own_photos / "blue" / "000.png").read_bytes()[:200]
    (own_photos / "blue" / "cut.png").write_bytes(cut)

    report = unfitted().fit(own_photos).report
    assert report is not None
    reasons = {Path(file.path).name: file.reason for file in report.unreadable}
    assert set(reasons) == {"notes.txt", "empty.jpg", "lost.png", "cut.png"}
    assert reasons["empty.jpg"] == "the file is empty"
    assert reasons["lost.png"] == "no such file"
    assert all(reasons.values())
    skipped = {Path(file.path).name: file.reason for file in report.skipped}
    assert skipped == {".hidden.png": "a hidden or system file", "stray.png": "in no class folder"}
    assert report.class_counts == {"blue": 12, "red": 12}


def test_image_with_two_labels_is_left_out_with_all_its_copies(
    unfitted: Callable[..., ImageClassifier], own_photos: Path, tmp_path: Path
) -> None:
    shutil.copy(own_photos / "red" / "003.png", own_photos / "blue" / "odd.png")
    shutil.copy(own_photos / "red" / "003.png", own_photos / "red" / "again.png")
    shutil.copy(own_photos / "red" / "005.png", tmp_path / "negative.png")
    report = unfitted().fit(own_photos, other=tmp_path / "negative.png").report
    assert report is not None
    reasons = {Path(file.path).name: file.reason for file in report.contradictory}
    assert reasons["odd.png"] == "the same image is there as 'blue' and 'red'"
    assert reasons["005.png"] == "the same image is there as 'red' and other"
    assert set(reasons) == {"003.png", "odd.png", "again.png", "005.png", "negative.png"}
    assert report.class_counts == {"blue": 12, "red": 10}
    assert report.n_others == 0


def test_copies_of_an_image_count_once_in_a_guarantee(
    unfitted: Callable[..., ImageClassifier], own_photos: Path
) -> None:
    """Split apart, a copy would give the answer away; one by one, it would be counted twice."""
    for file in sorted((own_photos / "red").iterdir()):
        for i in range(4):
            shutil.copy(file, file.with_name(f"copy {i} of {file.name}"))
    fitted = unfitted().fit(own_photos)
    assert fitted.report is not None
    assert fitted.report.class_counts == {"blue": 12, "red": 60}
    (guarantee,) = fitted.certificate.guarantees
    assert (guarantee.n, guarantee.unit) == (24, "groups")
    held_out = fitted.contents.model.known_scores
    assert len(np.unique(held_out)) == 24  # all copies were scored by one model


def test_copies_of_two_bursts_are_not_split(
    unfitted: Callable[..., ImageClassifier], make_picture: Picture
) -> None:
    rows: list[tuple[Image.Image, str, str | None]] = [
        (make_picture(colour, i), colour, None) for colour in ("blue", "red") for i in range(12)
    ]
    rows += [(make_picture("red", 3), "red", "burst"), (make_picture("red", 90), "red", "burst")]
    fitted = unfitted().fit(from_arrays(*zip(*rows, strict=True)))
    (guarantee,) = fitted.certificate.guarantees
    assert guarantee.n == 24  # the single one joined its copy's burst


def test_table_with_groups_sources_and_empty_labels(
    unfitted: Callable[..., ImageClassifier], photos: Path, odds: Path, tmp_path: Path
) -> None:
    rows = [
        (str(file), file.parent.name, f"burst {int(file.stem) // 5}", "camera")
        for file in sorted(photos.rglob("*.png"))
    ]
    rows += [(str(file), "", "", file.parent.name) for file in sorted(odds.rglob("*.png"))]
    frame = pd.DataFrame(rows, columns=["path", "label", "group", "source"])
    frame.to_csv(tmp_path / "photos.csv", index=False)

    from_csv = unfitted("sigmoid").fit(tmp_path / "photos.csv")
    assert from_csv.report is not None
    assert from_csv.report.class_counts == {"blue": 25, "green": 25, "red": 25}
    assert from_csv.report.n_others == 24
    known = from_csv.certificate.guarantees[0]
    assert (known.n, known.unit) == (5, "groups")

    from_frame = unfitted("sigmoid").fit(frame)
    assert from_frame.threshold == from_csv.threshold
    assert from_frame.contents.training == from_csv.contents.training


def test_unlabelled_rows_are_counted_and_not_used(
    unfitted: Callable[..., ImageClassifier], photos: Path
) -> None:
    files = sorted(photos.rglob("*.png"))
    labels: list[object] = [file.parent.name for file in files]
    labels[:3] = [np.nan] * 3
    report = unfitted().fit(pd.DataFrame({"path": map(str, files), "label": labels})).report
    assert report is not None
    assert report.n_unlabelled == 3
    assert report.class_counts == {"blue": 22, "green": 25, "red": 25}


@pytest.mark.filterwarnings("ignore:A class is named:outgroup.errors.DataWarning")
def test_any_name_of_a_class_comes_back_as_text(
    unfitted: Callable[..., ImageClassifier], make_picture: Picture, tmp_path: Path
) -> None:
    names = {"blue": "other", "green": "None", "red": 7, "yellow": "Žirafa 🦒", "grey": "[bold]"}
    rows = [(make_picture(c, i), name) for c, name in names.items() for i in range(12)]
    fitted = unfitted().fit(from_arrays(*zip(*rows, strict=True)))
    assert fitted.classes == tuple(sorted(map(str, names.values())))
    loaded = ImageClassifier.load(fitted.save(tmp_path / "model.outgroup"))
    for classifier in (fitted, loaded):
        for colour, name in names.items():
            (label,) = classifier.predict([make_picture(colour, 99)]).at(np.inf).labels
            assert label == str(name)
            assert isinstance(label, str)


@pytest.mark.parametrize(
    ("broken", "message"),
    [(11, "1 readable images of class 'red'"), (12, "Class 'red' has 12 images, and none")],
)
def test_class_with_too_few_readable_images_is_named(
    unfitted: Callable[..., ImageClassifier], own_photos: Path, broken: int, message: str
) -> None:
    for file in sorted((own_photos / "red").iterdir())[:broken]:
        file.write_bytes(b"broken")
    with pytest.raises(InvalidDataError, match=message):
        unfitted().fit(own_photos)


def test_class_of_contradictory_images_alone_is_named(
    unfitted: Callable[..., ImageClassifier], own_photos: Path
) -> None:
    shutil.copytree(own_photos / "red", own_photos / "scarlet")
    with pytest.raises(InvalidDataError, match=r"Class 'red' has 12 .*as 'red' and 'scarlet'"):
        unfitted().fit(own_photos)


def test_nothing_readable_at_all_says_so(
    unfitted: Callable[..., ImageClassifier], own_photos: Path
) -> None:
    for file in own_photos.rglob("*.png"):
        file.write_bytes(b"broken")
    with pytest.raises(InvalidDataError, match=r"None of the 24 images can be used"):
        unfitted().fit(own_photos)


def test_nothing_is_known_before_fit(unfitted: Callable[..., ImageClassifier]) -> None:
    classifier = unfitted()
    for ask in (
        lambda: classifier.predict(Image.new("RGB", (9, 9))),
        lambda: classifier.stream([]),
        lambda: classifier.classes,
        lambda: classifier.threshold,
        lambda: classifier.certificate,
        lambda: classifier.save("model.outgroup"),
        lambda: classifier.evaluate("photos"),
    ):
        with pytest.raises(InvalidParameterError, match=r"learned|data"):
            ask()
    assert classifier.report is None


def test_second_fit_forgets_the_first(
    unfitted: Callable[..., ImageClassifier], photos: Path, odds: Path, own_photos: Path
) -> None:
    again = unfitted("sigmoid").fit(photos, other=odds)
    again.fit(own_photos, other=odds)
    once = unfitted("sigmoid").fit(own_photos, other=odds)
    assert again.classes == once.classes == ("blue", "red")
    assert again.threshold == once.threshold
    assert again.report == once.report
    with pytest.raises(InvalidDataError):
        again.fit(from_arrays([b"broken"], ["red"]))
    with pytest.raises(InvalidParameterError, match="Nothing has been learned yet"):
        again.predict(Image.new("RGB", (9, 9)))


def test_threads_and_order_do_not_change_decisions(
    unfitted: Callable[..., ImageClassifier], photos: Path, odds: Path, new: Path
) -> None:
    files = sorted(photos.rglob("*.png"))
    random.Random(0).shuffle(files)
    shuffled = from_arrays(files, [file.parent.name for file in files])
    one = unfitted("blend", threads=1).fit(photos, other=odds)
    three = unfitted("blend", threads=3).fit(shuffled, other=odds)
    assert one.threshold == three.threshold
    np.testing.assert_array_equal(one.predict(new).other_score, three.predict(new).other_score)


def test_cache_changes_nothing(quick: str, photos: Path, new: Path) -> None:
    for _ in range(2):  # written, then read
        cached = ImageClassifier(strategy="blend", backbone=quick, cache=True).fit(photos)
        fresh = ImageClassifier(strategy="blend", backbone=quick, cache=False).fit(photos)
        assert cached.threshold == fresh.threshold


def test_guarantee_that_cannot_be_given_is_refused_with_the_n_that_would_do(
    unfitted: Callable[..., ImageClassifier], own_photos: Path
) -> None:
    with pytest.raises(InfeasibleTargetError, match="at least 299") as caught:
        unfitted(max_known_rejected=0.01).fit(own_photos)
    assert caught.value.n_needed == 299


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"strategy": "sotfmax"}, "Did you mean 'softmax'"),
        ({"max_known_rejected": 5}, "`max_known_rejected`"),
        ({"confidence": 1.0}, "`confidence`"),
        ({"threads": 0}, "`threads`"),
    ],
)
def test_wrong_option_is_named(
    quick: str, photos: Path, options: dict[str, object], name: str
) -> None:
    with pytest.raises(InvalidParameterError, match=name):
        ImageClassifier(backbone=quick, cache=False, **options).fit(photos)  # type: ignore[arg-type]


@pytest.mark.parametrize("backbone", ["resnet", "onnx:", "onnx:/no/such/network.onnx", 7])
def test_backbone_that_is_not_there_is_an_error(photos: Path, backbone: object) -> None:
    with pytest.raises((InvalidParameterError, RuntimeError), match=r"backbone|can't be read"):
        ImageClassifier(backbone=backbone).fit(photos)  # type: ignore[arg-type]


def test_strategies_are_compared_by_unknowns_of_every_kind(
    unfitted: Callable[..., ImageClassifier], photos: Path, odds: Path
) -> None:
    classifier = unfitted()
    compared = classifier.compare(photos, other=[odds])
    for result in compared.results:
        assert result.problem is None
        assert result.known_rejected is not None
        assert result.known_rejected.n == 75
        counts = {(s.kind, s.source): s.accepted.n for s in result.sources}
        assert counts["held-out negatives", odds.name] == 24
        assert counts["synthetic garbage", "squares"] == 32
        assert sum(n for (kind, _), n in counts.items() if kind == "left-out classes") == 75
    assert classifier.report is not None
    assert classifier.report.n_others == 24

    without = {result.name: result for result in classifier.compare(photos).results}
    assert "none" in str(without["other-class"].problem)
    assert without["softmax"].of_kind("held-out negatives") is None
    with pytest.raises(InvalidParameterError, match="Nothing has been learned"):
        classifier.predict(Image.new("RGB", (9, 9)))
