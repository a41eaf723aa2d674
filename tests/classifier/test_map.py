"""Classes given by ImageNet's names: with the bundled backbone, and without training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from outgroup import ImageClassifier, load
from outgroup.data import from_arrays
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError

Picture = Callable[[str, int], Image.Image]


def classifier(**options: object) -> ImageClassifier:
    options = {"map": {"hotdog": "hotdog", "dog": ["pug", "beagle"]}, **options}
    return ImageClassifier(cache=False, progress=False, **options)  # type: ignore[arg-type]


def test_not_hotdog_without_one_image(make_picture: Picture, tmp_path: Path) -> None:
    clf = classifier(map={"hotdog": ["hotdog"]}).fit()
    assert clf.classes == ("hotdog",)
    assert clf.threshold == 0.0
    assert clf.certificate.guarantees == ()
    assert clf.report is not None
    assert clf.report.class_counts == {"hotdog": 0}
    image = make_picture("blue", 0)
    answer = clf.predict(image)
    assert answer.label is None
    logits = clf.contents.backbone
    share = answer.probabilities["hotdog"]
    assert answer.other_score == pytest.approx(np.log((1 - share) / share))
    assert logits.class_names is not None

    again = load(clf.save(tmp_path / "nothotdog.outgroup"))
    assert again.certificate == clf.certificate
    assert again.map == {"hotdog": ["hotdog"]}
    assert again.predict(image) == answer


def test_the_same_map_gives_the_same_file(tmp_path: Path) -> None:
    one = classifier(map={"a": "pug", "b": "cat"}).fit().save(tmp_path / "one.outgroup")
    two = classifier(map={"b": "cat", "a": "pug"}).fit().save(tmp_path / "two.outgroup")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.filterwarnings("ignore::outgroup.errors.DataWarning")
def test_images_calibrate_the_threshold_and_train_nothing(make_picture: Picture) -> None:
    images = [make_picture("red", i) for i in range(12)]
    clf = classifier().fit(from_arrays(images, ["hotdog"] * 12), other=[make_picture("blue", 0)])
    before = classifier().fit()
    new = make_picture("red", 99)
    assert clf.predict(new).other_score == before.predict(new).other_score
    assert clf.threshold != before.threshold
    known, other = clf.certificate.guarantees
    assert (known.n, other.n) == (12, 1)
    assert clf.predict(images).labels.count(None) == known.k


def test_few_images_and_classes_without_any_are_pointed_out(make_picture: Picture) -> None:
    with pytest.warns(DataWarning) as caught:
        clf = classifier().fit(from_arrays([make_picture("red", 0)], ["hotdog"]))
    said = [str(warning.message) for warning in caught]
    assert any("threshold rests on 1 images. Some 30" in text for text in said)
    assert any("There is no image of 'dog'" in text for text in said)
    assert clf.report is not None
    assert list(clf.report.warnings) == said


def test_labels_that_the_map_lacks_are_refused(make_picture: Picture) -> None:
    images = from_arrays([make_picture("red", 0)] * 2, ["giraffe"] * 2)
    with pytest.raises(InvalidDataError, match=r"does not know: giraffe\. It knows dog, hotdog"):
        classifier().fit(images)


def test_negatives_alone_can_not_calibrate(make_picture: Picture) -> None:
    with pytest.raises(InvalidParameterError, match="Without images classes can only be given"):
        classifier().fit(other=[make_picture("red", 0)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strategy": "blend"}, "must be 'imagenet' or 'auto' where classes are given"),
        ({"head": "focal-sigmoid"}, "`head`: must be None where classes are given"),
        ({"layers": ("last",)}, "`layers`: must be None where classes are given"),
        ({"map": {"dog": "pug", "other dog": "dog"}}, "got 'pug' for 'dog' and for 'other dog'"),
        ({"map": {"cat": []}}, "one name or a list of them, got [] for 'cat'"),
        ({"map": {"cat": 3}}, "got 3 for 'cat'"),
        ({"map": {}}, "at least one class"),
        ({"map": ["cat"]}, "at least one class"),
        ({"map": {"cat": "hotdgo"}}, "Did you mean 'hotdog'?"),
    ],
)
def test_maps_that_can_not_be_meant_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        classifier(**options).fit()
    assert said in str(caught.value)


def test_a_backbone_with_other_classes_or_none_takes_no_map(quick: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"logits of the backbone .* are not known"):
        classifier(backbone=quick).fit()


def test_without_a_map_and_images_there_is_nothing_to_learn_from(quick: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"`data`: must be a folder.*got None"):
        ImageClassifier(backbone=quick, cache=False).fit()


def test_which_answers_are_whose_is_learned_from_a_handful(quick: str, photos: Path) -> None:
    samples = from_arrays(
        [p for c in ("blue", "red") for p in sorted((photos / c).iterdir())[:5]],
        ["blue"] * 5 + ["red"] * 5,
    )
    clf = ImageClassifier(strategy="imagenet", backbone=quick, cache=False).fit(samples)
    assert clf.predict(photos / "red").at(np.inf).labels.count("red") >= 20
    assert clf.certificate.guarantees[0].n == 10
