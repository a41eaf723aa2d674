from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def pool(make_folder: Callable[..., Path], tmp_path: Path) -> Path:
    folder = make_folder(tmp_path / "pool", ["grey"], 40)
    red = make_folder(tmp_path / "more", ["red"], 8, first=300)
    for file in (red / "red").iterdir():
        shutil.copy(file, folder / "grey" / f"red-{file.name}")
    return folder


def test_train_says_what_it_set_aside_and_shows_it(
    outgroup: Run, photos: Path, pool: Path, quick: str, tmp_path: Path
) -> None:
    page = tmp_path / "suspects.html"
    done = outgroup(
        "train", photos, "-o", tmp_path / "m.outgroup", "--pool", pool, "--backbone", quick,
        "--strategy", "sigmoid", "--suspects", page,
    )  # fmt: skip
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "of 48 pool images look like your classes and were set aside (estimated share" in text
    assert "files of the pool look like your classes" in done.stderr
    assert "red-30" in done.stderr
    html = page.read_text("utf-8")
    assert html.count("<article") >= 7
    assert "red-30" in html


def test_pictures_of_a_pool_are_shown_that_are_no_files_on_disk(
    run: Run, photos: Path, pool: Path, quick: str, tmp_path: Path
) -> None:
    """The images are those of a tar, of which nothing is left but the pool."""
    archive = tmp_path / "pictures.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(pool, "pictures")
    built = run("pool", "build", tmp_path / "P", archive, "--backbone", quick)
    assert built.exit_code == 0
    archive.unlink()
    page = tmp_path / "suspects.html"
    given = ("-o", tmp_path / "m.outgroup", "--backbone", quick, "--strategy", "sigmoid")
    done = run("train", photos, *given, "--pool", tmp_path / "P", "--suspects", page)
    assert done.exit_code == 0
    trained = page.read_text("utf-8")
    purged = run("pool", "purge", tmp_path / "P", "--known", photos, "--sheet", page)
    assert purged.exit_code == 0
    for html in (trained, page.read_text("utf-8")):
        pictures = [part.partition(">")[2] for part in html.split("<article")[1:]]
        assert len(pictures) >= 7
        assert all(picture.strip().startswith("<img") for picture in pictures)
        assert "pictures.tar!" in html


def test_train_tells_machines_all_of_them(
    run: Run, photos: Path, pool: Path, quick: str, tmp_path: Path
) -> None:
    given = ("train", photos, "-o", tmp_path / "m.outgroup", "--backbone", quick, "--strategy")
    result = run(*given, "sigmoid", "--pool", pool, "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)["pool"]
    assert found["n"] == 48
    assert found["set_aside"] == len(found["suspects"]) >= 7
    first = found["suspects"][0]
    assert (Path(first["path"]).name[:4], first["label"]) == ("red-", "red")
    assert first["nearest"][0]["label"] == "red"
    low, high = found["share"]["interval"]
    assert low <= found["share"]["value"] <= high
    kept = run(*given, "sigmoid", "--pool", pool, "--json", "--keep-suspects")
    found = json.loads(kept.stdout)
    assert (found["pool"]["set_aside"], found["n_others"]) == (0, 48)
    assert json.loads(run(*given, "sigmoid", "--json").stdout)["pool"] is None


def test_a_page_without_a_pool_is_a_usage_error(run: Run, photos: Path, tmp_path: Path) -> None:
    done = run("train", photos, "-o", tmp_path / "m.outgroup", "--suspects", tmp_path / "s.html")
    assert done.exit_code == 2
    assert "must be used with --pool" in " ".join(done.stderr.split())


def test_compare_lists_what_it_set_aside(
    outgroup: Run, photos: Path, pool: Path, quick: str
) -> None:
    done = outgroup("compare", photos, "--pool", pool, "--backbone", quick, "--strategy", "sigmoid")
    assert done.returncode == 0
    assert "files of the pool look like your classes" in done.stderr
