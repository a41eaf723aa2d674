from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import outgroup as library

Run = Callable[..., Any]


def test_a_model_of_names_alone_says_that_it_guarantees_nothing(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "nothotdog.outgroup"
    done = run("train", "--map", "hotdog=hotdog", "--map", "dog=dog", "--out", out)
    assert done.exit_code == 0
    text = " ".join(done.stdout.split())
    assert "hotdog hot dog" in text
    assert "Chihuahua" in text
    assert "and 113 more" in text
    assert "Nothing is guaranteed: the threshold is not calibrated" in text
    assert "Nothing is guaranteed for other images" not in text
    assert library.load(out).classes == ("dog", "hotdog")


def test_its_json_has_no_guarantee(run: Run, tmp_path: Path) -> None:
    done = run(
        "train", "--map", "cat=tabby,Persian cat", "--out", tmp_path / "m.outgroup", "--json"
    )
    found = json.loads(done.stdout)
    assert found["classes"] == {"cat": 0}
    assert found["certificate"]["guarantees"] == []
    assert found["warnings"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "cat"], "--map cat=tabby,\"Persian cat\", got 'cat'"),
        (["--map", "=tabby"], "got '=tabby'"),
        (["--map", "giraffe=giraffe"], "no class or family named 'giraffe'"),
        ([], "train --map hotdog=hotdog --out FILE"),
    ],
)
def test_what_is_no_map_ends_with_the_fix(
    run: Run, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = run("train", *arguments, "--out", tmp_path / "m.outgroup")
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "m.outgroup").exists()


def test_names_can_be_searched(run: Run) -> None:
    text = run("backbones", "--classes", "shark").stdout
    assert "great white shark" in text
    assert "2-4" in text
    found = json.loads(run("backbones", "--classes", "panda", "--json").stdout)
    assert found[1] == {"name": "giant panda", "indices": [388]}


def test_what_is_odd_about_the_data_is_said_in_plain_words(
    run: Run, quick: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    photos = make_folder(tmp_path / "photos", ["blue", "red"], 8)
    (photos / "red").rename(photos / "other")
    arguments = ("train", photos, "--out", tmp_path / "m.outgroup", "--backbone", quick)
    done = run(*arguments, "--strategy", "softmax", "--json")
    assert done.exit_code == 0
    (said,) = json.loads(done.stdout)["warnings"]
    assert done.stderr.strip() == f"Warning: {said}"
    assert f"--other {photos / 'other'} on the command line" in said
    compared = run("compare", photos, "--backbone", quick)
    assert f"Warning: {said}" in compared.stderr

    fixed = run(*arguments, "--other", photos / "other", "--strategy", "sigmoid")
    assert (fixed.exit_code, fixed.stderr) == (0, "")
    assert library.load(tmp_path / "m.outgroup").classes == ("blue",)
