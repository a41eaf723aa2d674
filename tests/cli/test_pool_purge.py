from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outgroup import Pool

Run = Callable[..., Any]
HIDDEN = 6


@pytest.fixture
def pool(run: Run, quick: str, tmp_path: Path, make_folder: Callable[..., Path]) -> Path:
    path = tmp_path / "pool"
    clean = make_folder(tmp_path / "clean", ["grey", "yellow"], 40)
    dirt = make_folder(tmp_path / "dirt", ["red"], HIDDEN, first=300)
    assert run("pool", "build", path, clean, dirt, "--backbone", quick).exit_code == 0
    return path


def test_purge_shows_suspects_and_takes_answers(
    run: Run, pool: Path, photos: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    result = run("pool", "purge", pool, "--known", photos, "--sheet", page, "--no-cache")
    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines()[:6])) <= 80
    n = len(Pool(pool).rows(state="quarantined"))
    assert n >= HIDDEN - 1
    text = " ".join(result.stdout.split())
    assert f"{n} were put into quarantine, 0 were in it." in text
    assert f"outgroup pool purge {pool} --answers answers.csv" in result.stdout
    assert page.read_text().count("<article") == n
    assert "no picture" not in page.read_text()
    one = Pool(pool).records(Pool(pool).rows(state="quarantined"))[0]
    answers = tmp_path / "answers.csv"
    answers.write_text(f'path,label\n"{one.origin}",\n')
    said = run("pool", "purge", pool, "--answers", answers)
    assert "0 stay in quarantine, 1 are kept" in said.stdout
    assert len(Pool(pool).rows(state="quarantined")) == n - 1


def test_a_dry_run_says_so_and_changes_nothing(run: Run, pool: Path, photos: Path) -> None:
    dry = ("pool", "purge", pool, "--known", photos, "--dry-run", "--no-cache")
    assert "Nothing was changed" in run(*dry).stdout
    found = json.loads(run(*dry, "--json").stdout)
    assert found["images"] == 80 + HIDDEN
    assert found["new"] == 0
    assert len(found["suspects"]) >= HIDDEN - 1
    assert all(suspect["label"] in ("red", "blue", "green") for suspect in found["suspects"])
    assert len(Pool(pool).rows(state="quarantined")) == 0


def test_known_images_or_answers_must_be_given(run: Run, pool: Path, photos: Path) -> None:
    neither = run("pool", "purge", pool)
    assert neither.exit_code == 2
    assert "Invalid `--known`" in neither.stderr
    assert run("pool", "purge", pool, "--known", photos, "--answers", photos).exit_code == 2
