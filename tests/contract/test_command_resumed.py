"""A `train` that was killed or interrupted goes on where it was, and gives the same model."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from PIL import ImageFile

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import KNOWN, QUICK, World, write_shapes
from command_processes import in_processes
from command_surface import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FACTS = surface.Facts("command_resumed")

#: More images than are written to the cache at once.
MANY = 60


@pytest.mark.parametrize("fact", FACTS)
def test_stopped_runs_are_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def counted(*arguments: object) -> tuple[surface.Outcome, int]:
    """Run a command, and count the images that are decoded."""
    plain = ImageFile.ImageFile.__init__
    with mock.patch.object(ImageFile.ImageFile, "__init__", autospec=True, side_effect=plain) as it:
        return run(*arguments), it.call_count


def numbers(told: surface.Outcome, model: Path) -> dict[str, Any]:
    """Return what a training said and its model answers."""
    assert told.code == 0, told.err
    return {**surface.told_of_training(told.json), "answers": surface.answers(model, "new")}


@FACTS
def a_run_that_was_killed_while_embedding(_: World, out: Path) -> Any:
    photos = write_shapes(out / "many", KNOWN, MANY, first=1000)
    model, whole = out / "model.outgroup", out / "whole.outgroup"
    given = ("train", str(photos), "--backbone", QUICK, "--strategy", "sigmoid", "--json")
    with mock.patch.dict(os.environ, {"OUTGROUP_CACHE": str(out / "cache")}):
        stop = ("open .png", 3 * MANY - 10, "before", "SIGKILL")
        killed = {"arguments": [*given, "--out", str(model)], "stop": stop}
        codes = in_processes([killed])
        assert not model.exists()
        resumed, decoded = counted(*given, "--out", model)
        again, decoded_again = counted(*given, "--out", out / "again.outgroup")
    with mock.patch.dict(os.environ, {"OUTGROUP_CACHE": str(out / "another")}):
        unkilled, all_decoded = counted(*given, "--out", whole)
    assert codes == [-signal.SIGKILL]
    assert 0 < decoded < all_decoded == 3 * MANY  # what was embedded is not embedded again
    assert decoded_again == 0
    assert model.read_bytes() == whole.read_bytes()
    found = numbers(unkilled, whole)
    assert numbers(resumed, model) == found
    assert numbers(again, out / "again.outgroup") == found
    return found


@FACTS
def runs_that_were_killed_while_writing_the_model_or_interrupted(_: World, out: Path) -> Any:
    model, other = out / "model.outgroup", out / "other.outgroup"
    model.write_text("an older model")
    given = ["train", "photos", "--backbone", QUICK, "--strategy", "softmax", "--json"]
    stops = [("fsync", 1, side, "SIGKILL") for side in ("before", "after")]
    runs = [{"arguments": [*given, "--out", str(model)], "stop": stop} for stop in stops]
    interrupt = ("open .png", 20, "before", "SIGINT")
    runs.append({"arguments": [*given, "--out", str(other), "--no-cache"], "stop": interrupt})
    codes = in_processes(runs)
    assert model.read_text() == "an older model"
    resumed = numbers(run(*given, "--out", model), model)
    left = [path.name for path in out.iterdir() if path.suffix == ".outgroup"]
    return {"codes": codes, "files": left, **resumed}
