from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outgroup import ImageClassifier, Pool
from outgroup.classifier import answer, negatives, purge
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError, PoolError

HIDDEN = 6


@pytest.fixture
def pool(quick: str, tmp_path: Path, make_folder: Callable[..., Path]) -> Pool:
    """80 grey and yellow pictures, and six red ones."""
    made = Pool.create(tmp_path / "pool", quick)
    made.add(str(make_folder(tmp_path / "clean", ["grey", "yellow"], 40)))
    made.add(str(make_folder(tmp_path / "dirt", ["red"], HIDDEN, first=300)))
    return made


def test_images_of_a_class_go_into_quarantine(pool: Pool, photos: Path) -> None:
    found, n_new, n_checked = purge(pool, photos, cache=False)
    hidden = {*pool.rows("red").tolist()} ^ {*pool.rows("red", state=None).tolist()}
    assert len(hidden) >= HIDDEN - 1
    assert n_new == len(found.suspects) == len(pool.rows(state="quarantined"))
    assert n_new <= HIDDEN + 2
    assert n_checked == 0
    assert pool[min(hidden)].reason == "looks like red"
    assert found.suspects[0].path == pool[found.suspects[0].row].origin
    assert purge(pool, photos, cache=False).n_new == 0


def test_a_dry_run_changes_nothing(pool: Pool, photos: Path) -> None:
    found, n_new, _ = purge(pool, photos, dry_run=True, cache=False)
    assert len(found.suspects) >= HIDDEN - 1
    assert n_new == 0
    assert len(pool.rows(state="quarantined")) == 0


def test_a_checked_image_is_not_suspected_again(pool: Pool, photos: Path, tmp_path: Path) -> None:
    first, second, *_ = purge(pool, photos, cache=False).found.suspects
    answers = tmp_path / "answers.csv"
    answers.write_text(f'path,label\n"{first.path}",\n"{second.path}",red\n')
    assert answer(pool, answers) == (1, 1)
    assert (pool[first.row].state, pool[second.row].state) == ("kept", "quarantined")
    assert pool[second.row].reason == "looked at: red"
    again = purge(pool, photos, cache=False)
    assert again.n_released == 1
    assert first.row not in {suspect.row for suspect in again.found.suspects}
    assert pool[first.row].state == "kept"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\nnowhere.png,red\n", "'nowhere.png' is no image in quarantine"),
        ("file,label\nnowhere.png,red\n", "must have the columns 'path' and 'label'"),
        ("", "must have the columns 'path' and 'label'"),
    ],
)
def test_answers_to_something_else_are_refused(
    pool: Pool, tmp_path: Path, text: str, message: str
) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text(text)
    with pytest.raises(InvalidDataError, match=message):
        answer(pool, answers)
    with pytest.raises(InvalidParameterError, match="Invalid `answers`"):
        answer(pool, tmp_path / "none.csv")


def test_an_empty_pool_is_not_purged(quick: str, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="no image in the pool"):
        purge(Pool.create(tmp_path / "empty", quick), photos)


def test_a_classifier_learns_from_a_pool_as_from_its_folders(
    quick: str, pool: Pool, photos: Path
) -> None:
    start = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    report = start.fit(photos, pool=pool).report
    assert report is not None
    assert report.pool is not None
    assert report.pool.n == len(pool)
    named = {suspect.path for suspect in report.pool.found.suspects}
    assert named <= {record.origin for record in pool}
    assert len(named) >= HIDDEN - 1
    by_path = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    assert by_path.fit(photos, pool=pool.path).threshold == start.threshold


def test_a_known_image_is_found_in_the_pool_by_its_content(
    quick: str, pool: Pool, photos: Path
) -> None:
    pool.add(str(photos / "red"), name="copies")
    classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    report = classifier.fit(photos, pool=pool).report
    assert report is not None
    assert report.pool is not None
    assert len(report.pool.copies) == len([*(photos / "red").iterdir()])


def test_what_is_in_quarantine_is_not_learned_from(quick: str, pool: Pool, photos: Path) -> None:
    pool.quarantine(pool.rows("yellow"), "not wanted")
    classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    report = classifier.fit(photos, pool=pool).report
    assert report is not None
    assert report.pool is not None
    assert report.pool.n == 40 + HIDDEN


def test_of_a_large_pool_some_are_drawn(
    quick: str, pool: Pool, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negatives, "MOST", 20)
    classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    report = classifier.fit(photos, pool=pool).report
    assert report is not None
    assert report.pool is not None
    assert report.pool.n == 20
    assert report.pool.n_all == 80 + HIDDEN


@pytest.mark.parametrize("task", ["one class", "labels", "columns"])
def test_the_share_of_a_large_pool_is_that_of_the_whole_and_not_of_what_was_drawn(
    task: str,
    quick: str,
    photos: Path,
    tmp_path: Path,
    make_folder: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1 image in 21 is red; by source it would be 1 in 3, and near the classes nearly all."""
    large = Pool.create(tmp_path / "large", quick)
    large.add(str(make_folder(tmp_path / "clean", ["grey", "yellow"], 200)))
    large.add(str(make_folder(tmp_path / "dirt", ["red"], 20, first=300)))
    monkeypatch.setattr(negatives, "MOST", 100)
    paths = sorted(photos.glob("*/*.png"))
    table = pd.DataFrame({"path": map(str, paths), "colour": [path.parent.name for path in paths]})
    table["again"] = table["colour"]
    options = {
        "one class": {"label_columns": ["colour"]},
        "labels": {"multi_label": True, "label_columns": ["colour"]},
        "columns": {"multi_output": True, "label_columns": ["colour", "again"]},
    }[task]
    strategy = "auto" if task == "labels" else "sigmoid"
    classifier = ImageClassifier(strategy=strategy, backbone=quick, cache=False, **options)  # type: ignore[arg-type]
    report = classifier.fit(table, pool=large).report
    assert report is not None
    assert report.pool is not None
    share = report.pool.found.share
    assert share is not None
    assert share.low <= 20 / 420 <= share.high
    assert 0.01 < share.value < 0.13
    assert (report.pool.n, report.pool.n_all) == (100, 420)
    assert "(estimated share of all 420 " in report.pool.sentence


def test_a_pool_of_another_backbone_is_embedded_anew(pool: Pool, photos: Path) -> None:
    """The images are there; only their embeddings are of no use."""
    classifier = ImageClassifier(strategy="sigmoid", cache=False)
    classifier.fit(photos, pool=pool)
    assert np.isfinite(classifier.threshold)
    assert classifier.contents.backbone.name == "efficientnet-lite0"


def test_a_large_pool_of_another_backbone_needs_its_embeddings(
    quick: str, pool: Pool, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negatives, "MOST", 20)
    other = Pool.create(tmp_path / "other")
    other.add(str(tmp_path / "clean"))
    start = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    with pytest.raises(PoolError, match=r"0 of 80 images have embeddings of onnx.*pool embed"):
        start.fit(photos, pool=other)
    other.embed(quick)
    report = start.fit(photos, pool=other).report
    assert report is not None
    assert report.pool is not None
    assert (report.pool.n, report.pool.n_all) == (20, 80)


def test_embeddings_of_a_second_backbone_are_used(
    quick: str, pool: Pool, photos: Path, tmp_path: Path
) -> None:
    """Images that nobody could decode any more are none the worse."""
    other = Pool.create(tmp_path / "other")
    other.add(str(tmp_path / "clean"))
    other.embed(quick)
    (shard,) = other.path.glob("shards/*.tar")
    shard.write_bytes(bytes(shard.stat().st_size))
    classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    report = classifier.fit(photos, pool=other).report
    assert report is not None
    assert report.pool is not None
    assert (report.pool.n, report.unreadable) == (80, ())


def test_a_pool_can_be_what_a_model_is_tested_with(quick: str, pool: Pool, photos: Path) -> None:
    classifier = ImageClassifier(strategy="detector", backbone=quick, cache=False).fit(photos)
    found, unreadable = classifier.evaluate(photos, [pool.path])
    assert {result.name: result.accepted.n for result in found.unknown} == {
        "grey": 40,
        "yellow": 40,
        "red": HIDDEN,
    }
    assert unreadable == ()


def test_an_image_set_that_is_known_to_show_a_class_is_named(
    quick: str, photos: Path, odds: Path, tmp_path: Path
) -> None:
    animals = tmp_path / "animals"
    shutil.copytree(photos / "red", animals / "cat")
    shutil.copytree(photos / "blue", animals / "sofa")
    shutil.copytree(odds / "grey", tmp_path / "sets" / "oxford-pets")
    classifier = ImageClassifier(strategy="sigmoid", backbone=quick, cache=False)
    with pytest.warns(DataWarning, match="'oxford-pets' are likely to show cat"):
        classifier.fit(animals, pool=tmp_path / "sets")
