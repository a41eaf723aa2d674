"""Networks with several inputs: training, JSON lines, odd and missing cells, evaluation, files."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import outgroup

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import World, world
from command_surface import Outcome, run

pytest.importorskip("torch", reason="training of several inputs needs the extra torch")

#: Training of a network amplifies last bits, so scores are compared less sharply than elsewhere.
FACTS = surface.Facts("inputs_rows", rtol=1e-3)

SIDE = 16
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sum in one order, whatever the number of cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("fact", FACTS)
def test_several_inputs_are_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def chips(n: int, seed: int, classes: int = 2) -> Rows:
    """Return rows with two bands, an angle that may be missing, and a sensor.

    Ice is wide, ships are slim and darker in the second band, rocks are dark in the first.
    """
    draws = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    rows = []
    for i in range(n):
        kind = ("ice", "ship", "rock")[i % classes]
        blob = np.exp(-(x**2) / (2 if kind == "ship" else 10) - y**2 / 10)
        levels = {"ice": (12, 9), "ship": (12, 4), "rock": (4, 12)}[kind]
        row: dict[str, Any] = {"id": f"chip {i}"}
        for band, level in zip(("hh", "hv"), levels, strict=True):
            values = -20 + level * blob + draws.normal(0, 1, x.shape)
            row[band] = np.round(values, 3).ravel().tolist()
        angle = round(float(draws.uniform(30, 45)), 2)
        row |= {"angle": "na" if i % 9 == 4 else angle, "sensor": "AB"[int(draws.integers(2))]}
        rows.append(row | {"kind": kind, "scene": f"scene {i // 3}"})
    return rows


def written(path: Path, rows: Rows) -> Path:
    """Write rows to a JSON file."""
    path.write_text(json.dumps(rows))
    return path


def spec(out: Path, **more: Any) -> Path:
    """Write a file of inputs for the smallest preset."""
    given = {
        "images": [{"name": "hh", "units": "dB"}, {"name": "hv", "units": "dB"}],
        "table": ["angle", {"kind": "categorical", "name": "sensor"}],
        "label": "kind",
        "id": "id",
        "preset": "two-branch",
        **more,
    }
    path = out / "inputs.json"
    path.write_text(json.dumps(given))
    return path


def trained(out: Path, rows: Rows, *given: object, **more: Any) -> tuple[Path, dict[str, Any]]:
    """Train by the command; return the file of the model and what was said."""
    model, table = out / "model.outgroup", written(out / "train.json", rows)
    command = ("train", table, "--inputs", spec(out, **more), "--out", model, "--json")
    told = run(*command, *given)
    assert told.code == 0, told.err
    found = told.json
    return model, {
        **{key: found[key] for key in ("classes", "n_others", "threshold")},
        "guarantees": surface.guarantees(found["certificate"]),
        "unreadable": surface.files(found["unreadable"]),
        "ablation": ablation(found["ablation"]),
    }


@functools.cache
def small() -> tuple[Path, dict[str, Any]]:
    """Return a model for two classes that several facts look at, and what was said of it."""
    out = world().path / "chips"
    out.mkdir()
    return trained(out, chips(60, 0))


def ablation(found: dict[str, Any] | None) -> list[Any] | None:
    """Return which inputs were left out, and what that cost, if it was asked for."""
    return found and [
        [row["inputs"], row["log_loss"]["value"], row["accuracy"]["value"]] for row in found["rows"]
    ]


def seen(told: Outcome) -> dict[str, Any]:
    """Return the exit code and the lines, without the words."""
    lines = []
    for line in told.lines:
        odd = sorted(line["odd_inputs"])
        lines.append(line | {"error": line["error"] is not None, "odd_inputs": odd})
    return {"code": told.code, "lines": lines}


def short(told: Outcome) -> dict[str, Any]:
    """Return decisions, scores and odd inputs alone."""
    kept = ("path", "labels", "reason", "other_score", "odd_inputs")
    found = seen(told)
    return {"code": told.code, "lines": [[line[key] for key in kept] for line in found["lines"]]}


@FACTS
def two_classes(_: World, out: Path) -> Any:
    model, told = small()
    new = written(out / "new.json", chips(8, 1))
    explained = run("predict", model, new, "--json", "--explain", "--nearest", 2).lines[0]
    moved = run("predict", model, new, "--json", "--threshold", 3.0)
    return {
        "told": told,
        "lines": seen(run("predict", model, new, "--json")),
        "percentile": explained["percentile"],
        "nearest": [one["label"] for one in explained["nearest"]],
        "moved": [line["label"] for line in moved.lines],
    }


@FACTS
def unknown_rows_missing_cells_and_rows_that_can_not_be_read(_: World, out: Path) -> Any:
    model, _told = small()
    strange, missing, broken = chips(6, 2), chips(6, 3), chips(6, 4)
    draws = np.random.default_rng(5)
    strange[0]["angle"] = 80.0
    strange[1]["sensor"] = "C"
    strange[2]["hh"] = [5.0] * SIDE**2
    for band in ("hh", "hv"):
        strange[3][band] = draws.normal(-20, 1, SIDE**2).tolist()
    strange[4]["hv"] = (np.array(strange[4]["hv"]) + 15).tolist()
    missing[0]["angle"] = None
    missing[1]["sensor"] = ""
    missing[2]["hh"] = None
    missing[3] |= {"hh": None, "angle": "na"}
    del missing[4]["hv"]
    missing[5] |= {"angle": None, "sensor": None}
    broken[0]["hh"] = broken[0]["hh"][:9]
    broken[1]["angle"] = "steep"
    broken[2] |= dict.fromkeys(("hh", "hv", "angle", "sensor"))
    broken[3]["hv"] = [float("nan")] * SIDE**2
    tables = {"strange": strange, "missing": missing, "broken": broken}
    found = {}
    for name, rows in tables.items():
        table = written(out / f"{name}.json", rows)
        found[name] = short(run("predict", model, table, "--json"))
    lacking = written(out / "lacking.json", [{"hh": r["hh"], "hv": r["hv"]} for r in chips(4, 1)])
    return {**found, "lacking": short(run("predict", model, lacking, "--json"))}


@FACTS
def figures_on_known_and_unknown_rows(_: World, out: Path) -> Any:
    model, _told = small()
    known, dark, flat = chips(30, 6), chips(8, 7), chips(8, 8)
    known[0]["kind"] = None
    known[1]["hh"] = [1.0]
    for row in dark:
        row["hh"] = (np.array(row["hh"]) - 30).tolist()
    for row in flat:
        row["hv"] = [-20.0] * SIDE**2
    unknown = [
        part
        for name, rows in (("dark", dark), ("flat", flat))
        for part in ("--unknown", written(out / f"{name}.json", rows))
    ]
    given = ("--known", written(out / "known.json", known), *unknown, "--json")
    told = run("evaluate", model, *given)
    return {"code": told.code, **told.json, "unreadable": surface.files(told.json["unreadable"])}


@FACTS
def the_larger_preset_with_groups_negatives_and_a_budget(_: World, out: Path) -> Any:
    strange = chips(15, 9)
    for row in strange:
        row["hv"] = row["hh"]
    other = written(out / "other.json", strange)
    given = ("--other", other, "--max-known-rejected", 0.6, "--confidence", 0.9, "--seed", 4)
    more = {"preset": "two-branch-plus", "groups": "scene", "names": {"ship": "a ship"}}
    model, told = trained(out, chips(48, 0), *given, **more)
    new = written(out / "new.json", [*chips(6, 3), *strange[:4]])
    lines = run("predict", model, new, "--json").lines
    # Its many steps amplify last bits to some percent of a score: decisions are compared alone.
    return {
        **{key: told[key] for key in ("classes", "n_others", "guarantees")},
        "answers": [[line["label"], line["reason"]] for line in lines],
    }


@FACTS
def three_classes_with_an_ablation(_: World, out: Path) -> Any:
    model, told = trained(out, chips(60, 0, 3), "--ablation", target="multi-class", fusion="concat")
    new = written(out / "new.json", chips(9, 1, 3))
    return {"told": told, "answers": seen(run("predict", model, new, "--json"))}


@FACTS
def any_number_of_labels(_: World, out: Path) -> Any:
    def labelled(rows: Rows) -> Rows:
        for i, row in enumerate(rows):
            steep = i % 4 > 1
            row["angle"] = 42.0 + i % 5 / 10 if steep else 33.0 + i % 5 / 10
            row["kind"] += "|steep" if steep else ""
        return rows

    model, told = trained(out, labelled(chips(60, 0)), target="multi-label", negatives="none")
    new = written(out / "new.json", labelled(chips(8, 1)))
    figures = run("evaluate", model, "--known", new, "--json").json
    return {
        "told": told,
        "answers": seen(run("predict", model, new, "--json")),
        "figures": {key: figures[key] for key in ("exact_match", "coverage", "macro_f1")},
    }


@FACTS
def files_of_images_in_a_table_and_one_fused_branch(_: World, out: Path) -> Any:
    rows = chips(40, 0)
    lines = ["id,hh,hv,angle,kind"]
    for i, row in enumerate(rows):
        for band in ("hh", "hv"):
            np.save(out / f"{band}{i}.npy", np.reshape(row[band], (SIDE, SIDE)))
        lines.append(f"c{i},hh{i}.npy,hv{i}.npy,{row['angle']},{row['kind']}")
    (out / "train.csv").write_text("\n".join(lines) + "\n")
    model = out / "model.outgroup"
    inputs = spec(out, table=["angle"], fusion="early", negatives="background")
    told = run("train", out / "train.csv", "--inputs", inputs, "--out", model, "--json")
    assert told.code == 0, told.err
    return {
        "classes": told.json["classes"],
        "threshold": told.json["threshold"],
        "guarantees": surface.guarantees(told.json["certificate"]),
        "answers": short(run("predict", model, out / "train.csv", "--json")),
    }


@FACTS
def the_same_from_python_and_after_saving_again(_: World, out: Path) -> Any:
    rows = chips(60, 0)
    model, told = small()
    table = written(out / "new.json", chips(8, 1))
    lines = run("predict", model, table, "--json").out.splitlines()
    loaded = outgroup.load(model)
    assert [answer.to_json() for answer in loaded.predict(table)] == lines
    again = outgroup.load(loaded.save(out / "again.outgroup"))
    assert [answer.to_json() for answer in again.predict(table)] == lines
    package = surface.several_inputs()
    inputs = package.Inputs(
        [package.Bands("hh", units="dB"), package.Bands("hv", units="dB")],
        [package.Numeric("angle"), package.Categorical("sensor")],
    )
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    own = surface.multi_input_classifier()(inputs, preset="two-branch", progress=False)
    own.fit(columns, "kind", id="id")
    assert own.model.threshold == told["threshold"]
    answers = own.predict(chips(8, 1))
    assert [json.loads(answer.to_json()) for answer in answers] == [json.loads(x) for x in lines]
    return [told["threshold"], [line["label"] for line in map(json.loads, lines)]]


@FACTS
def comparison_with_a_baseline(_: World, out: Path) -> Any:
    table = written(out / "train.json", chips(40, 0))
    names = ("--strategy", "logistic")  # networks take seconds
    found = run("compare", table, "--inputs", spec(out), *names, "--json").json
    return [[one["name"], one["accuracy"]["value"], one["problem"] is None] for one in found]


@FACTS
def failures(_: World, out: Path) -> Any:
    model, _told = small()
    before = model.read_bytes()
    table, inputs = written(out / "train.json", chips(40, 0)), spec(out)
    (out / "wrong.json").write_text('{"images": ["hh"], "tables": []}')
    (out / "text.json").write_text("no JSON")
    unknown = chips(6, 1)
    unknown[0]["kind"] = "rock"
    given = {
        "spec_that_is_not_there": ("--inputs", out / "nowhere.json"),
        "spec_that_is_no_json": ("--inputs", out / "text.json"),
        "spec_with_an_unknown_key": ("--inputs", out / "wrong.json"),
        "strategy": ("--inputs", inputs, "--strategy", "sigmoid"),
        "pool": ("--inputs", inputs, "--pool", "random"),
        "backbone": ("--inputs", inputs, "--backbone", "efficientnet-lite0"),
        "several_labels": ("--inputs", inputs, "--multi-label"),
        "budget_that_is_too_small": ("--inputs", inputs, "--max-known-rejected", 0.001),
        "other_that_is_not_there": ("--inputs", inputs, "--other", out / "nowhere.json"),
    }
    found = {
        name: run("train", table, *options, "--out", out / "none.outgroup").code
        for name, options in given.items()
    }
    for name, more in (
        ("preset", {"preset": "three-branch"}),
        ("target", {"target": "ternary"}),
        ("column_that_is_not_there", {"label": "class"}),
        ("two_classes_of_three", {"images": ["hh", "hh"]}),
    ):
        told = run("train", table, "--inputs", spec(out, **more), "--out", out / "none.outgroup")
        found[name] = told.code
    assert not (out / "none.outgroup").exists()
    assert model.read_bytes() == before
    known = written(out / "known.json", unknown)
    return {
        **found,
        "unknown_label": run("evaluate", model, "--known", known).code,
        "folder_to_evaluate": run("evaluate", model, "--known", "photos").code,
        "table_that_is_not_there": run("predict", model, out / "nowhere.json").code,
        "no_data": run("train", "--inputs", spec(out), "--out", out / "none.outgroup").code,
    }
