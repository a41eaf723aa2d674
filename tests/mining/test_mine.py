"""Mining images: a classifier and a stream in, a better classifier out."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import outgroup
from outgroup import ImageClassifier, mine
from outgroup.backbones import Backbone
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.mining import Effort, Mined
from outgroup.pool import Incoming, Pool
from outgroup.pool.engine import EngineEmbedder, LocalEngine, Streams

Picture = Callable[[str, int], Image.Image]


@pytest.fixture(scope="module")
def alone(quick: str, photos: Path) -> ImageClassifier:
    """A classifier of three colours that has no negatives; not to be changed."""
    return ImageClassifier(strategy="blend", backbone=quick, cache=False).fit(photos)


def endless(make_picture: Picture) -> Iterator[Image.Image]:
    """Pictures that are none of the classes; one in six is much like a green one."""
    for number in itertools.count(1000):
        picture = make_picture("green" if number % 6 == 0 else "grey", number)
        if number % 6 == 0:
            pixels = np.asarray(picture).copy()
            pixels[:16] = np.maximum(pixels[:16], 50) - 12
            picture = Image.fromarray(pixels)
        yield picture


@pytest.fixture(scope="module")
def mined(alone: ImageClassifier, make_picture: Picture) -> Mined:
    return mine(endless(make_picture), alone, Effort(1500, first=200, refits=3), target=0.02)


def test_a_better_classifier_comes_out(mined: Mined, alone: ImageClassifier, new: Path) -> None:
    assert mined.classifier is not None
    assert mined.stages[0].accepted > 0
    assert mined.stages[-1].bound < mined.stages[0].bound
    assert mined.classifier.contents.model is mined.model
    assert mined.classifier.predict(new / "red").labels.count("red") >= 4


def test_the_given_classifier_is_not_changed(mined: Mined, alone: ImageClassifier) -> None:
    assert mined.classifier is not alone
    assert len(alone.certificate.guarantees) == 1
    assert "n_mined" not in alone.contents.training.options


def test_mined_negatives_are_saved_with_the_model(
    mined: Mined, tmp_path: Path, make_picture: Picture
) -> None:
    assert mined.classifier is not None
    path = mined.classifier.save(tmp_path / "mined.outgroup")
    again = outgroup.load(path)
    assert again.certificate == mined.classifier.certificate
    assert again.certificate.guarantees[-1].n == mined.stages[-1].images
    assert "images of the stream that was mined are accepted" in again.certificate.sentence
    training = again.contents.training
    assert training.options["n_mined"] == training.n_others == len(mined.negatives) > 0
    picture = make_picture("grey", 5)
    assert again.predict(picture).other_score == mined.classifier.predict(picture).other_score


def test_mined_images_are_named_among_the_nearest(
    alone: ImageClassifier, make_picture: Picture
) -> None:
    pictures = itertools.islice(endless(make_picture), 600)
    stream = [Incoming(p, source="web", origin=f"web/{i}") for i, p in enumerate(pictures)]
    found = mine(stream, alone, Effort(first=100, refits=1), target=None)
    assert {name for name in found.negatives if name} <= {image.origin for image in stream}
    assert found.classifier is not None
    nearest = found.classifier.predict(stream[1].image).nearest
    assert any(n.label is None and str(n.path).startswith("web/") for n in nearest)


def test_a_folder_is_shuffled_by_the_seed(alone: ImageClassifier, odds: Path) -> None:
    one, two, other = (mine(odds, alone, 10, target=None, seed=seed) for seed in (1, 1, 2))
    assert one.stopped == "images"
    assert one.stages[-1].images == 10
    assert one.stages[-1].accepted == two.stages[-1].accepted
    everything = mine(odds, alone)
    assert (everything.stopped, everything.read) == ("end", 24)
    assert other.read == 10


def test_of_a_stream_with_a_length_half_is_left_to_count(
    alone: ImageClassifier, make_picture: Picture
) -> None:
    stream = list(itertools.islice(endless(make_picture), 400))
    found = mine(stream, alone, Effort(first=200, refits=8), target=None)
    assert [stage.read for stage in found.stages] == [400]
    found = mine(iter(stream), alone, Effort(first=200, refits=8), target=None)
    assert [stage.read for stage in found.stages] == [256, 400]


def test_unreadable_images_are_counted_apart(alone: ImageClassifier, odds: Path) -> None:
    paths = [*sorted(odds.rglob("*.png")), odds / "missing.png", b"no image at all"]
    found = mine(paths, alone)
    assert (found.read, found.unreadable, found.stages[-1].images) == (26, 2, 24)


def test_training_images_in_the_stream_are_not_counted(
    alone: ImageClassifier, photos: Path, odds: Path
) -> None:
    found = mine([*photos.rglob("*.png"), *odds.rglob("*.png")], alone)
    assert (found.repeated, found.stages[-1].images) == (75, 24)


def test_training_images_in_a_pool_which_re_encodes_them_are_not_counted(
    quick: str, photos: Path, odds: Path, new: Path, tmp_path: Path
) -> None:
    clf = ImageClassifier(strategy="blend", backbone=quick, cache=False).fit(photos, other=odds)
    pool = Pool.create(tmp_path / "pool", quick)
    pool.add(odds)
    pool.add(new)
    found = mine(pool, clf, budget=Effort(refits=0))
    assert (found.repeated, found.read - found.repeated) == (24, len(pool) - 24)


def test_a_stream_that_fails_midway_gives_the_result_so_far(
    alone: ImageClassifier, make_picture: Picture
) -> None:
    def failing() -> Iterator[Image.Image]:
        yield from itertools.islice(endless(make_picture), 300)
        raise ConnectionError("gone")

    with pytest.warns(DataWarning, match=r"failed after 256 images: ConnectionError\('gone'\)"):
        found = mine(failing(), alone)
    assert sum(stage.images for stage in found.stages) == 256
    assert isinstance(found.error, ConnectionError)
    assert found.classifier is not None


def test_a_model_from_a_file_needs_its_images_again(
    model_file: Path, photos: Path, odds: Path, make_picture: Picture
) -> None:
    classifier = outgroup.load(model_file)
    with pytest.raises(InvalidParameterError, match="Invalid `data`: must be the images"):
        mine(endless(make_picture), classifier)
    effort = Effort(600, first=100, refits=1)
    found = mine(endless(make_picture), classifier, effort, target=None, data=photos, other=odds)
    assert len(found.stages) == 2
    assert found.model.certificate.guarantees[0].n == 75
    assert found.model.certificate.guarantees[1].n == 24


def test_a_classifier_from_a_file_gives_the_same_as_one_in_memory(
    trained: ImageClassifier, model_file: Path, photos: Path, odds: Path, make_picture: Picture
) -> None:
    stream = list(itertools.islice(endless(make_picture), 600))
    effort = Effort(first=100, refits=1)
    one = mine(stream, trained, effort, target=None)
    two = mine(stream, outgroup.load(model_file), effort, target=None, data=photos, other=odds)
    assert one.model.threshold == two.model.threshold
    assert one.to_dict()["stages"][0]["bound"] == two.to_dict()["stages"][0]["bound"]


def test_other_training_images_give_a_warning(
    model_file: Path, photos: Path, make_picture: Picture
) -> None:
    with pytest.warns(DataWarning, match="not the images that the classifier has learned from"):
        mine(itertools.islice(endless(make_picture), 50), outgroup.load(model_file), data=photos)


def test_other_classes_than_those_of_the_model_are_refused(
    model_file: Path, odds: Path, make_picture: Picture
) -> None:
    with pytest.raises(InvalidParameterError, match=r"blue, green, red, got grey, yellow"):
        mine(endless(make_picture), outgroup.load(model_file), data=odds)


@pytest.mark.parametrize("stream", [b"bytes", 7, None, {"last": [1.0]}])
def test_an_invalid_stream_is_refused(alone: ImageClassifier, stream: object) -> None:
    with pytest.raises(InvalidParameterError, match="Invalid `stream`: must be a folder"):
        mine(stream, alone)


def test_several_labels_are_refused(labelled: ImageClassifier) -> None:
    with pytest.raises(InvalidParameterError, match="one label for each image"):
        mine([], labelled)


def test_a_strategy_that_learns_nothing_from_negatives_is_refused(quick: str, photos: Path) -> None:
    classifier = ImageClassifier(strategy="detector", backbone=quick, cache=False).fit(photos)
    with pytest.raises(InvalidParameterError, match="'detector' learns nothing from negatives"):
        mine([], classifier)


def test_progress_comes_line_by_line(alone: ImageClassifier, make_picture: Picture) -> None:
    lines: list[str] = []
    mine(
        endless(make_picture),
        alone,
        Effort(600, first=100, refits=1),
        target=None,
        say=lines.append,
    )
    assert any(line.startswith("Refitted with ") for line in lines)
    assert "600 images, " in lines[-1]
    assert "accepted since the last refit, at most " in lines[-1]


def test_an_archive_is_a_stream(alone: ImageClassifier, odds: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="got 'nowhere'"):
        mine("nowhere", alone)
    archive = tmp_path / "odds.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted((odds / "grey").iterdir()):
            made.write(path, path.name)
    found = mine(archive, alone)
    assert (found.read, found.stages[-1].images) == (12, 12)


def test_a_source_without_images_is_refused(alone: ImageClassifier, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="no image"):
        mine(tmp_path, alone)


class Packets(LocalEngine):
    """This machine, used as a cluster is: by packets of images."""

    def embedder(self, backbone: Backbone, threads: int | None = None) -> Streams:
        return EngineEmbedder(self, backbone)


def test_another_engine_gives_the_same(alone: ImageClassifier, odds: Path) -> None:
    effort = Effort(300, first=60, refits=1)
    here, there = (mine(odds, alone, effort, engine=engine) for engine in ("local", Packets()))
    assert here.read > 0
    for name in ("read", "unreadable", "repeated", "quarantined", "negatives", "stopped"):
        assert getattr(there, name) == getattr(here, name)
    for one, other in zip(here.stages, there.stages, strict=True):
        assert replace(one, seconds=0.0) == replace(other, seconds=0.0)


def test_the_documented_bound_was_right_often_enough() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "results" / "mining.json"
    if not path.exists():
        pytest.skip("the benchmarks are not part of a source distribution")
    for row in json.loads(path.read_text("utf-8"))["coverage"]:
        assert row["right"] >= 0.95 * row["runs"]
