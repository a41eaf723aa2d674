from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import outgroup as library
from outgroup import ImageClassifier
from outgroup.data import from_arrays
from outgroup.errors import DataWarning

Picture = Callable[[str, int], Image.Image]
HIDDEN = 6


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory, make_folder: Callable[..., Path]) -> Path:
    """A pool of grey and yellow pictures, six of them red; not to be changed."""
    folder = make_folder(tmp_path_factory.mktemp("data") / "pool", ["grey", "yellow"], 40)
    red = make_folder(tmp_path_factory.mktemp("data") / "more", ["red"], HIDDEN, first=300)
    for file in (red / "red").iterdir():
        shutil.copy(file, folder / "grey" / f"red-{file.name}")
    return folder


@pytest.fixture
def make(quick: str) -> Callable[..., ImageClassifier]:
    def start(strategy: str = "sigmoid", **options: Any) -> ImageClassifier:
        return ImageClassifier(strategy=strategy, backbone=quick, cache=False, **options)

    return start


def test_images_of_a_class_in_the_pool_are_set_aside_and_listed(
    make: Callable[..., ImageClassifier], photos: Path, odds: Path, dirty: Path
) -> None:
    report = make().fit(photos, other=odds / "grey", pool=dirty).report
    assert report is not None
    assert report.pool is not None
    suspects = report.pool.found.suspects
    paths = {Path(str(suspect.path)).name for suspect in suspects}
    hidden = {name for name in paths if name.startswith("red-")}
    assert len(hidden) >= HIDDEN - 1
    assert len(paths - hidden) <= 2
    assert all(s.label == "red" for s in suspects if Path(str(s.path)).name in hidden)
    assert report.n_others == 12 + 80 + HIDDEN - len(suspects)
    assert report.pool.n == 80 + HIDDEN
    assert f"{len(suspects)} of 86 pool images look like your classes" in report.pool.sentence
    assert "set aside (estimated share " in report.pool.sentence
    assert all(Path(str(n.path)).parent.name == "red" for n in suspects[0].nearest)


def test_a_model_does_not_learn_to_reject_its_class_from_the_pool(
    make: Callable[..., ImageClassifier],
    photos: Path,
    make_picture: Picture,
    make_folder: Callable[..., Path],
    tmp_path: Path,
) -> None:
    # half of the pool is red
    pool = make_folder(tmp_path / "pool", ["grey", "red"], 40, first=300)
    red = [make_picture("red", 700 + i) for i in range(40)]
    purged = make().fit(photos, pool=pool).predict(red).other_score
    keeping = make(keep_suspects=True)
    with pytest.warns(DataWarning, match="of the negatives in 'red'"):
        keeping.fit(photos, pool=pool)
    kept = keeping.predict(red).other_score
    clean = make().fit(photos, pool=pool / "grey").predict(red).other_score
    assert abs(np.median(purged) - np.median(clean)) < abs(np.median(kept) - np.median(clean)) / 4


def test_all_is_learned_from_where_suspects_are_to_be_kept(
    make: Callable[..., ImageClassifier], photos: Path, dirty: Path
) -> None:
    report = make(keep_suspects=True).fit(photos, pool=dirty).report
    assert report is not None
    assert report.pool is not None
    assert report.n_others == 80 + HIDDEN
    assert report.pool.n_set_aside == 0
    assert len(report.pool.found.suspects) >= HIDDEN - 1
    assert "were learned from nevertheless" in report.pool.sentence


def test_verified_negatives_stay_and_those_like_a_class_are_warned_about(
    make: Callable[..., ImageClassifier], photos: Path, odds: Path, make_picture: Picture
) -> None:
    red = [make_picture("red", 300 + i) for i in range(3)]
    classifier = make()
    with pytest.warns(DataWarning, match="of the 27 verified negatives") as caught:
        classifier.fit(photos, other=[odds, *red])
    assert len(caught) == 1
    assert classifier.report is not None
    assert classifier.report.n_others == 27
    assert classifier.report.pool is None
    assert "(red)" in classifier.report.warnings[0]


def test_a_copy_of_a_known_image_in_the_pool_costs_the_known_one_nothing(
    make: Callable[..., ImageClassifier], photos: Path, dirty: Path, tmp_path: Path
) -> None:
    pool = shutil.copytree(dirty, tmp_path / "pool")
    shutil.copy(photos / "red" / "003.png", pool / "grey" / "copy.png")
    for keep in (False, True):
        report = make(keep_suspects=keep).fit(photos, pool=pool).report
        assert report is not None
        assert report.pool is not None
        assert report.class_counts["red"] == 25
        assert [Path(copy.path).name for copy in report.pool.copies] == ["copy.png"]
        assert report.pool.copies[0].reason == "the same image is there as 'red'"
        assert not report.contradictory


def test_the_order_of_files_plays_no_part(
    make: Callable[..., ImageClassifier], photos: Path, dirty: Path, tmp_path: Path
) -> None:
    files = sorted(str(path) for path in dirty.rglob("*.png"))
    models = []
    for i in range(2):
        random.Random(i).shuffle(files)
        classifier = make().fit(photos, pool=list(files))
        models.append(classifier.save(tmp_path / f"{i}.outgroup").read_bytes())
    assert models[0] == models[1]


def test_a_model_file_says_what_became_of_the_pool(
    make: Callable[..., ImageClassifier], photos: Path, dirty: Path, tmp_path: Path
) -> None:
    classifier = make().fit(photos, pool=dirty)
    assert classifier.report is not None
    assert classifier.report.pool is not None
    kept = library.load(classifier.save(tmp_path / "m.outgroup")).contents.training.options["pool"]
    assert kept == json.loads(json.dumps(classifier.report.pool.summary()))
    assert kept["n"] == 80 + HIDDEN
    assert kept["set_aside"] == len(classifier.report.pool.found.suspects)


def test_a_comparison_sets_aside_first(
    make: Callable[..., ImageClassifier], photos: Path, dirty: Path
) -> None:
    classifier = make()
    found = classifier.compare(photos, lineup=["sigmoid"], pool=dirty)
    assert classifier.report is not None
    assert classifier.report.pool is not None
    assert classifier.report.pool.n_set_aside >= HIDDEN - 1
    assert found.n_given == 75 + 80 + HIDDEN - classifier.report.pool.n_set_aside


def test_images_in_memory_have_no_path_and_are_found_by_row(
    make: Callable[..., ImageClassifier], photos: Path, make_picture: Picture
) -> None:
    pool = [make_picture("grey", 300 + i) for i in range(40)] + [make_picture("red", 300)]
    report = make().fit(photos, pool=pool).report
    assert report is not None
    assert report.pool is not None
    assert "red" in {suspect.label for suspect in report.pool.found.suspects}
    assert all(suspect.path is None for suspect in report.pool.found.suspects)


def test_the_pool_is_searched_with_several_labels_and_columns_too(
    make: Callable[..., ImageClassifier], pairs: Path, tmp_path: Path
) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    for file in [*pairs.glob("yellow-grey-*.png"), *sorted(pairs.glob("red-red-*.png"))[:3]]:
        image = Image.open(file)
        image.putpixel((0, 0), (1, 2, 3))  # no copy of what is labelled
        image.save(pool / file.name)
    options_of: dict[str, dict[str, Any]] = {
        "lists": {"multi_label": True},
        "sides": {"multi_output": True, "label_columns": ["left", "right"]},
    }
    for table, options in options_of.items():
        report = make("blend", **options).fit(pairs / f"{table}.csv", pool=pool).report
        assert report is not None
        assert report.pool is not None
        names = {Path(str(s.path)).name[:7] for s in report.pool.found.suspects}
        assert names == {"red-red"}
        assert report.n_others == 60 + len(list(pool.iterdir())) - len(report.pool.found.suspects)


def test_where_nothing_is_learned_the_pool_only_calibrates(
    quick: str, dirty: Path, photos: Path
) -> None:
    cats = sorted((photos / "red").iterdir()) + sorted((photos / "blue").iterdir())[:10]
    table = from_arrays(cats, ["cat"] * 35)
    classifier = ImageClassifier(map={"cat": "cat"}, progress=False)
    with pytest.warns(DataWarning, match="taken for 'cat'"):  # ImageNet's cats are no colours
        classifier.fit(table, pool=dirty / "grey")
    assert classifier.report is not None
    assert classifier.report.pool is not None
    assert classifier.report.pool.found.share is None
    assert classifier.report.n_others == 40 + HIDDEN
