"""What ``outgroup predict`` prints: the JSON lines of every kind of model, and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import QUICK, World
from command_surface import Outcome, run

FACTS = surface.Facts("command_predict")


@pytest.mark.parametrize("fact", FACTS)
def test_predict_is_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def trained(out: Path, *arguments: object, backbone: str = QUICK) -> Path:
    """Train a model, and return its file."""
    model = out / "model.outgroup"
    told = run("train", *arguments, "--out", model, "--backbone", backbone)
    assert told.code == 0, told.err
    return model


def seen(told: Outcome) -> dict[str, Any]:
    """Return the exit code and the lines, without the words of errors."""
    lines = [
        line | {"error": line["error"] is not None, "reason": surface.reason(line)}
        for line in told.lines
    ]
    return {"code": told.code, "lines": lines}


@FACTS
def a_line_for_each_image_of_folders_and_files(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--other", "other", "--strategy", "blend")
    given = ("new", "./other/bar/001.png", "left_out/circle/note.txt", "nowhere.png")
    return seen(run("predict", model, *given, "--json"))


@FACTS
def exit_code_0_if_all_images_were_read(_: World, out: Path) -> Any:
    return seen(run("predict", trained(out, "photos", "--strategy", "sigmoid"), "new", "--json"))


@FACTS
def explained_by_percentile_and_nearest_images(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--other", "other", "--strategy", "blend")
    given = ("new/circle", "new/ring", "nowhere.png", "--json", "--explain", "--nearest", 3)
    return seen(run("predict", model, *given))


@FACTS
def another_threshold(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--strategy", "sigmoid")
    return seen(run("predict", model, "new", "--json", "--threshold", -3.5))


@FACTS
def text_for_people_begins_with_path_and_answer(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--strategy", "sigmoid")
    found = {}
    for word in ((), ("--other-word", "none")):
        told = run("predict", model, "new", "nowhere.png", *word)
        cells = [line.split("\t")[:2] for line in told.out.splitlines()]
        found[" ".join(word)] = {"code": told.code, "lines": [*cells[:-1], cells[-1][:1]]}
    return found


@FACTS
def an_empty_folder_has_no_lines(_: World, out: Path) -> Any:
    (out / "empty").mkdir()
    model = trained(out, "photos", "--strategy", "softmax")
    return seen(run("predict", model, out / "empty", "--json"))


@FACTS
def several_labels(_: World, out: Path) -> Any:
    model = trained(out, "pairs/lists.csv", "--multi-label", "--strategy", "blend")
    given = ("new_pairs/images", "nowhere.png", "--json")
    moved = run("predict", model, *given, "--threshold", 1.5)
    return {
        "own": seen(run("predict", model, *given)),
        "moved": [line["labels"] for line in moved.lines],
    }


@FACTS
def a_class_in_each_column(_: World, out: Path) -> Any:
    columns = ("--multi-output", "--label-column", "left", "--label-column", "right")
    model = trained(out, "pairs/sides.csv", *columns, "--strategy", "sigmoid")
    given = ("new_pairs/images", "nowhere.png", "--json")
    moved = run("predict", model, *given, "--threshold", 1.5)
    return {
        "own": seen(run("predict", model, *given)),
        "moved": [line["outputs"] for line in moved.lines],
    }


@FACTS
def names_of_imagenet(_: World, out: Path) -> Any:
    given = ("--map", "traffic=traffic light,street sign", "--map", "ball=soccer ball")
    model = trained(out, *given, backbone="efficientnet-lite0")
    return seen(run("predict", model, "new/ring", "other/cross/003.png", "--json"))


@FACTS
def the_same_answers_from_paths_in_any_order(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--strategy", "softmax")
    paths = [f"new/{kind}/{i}.png" for kind in ("ring", "circle") for i in (103, 100)]
    found = run("predict", model, *paths, "--json").lines
    again = run("predict", model, *reversed(paths), "--json").lines
    assert found == again[::-1]
    return [line["other_score"] for line in found]
