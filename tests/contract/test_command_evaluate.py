"""Figures of ``outgroup evaluate`` and ``compare``, and what the commands list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import KNOWN, QUICK, World
from command_surface import Outcome, run

FACTS = surface.Facts("command_evaluate")


@pytest.mark.parametrize("fact", FACTS)
def test_figures_are_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def trained(out: Path, *arguments: object) -> Path:
    """Train a model with the quick network, and return its file."""
    model = out / "model.outgroup"
    told = run("train", *arguments, "--out", model, "--backbone", QUICK)
    assert told.code == 0, told.err
    return model


def measured(told: Outcome) -> dict[str, Any]:
    """Return the exit code and the figures."""
    assert told.code in (0, 3), told.err
    return {"code": told.code, **told.json, "unreadable": surface.files(told.json["unreadable"])}


def compared(found: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of a comparison, but the times."""
    results = []
    for one in found["strategies"]:
        plain = ("name", "known_rejected", "known_right", "shifted_rejected", "accepted")
        kept = {key: one[key] for key in (*plain, "standard_error", "trade_off")}
        by_source = [
            [source["source"], source["accepted"]["k"], source["accepted"]["n"]]
            for source in one["sources"]
        ]
        results.append({**kept, "sources": by_source, "failed": one["problem"] is not None})
    chosen = {key: found["chosen"][key] for key in ("name", "accepted", "standard_error")}
    counts = ("known_rejected_expected", "n_compared", "n_given", "n_unknown")
    return {"chosen": chosen, **{key: found[key] for key in counts}, "strategies": results}


def lineup(found: Any) -> list[str]:
    """Return the names of what was compared, in their order, however they are nested."""
    return [one["name"] for one in (found if isinstance(found, list) else found["strategies"])]


@FACTS
def known_and_unknown_images(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--other", "other", "--strategy", "blend")
    (out / "known").mkdir()
    for kind in KNOWN:
        (out / "known" / kind).symlink_to(Path("new", kind).resolve(), target_is_directory=True)
    given = ("--known", out / "known", "--unknown", "new/ring", "--unknown", "random")
    return measured(run("evaluate", model, *given, "--json"))


@FACTS
def a_table_with_groups_and_rows_that_are_other(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--strategy", "softmax")
    return measured(run("evaluate", model, "--known", "photos.csv", "--json"))


@FACTS
def files_that_can_not_be_read(_: World, out: Path) -> Any:
    model = trained(out, "photos", "--strategy", "sigmoid")
    return measured(run("evaluate", model, "--known", "left_out", "--json"))


@FACTS
def several_labels(_: World, out: Path) -> Any:
    given = ("--known", "new_pairs/marks.csv", "--unknown", "other")
    columns = [part for kind in KNOWN for part in ("--label-column", kind)]
    marks = trained(out, "pairs/marks.csv", "--multi-label", "--strategy", "sigmoid", *columns)
    found = measured(run("evaluate", marks, *given, "--json"))
    model = trained(out, "pairs/lists.csv", "--multi-label", "--strategy", "sigmoid")
    lists = run("evaluate", model, "--known", "new_pairs/lists.csv", *given[2:], "--json")
    named_by_table = {"by_origin": None}
    assert measured(lists) | named_by_table == found | named_by_table
    return found


@FACTS
def a_class_in_each_column(_: World, out: Path) -> Any:
    columns = ("--multi-output", "--label-column", "left", "--label-column", "right")
    model = trained(out, "pairs/sides.csv", *columns, "--strategy", "sigmoid")
    given = ("--known", "new_pairs/sides.csv", "--unknown", "other")
    return measured(run("evaluate", model, *given, "--json"))


@FACTS
def all_strategies_with_negatives(_: World, out: Path) -> Any:
    picture = out / "picture.svg"
    given = ("photos", "--other", "other", "--backbone", QUICK, "--plot", picture)
    found = compared(run("compare", *given, "--json").json)
    return {**found, "has_picture": "<svg" in picture.read_text("utf-8")}


@FACTS
def named_strategies_some_of_which_can_not_be_fitted(_: World, out: Path) -> Any:
    names = ("softmax", "softmax:energy", "detector:knn", "other-class")
    given = [part for name in names for part in ("--strategy", name)]
    return compared(run("compare", "photos", *given, "--backbone", QUICK, "--json").json)


@FACTS
def strategies_on_groups_with_another_budget(_: World, out: Path) -> Any:
    names = ("softmax", "sigmoid", "detector")
    given = [part for name in names for part in ("--strategy", name)]
    given += ["--max-known-rejected", "0.3", "--seed", "2"]
    return compared(run("compare", "photos.csv", *given, "--backbone", QUICK, "--json").json)


@FACTS
def strategies_with_a_pool(_: World, out: Path) -> Any:
    names = ("sigmoid", "blend")
    given = ["--pool", "random", *(part for name in names for part in ("--strategy", name))]
    return compared(run("compare", "photos", *given, "--backbone", QUICK, "--json").json)


@FACTS
def strategies_for_several_labels(_: World, out: Path) -> Any:
    told = run("compare", "pairs/lists.csv", "--multi-label", "--backbone", QUICK, "--json")
    return {"code": told.code, "lineup": sorted(lineup(told.json))}


@FACTS
def strategies_for_each_column(_: World, out: Path) -> Any:
    columns = ("--multi-output", "--label-column", "left", "--label-column", "right")
    names = ("--strategy", "softmax", "--strategy", "softmax:energy")
    told = run("compare", "pairs/sides.csv", *columns, *names, "--backbone", QUICK, "--json")
    return {"code": told.code, **{name: lineup(told.json[name]) for name in ("left", "right")}}


@FACTS
def methods_by_name(_: World, out: Path) -> Any:
    listed = run("methods", "--json").json
    kinds = ("strategy", "head", "detector")
    found = {kind: {m["name"]: True for m in listed if m["kind"] == kind} for kind in kinds}
    assert all(m["summary"] and m["reference"] for m in listed)
    return {**found, "all": {m["name"]: True for m in listed}}


@FACTS
def backbones_and_classes_of_imagenet(_: World, out: Path) -> Any:
    listed = run("backbones", "--json").json
    keys = ("name", "spec", "licence")
    return {
        "backbones": {one["name"]: {key: one[key] for key in keys} for one in listed},
        "terriers": run("backbones", "--classes", "terrier", "--json").json,
        "nothing": run("backbones", "--classes", "xyzzy", "--json").json,
    }


@FACTS
def sources_of_pools_and_named_image_sets(_: World, out: Path) -> Any:
    listed = run("pool", "sources", "--json").json
    keys = ("repository", "images", "licence")
    return {
        "kinds": {one["kind"]: True for one in listed["kinds"]},
        "sets": {one["name"]: {key: one[key] for key in keys} for one in listed["sets"]},
    }


@FACTS
def the_version_and_the_help(_: World, out: Path) -> Any:
    commands = ("train", "compare", "predict", "evaluate", "methods", "backbones", "demo")
    pools = ("build", "add", "embed", "show", "purge", "mine", "verify", "sources")
    help_of = [[], *([name] for name in commands), *(["pool", name] for name in pools)]
    return {
        "version": run("--version").out.split(),
        "help": {" ".join(one) or "outgroup": run(*one, "--help").code for one in help_of},
    }
