from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from outgroup.cli import spread

TAKES = {"--known": False, "--unknown": True, "-u": True, "--seed": False}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("M --unknown a b c", "M --unknown a --unknown b --unknown c"),
        ("M --unknown a b --known k -u c d", "M --unknown a --unknown b --known k -u c -u d"),
        ("M --known k --unknown a --json", "M --known k --unknown a --json"),
        ("--unknown a M", "--unknown a M"),
        ("--unknown a M b", "--unknown a M --unknown b"),
        ("M --unknown=a b", "M --unknown=a b"),
        ("M --known k b", "M --known k b"),
        ("M --unknown -", "M --unknown -"),
        ("M --unknown a --json b", "M --unknown a --json b"),
        ("M --unknown a -- b", "M --unknown a -- b"),
        ("M --unknown", "M --unknown"),
    ],
)
def test_each_value_gets_its_option(given: str, expected: str) -> None:
    assert spread(given.split(), TAKES, 1) == expected.split()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, level in (("known/a", 40), ("known/b", 200), ("near", 100), ("far", 120)):
        (tmp_path / name).mkdir(parents=True)
        for i in range(6):
            noise = rng.integers(0, 40, (40, 40, 3)) + level
            Image.fromarray(noise.astype(np.uint8)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_folders_behind_one_option_are_all_taken(folders: Path, run: Callable[..., Any]) -> None:
    model = folders / "m.outgroup"
    near, far = folders / "near", folders / "far"
    trained = run("train", folders / "known", "--other", near, far, "--out", model)
    assert trained.exit_code == 0, trained.output
    measured = run("evaluate", model, "--known", folders / "known", "--unknown", near, far)
    assert measured.exit_code == 0, measured.output
    assert "near" in measured.output
    assert "far" in measured.output


def test_what_belongs_to_no_option_is_still_refused(folders: Path, run: Callable[..., Any]) -> None:
    result = run("train", folders / "known", "--out", folders / "m.outgroup", "more")
    assert result.exit_code == 2
    assert "more" in result.output
