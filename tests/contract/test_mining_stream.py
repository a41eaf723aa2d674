"""Mining of streams: what is mined, counted and bounded, by the command and in Python."""

from __future__ import annotations

import csv
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import outgroup
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import QUICK, World, patches, shape, world
from command_processes import in_processes
from command_surface import run

FACTS = surface.Facts("mining_stream")


@pytest.mark.parametrize("fact", FACTS)
def test_mining_is_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def trained(out: Path) -> Path:
    """Train a model that accepts some of the stream, and return its file."""
    model = out / "model.outgroup"
    given = ("photos", "--other", "other", "--strategy", "sigmoid", "--backbone", QUICK)
    assert run("train", *given, "--out", model).code == 0
    return model


def command(model: Path, *given: object) -> list[object]:
    """Return the command that mines for a model."""
    known = ("--known", "photos", "--other", "other")
    return ["pool", "mine", model, *known, *given, "--json"]


def told_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return what mining said, but the words and the seconds."""
    plain = ("bound", "reached", "confidence", "target", "stopped", "read", "unreadable")
    stages = [
        {key: one[key] for key in ("images", "accepted", "bound", "learned", "read")}
        for one in found["stages"]
    ]
    aside = [[one["name"], one["label"], one["other_score"]] for one in found["quarantined"]]
    counts = ("repeated", "n_quarantined", "n_negatives")
    return {
        **{key: found[key] for key in (*plain, *counts)},
        "stages": stages,
        "quarantined": aside,
        "failed": found["error"] is not None,
    }


def mined(out: Path, *given: object, stdin: str = "") -> dict[str, Any]:
    """Mine by the command, and return what it said, and what the new model answers."""
    better = out / "better.outgroup"
    told = run(*command(trained(out), *given, "--out", better), stdin=stdin)
    assert told.code == 0, told.err
    left = sorted(path.name for path in out.iterdir() if "better" in path.name)
    return {
        **told_of(told.json),
        "guarantees": surface.guarantees(told.json["certificate"]),
        "files": left,
        "answers": surface.answers(better, "new"),
    }


@FACTS
def a_folder_in_an_order_of_its_seed(world: World, out: Path) -> Any:
    found = mined(out, "--stream", world.stream, "--target", 0.02)
    other = mined(out, "--stream", world.stream, "--images", 200, "--seed", 4)
    return {"first": found, "another_seed": other}


@FACTS
def a_bound_that_is_reached(world: World, out: Path) -> Any:
    return mined(out, "--stream", world.stream, "--target", 0.7, "--confidence", 0.9)


@FACTS
def little_memory_and_few_refits(world: World, out: Path) -> Any:
    given = ("--refits", 1, "--hardest", 40, "--uniform", 20, "--target", 0.001)
    return mined(out, "--stream", world.stream, *given)


@FACTS
def paths_on_standard_input(world: World, out: Path) -> Any:
    paths = [*map(str, sorted(Path(world.stream).iterdir())), "", "nowhere.bmp", "stream/0001.bmp"]
    given = ("--stream", "-", "--target", 0.0001)
    return mined(out, *given, stdin="\n".join(paths) + "\n")


@FACTS
def a_pool_without_what_is_in_quarantine(_: World, out: Path) -> Any:
    pool = outgroup.Pool.create(out / "pool", QUICK)
    pool.add("random", progress=False)
    pool.quarantine([3, 4], "looks like a shape")
    return mined(out, "--stream", out / "pool", "--stream", "new/ring")


@FACTS
def suspects_in_a_file_and_training_images_apart(world: World, out: Path) -> Any:
    listed = out / "suspects.csv"
    streams = [part for name in ("new", "random", "other") for part in ("--stream", name)]
    found = mined(out, *streams, "--suspects", listed)
    with listed.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {**found, "rows": [[row["path"], row["looks_like"]] for row in rows]}


def pictures(n: int) -> Iterator[Image.Image]:
    """Yield images that are none of the classes; one in five is like a circle."""
    for i in range(n):
        yield shape("ring", 4000 + i) if i % 5 == 0 else patches(9000 + i)


@FACTS
def images_in_python(world: World, out: Path) -> Any:
    classifier = outgroup.load(trained(out))
    known: dict[str, Any] = {"data": "photos", "other": "other"}
    found = outgroup.mine(
        pictures(560),
        classifier,
        540,
        target=None,
        hardest=60,
        uniform=30,
        **known,
    )
    found.classifier.save(out / "better.outgroup")
    with pytest.raises(InvalidParameterError):
        outgroup.mine(pictures(9), classifier)  # a file holds no training images
    with pytest.raises(InvalidParameterError):
        outgroup.mine(7, classifier, **known)
    with pytest.raises(InvalidParameterError):
        outgroup.mine(pictures(9), classifier, target=2.0, **known)
    with pytest.raises(InvalidDataError):
        outgroup.mine([], classifier, **known)
    return {
        **told_of(found.to_dict()),
        "answers": surface.answers(out / "better.outgroup", "new"),
        "same": found.classifier.threshold == outgroup.load(out / "better.outgroup").threshold,
    }


@FACTS
def a_stream_that_fails_midway(_: World, out: Path) -> Any:
    def failing() -> Iterator[Image.Image]:
        yield from pictures(300)
        raise ConnectionError("gone")

    classifier = outgroup.load(trained(out))
    with pytest.warns(DataWarning):
        found = outgroup.mine(failing(), classifier, data="photos", other="other")
    assert isinstance(found.error, ConnectionError)
    return told_of(found.to_dict())


@FACTS
def failures(world: World, out: Path) -> Any:
    model, better = trained(out), out / "better.outgroup"
    detector, labels = out / "detector.outgroup", out / "labels.outgroup"
    given = ("--backbone", QUICK, "--out")
    assert run("train", "photos", "--strategy", "detector", *given, detector).code == 0
    assert run("train", "pairs/lists.csv", "--multi-label", *given, labels).code == 0
    (out / "empty").mkdir()
    stream = ("--stream", "new/ring")
    calls = {
        "stream_that_is_not_there": (model, "--stream", "nowhere"),
        "stream_without_images": (model, "--stream", out / "empty"),
        "standard_input_and_another": (model, "--stream", "-", "--stream", "new"),
        "model_that_is_not_there": (out / "nowhere.outgroup", *stream),
        "strategy_that_learns_from_no_negatives": (detector, *stream),
        "several_labels": (labels, *stream),
        "target_above_one": (model, *stream, "--target", 2),
        "no_images": (model, *stream, "--images", 0),
        "less_than_no_refits": (model, *stream, "--refits", -1),
        "suspects_in_no_folder": (model, *stream, "--suspects", out / "nowhere" / "a.csv"),
        "state_in_no_folder": (model, *stream, "--state", out / "nowhere" / "state"),
    }
    found = {}
    for name, arguments in calls.items():
        found[name] = run(*command(*arguments, "--out", better)).code
        assert not better.exists(), name
    found["no_out"] = run(*command(model, *stream)).code
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(tmp_path: Path) -> None:
    made = world()
    with made.inside():
        model = trained(tmp_path)
        given = [str(part) for part in command(model, "--stream", made.stream, "--target", 0.02)]
        killed, whole = tmp_path / "killed.outgroup", tmp_path / "whole.outgroup"
        arguments = [*given, "--out", str(killed)]
        stops = [
            ("open .bmp", 100, "before", "SIGKILL"),  # before any state was written
            ("fsync", 1, "before", "SIGKILL"),
            ("fsync", 2, "after", "SIGKILL"),  # behind the first state
            ("open .bmp", 150, "before", "SIGKILL"),  # behind the images that were passed over
        ]
        codes = in_processes([{"arguments": arguments, "stop": one} for one in stops])
        assert codes == [-signal.SIGKILL] * len(stops)
        assert not killed.exists()
        state = tmp_path / "killed.outgroup.mining"
        assert state.exists()
        wrong = [*given, "--out", killed, "--hardest", 7]
        assert run(*wrong).code == 2  # another run's state
        resumed, unkilled = run(*arguments), run(*given, "--out", whole)
        assert told_of(resumed.json) == told_of(unkilled.json)
        assert resumed.json["stages"][-1]["learned"] > 0
        assert killed.read_bytes() == whole.read_bytes()
        assert not state.exists()
