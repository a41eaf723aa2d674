"""``train --inputs``, ``predict``, ``evaluate`` and ``compare`` on tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from outgroup import MultiInputClassifier
from outgroup.cli import app
from outgroup.multi_input import PRESETS, Block

pytest.importorskip("torch")

Run = Callable[..., Any]


def write_table(
    path: Path, seed: int = 0, level: float = -20.0, spread: float = 1.0, classes: int = 2
) -> Path:
    """Sixty chips of one band as `train.json` has them: bright ones are icebergs."""
    draws = np.random.default_rng(seed)
    rows = []
    for i in range(60):
        label = i % classes
        band = draws.normal(level + 4 * label, spread, 64).tolist()
        angle = "na" if i % 7 == 0 else float(draws.uniform(30, 45))
        rows.append({"id": f"c{i}", "band_1": band, "inc_angle": angle, "is_iceberg": label})
    path.write_text(json.dumps(rows))
    return path


def write_spec(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Path:
    """A file of inputs, with presets that learn the chips in half a second."""
    small = replace(PRESETS["two-branch"], blocks=(Block(4),), epochs=30, rate=1e-2)
    plus = replace(
        PRESETS["two-branch-plus"], blocks=(Block(4, 2, False), Block(6)), epochs=12, members=2
    )
    monkeypatch.setitem(PRESETS, "two-branch", small)
    monkeypatch.setitem(PRESETS, "two-branch-plus", plus)
    path = folder / "inputs.json"
    given = {
        "images": [{"name": "band_1", "units": "dB"}],
        "table": ["inc_angle"],
        "label": "is_iceberg",
        "id": "id",
        "names": {"0": "ship", "1": "iceberg"},
        "preset": "two-branch",
        **more,
    }
    path.write_text(json.dumps(given))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "train.json")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write_spec(tmp_path, monkeypatch)


def test_a_table_in_and_lines_out(run: Run, table: Path, spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.outgroup"
    done = run("train", table, "--inputs", spec, "--out", out)
    assert done.exit_code == 0, done.output
    assert "iceberg" in done.output
    assert "of rows like your known ones are rejected" in " ".join(done.output.split())
    rows = json.loads(table.read_text())
    rows[0]["band_1"] = rows[0]["band_1"][:10]
    rows[1]["inc_angle"] = 88.0
    table.write_text(json.dumps(rows))
    said = run("predict", out, table, "--json")
    assert said.exit_code == 3
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(lines) == 60
    assert (lines[0]["path"], lines[0]["error"]) == ("c0", "band_1: 10 numbers are not 1 x 8 x 8")
    assert "never occurred" in lines[1]["odd_inputs"]["inc_angle"]
    right = [
        line["label"] == ("ship", "iceberg")[i % 2]
        for i, line in enumerate(lines)
        if line["label"] is not None
    ]
    assert np.mean(right) > 0.9
    text = run("predict", out, table).stdout.splitlines()[1].split("\t")
    assert text[0] == "c1"
    assert "never occurred" in text[-1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that the command line made, of the table and the file of inputs above."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        spec_file, table_file = write_spec(folder, patch), write_table(folder / "train.json")
        out = folder / "m.outgroup"
        done = CliRunner().invoke(
            app, ["train", str(table_file), "--inputs", str(spec_file), "--out", str(out)]
        )
        assert done.exit_code == 0, done.output
    return out


def test_evaluate_takes_tables_of_known_and_unknown_rows(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    known = write_table(tmp_path / "known.json", seed=5)
    dark = write_table(tmp_path / "dark.json", seed=6, level=-60.0)
    flat = write_table(tmp_path / "flat.json", seed=7, spread=0.0)
    done = run(
        "evaluate", trained, "--known", known, "--unknown", dark, "--unknown", flat, "--json"
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["classes"]] == ["iceberg", "ship"]
    assert found["overall"]["recall"]["n"] == 60
    assert found["overall"]["recall"]["value"] > 0.7
    assert {one["name"]: one["accepted"]["k"] for one in found["unknown"]} == {"dark": 0, "flat": 0}
    assert found["unreadable"] == []
    text = run("evaluate", trained, "--known", known, "--unknown", dark)
    assert "iceberg" in text.stdout
    assert "dark" in text.stdout


def test_evaluate_counts_rows_without_a_label_as_unknown_and_names_unreadable_ones(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    known = write_table(tmp_path / "known.json", seed=5)
    rows = json.loads(known.read_text())
    rows[0]["is_iceberg"] = None
    rows[1]["band_1"] = [1.0]
    known.write_text(json.dumps(rows))
    done = run("evaluate", trained, "--known", known, "--json")
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    assert found["overall"]["recall"]["n"] == 58
    assert found["unknown"][0]["name"] == "rows without a label"
    (lost,) = found["unreadable"]
    assert lost == {"path": "c1", "reason": "band_1: 1 numbers are not 1 x 8 x 8"}


def test_evaluate_refuses_what_the_model_can_t_know(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    folder = run("evaluate", trained, "--known", tmp_path)
    assert folder.exit_code == 2
    assert "must be a JSON or CSV file for a model" in " ".join(folder.output.split())
    known = write_table(tmp_path / "known.json")
    rows = json.loads(known.read_text())
    rows[0]["is_iceberg"] = 7
    known.write_text(json.dumps(rows))
    strange = run("evaluate", trained, "--known", known)
    assert strange.exit_code == 1
    assert "Label '7' is none of the classes iceberg, ship" in " ".join(strange.output.split())


def test_an_input_that_is_missing_everywhere_costs_no_answers(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "new.json", seed=9)
    rows = json.loads(table.read_text())
    table.write_text(json.dumps([{"id": r["id"], "band_1": r["band_1"]} for r in rows]))
    done = run("predict", trained, table, "--json")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line["input_scores"]["inc_angle"] is None for line in lines)
    said = [line["label"] for line in lines]
    right = [one == ("ship", "iceberg")[i % 2] for i, one in enumerate(said) if one]
    assert len(right) > 40
    assert np.mean(right) > 0.9


def test_compare_measures_presets_single_inputs_and_a_baseline(
    run: Run, table: Path, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "two-branch-plus", replace(PRESETS["two-branch"], members=2))
    other = write_table(tmp_path / "dark.json", seed=6, level=-60.0)
    done = run("compare", table, "--inputs", spec, "--other", other, "--json")
    assert done.exit_code == 0, done.output
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert list(found) == [
        *("two-branch", "two-branch-plus", "without band_1", "without inc_angle", "logistic"),
    ]
    assert all(one["problem"] is None for one in found.values())
    assert found["two-branch"]["worse"] is None
    assert found["without band_1"]["worse"]["low"] > 0  # the angle says nothing
    assert found["logistic"]["log_loss"]["value"] < 0.3  # bright or not is a mean
    assert found["two-branch"]["others"]["value"] == 0.0
    assert found["two-branch"]["backgrounds"]["n"] == 12
    assert found["without band_1"]["backgrounds"] is None
    ways = ["--strategy", "two-branch-plus", "--strategy", "logistic"]
    text = run("compare", table, "--inputs", spec, *ways, columns=80)
    assert text.exit_code == 0, text.output
    names = [line.split("  ")[0] for line in text.stdout.splitlines()]
    assert {"two-branch-plus", "logistic"} <= set(names)  # in one piece
    assert "without" not in text.stdout
    wrong = run("compare", table, "--inputs", spec, "--strategy", "blend")
    assert wrong.exit_code == 2
    assert "must be one of 'two-branch', 'two-branch-plus'" in " ".join(wrong.output.split())


@pytest.mark.parametrize(
    "option",
    [
        ["--finetune"],
        ["--multi-label"],
        ["--strategy", "sigmoid"],
        ["--map", "cat=cat"],
        ["--label-column", "kind"],
        ["--epochs", "3"],
        ["--objective", "sigmoid"],
        ["--backbone", "efficientnet-lite0"],
        ["--suspects", "page.html"],
        ["--no-cache"],
        ["--no-paths"],
    ],
)
def test_options_for_images_of_one_input_are_refused(
    run: Run, option: list[str], table: Path, spec: Path, tmp_path: Path
) -> None:
    done = run("train", table, "--inputs", spec, *option, "--out", tmp_path / "m.outgroup")
    assert done.exit_code == 2
    told = " ".join(done.output.split())
    assert f"Invalid `{option[0]}`: must be left out with --inputs" in told


@pytest.mark.parametrize(
    "option", [["--max-known-rejected", "0.1"], ["--plot", "p.svg"], ["--multi-output"]]
)
def test_a_comparison_refuses_what_it_would_not_heed(
    run: Run, option: list[str], table: Path, spec: Path
) -> None:
    done = run("compare", table, "--inputs", spec, *option)
    assert done.exit_code == 2
    told = " ".join(done.output.split())
    assert f"Invalid `{option[0]}`: must be left out with --inputs" in told


def test_an_ablation_without_several_inputs_is_refused(
    run: Run, table: Path, tmp_path: Path
) -> None:
    done = run("train", table, "--ablation", "--out", tmp_path / "m.outgroup")
    assert done.exit_code == 2
    assert "Invalid `--ablation`: must be used with --inputs" in " ".join(done.output.split())


@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_pool_is_refused_with_the_reason(
    run: Run, table: Path, spec: Path, tmp_path: Path, command: str
) -> None:
    out = ["--out", tmp_path / "m.outgroup"] if command == "train" else []
    done = run(command, table, "--inputs", spec, "--pool", tmp_path, *out)
    assert done.exit_code == 2
    text = " ".join(done.output.split())
    assert "Invalid `--pool`: must be left out with --inputs" in text
    assert "a random image has no second band and no angle" in text


@pytest.mark.parametrize("preset", ["two-branch", "two-branch-plus"])
def test_the_ablation_is_printed_for_each_preset(
    run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    spec = write_spec(tmp_path, monkeypatch, preset=preset)
    out = tmp_path / "m.outgroup"
    as_json = ["--json"] if preset == "two-branch-plus" else []
    done = run("train", table, "--inputs", spec, "--out", out, "--ablation", *as_json, columns=120)
    assert done.exit_code == 0, done.output
    if not as_json:
        lines = [line.split()[0] for line in done.stdout.splitlines() if "[" in line]
        assert lines == ["both", "images", "table"]
        return
    both, images, alone = json.loads(done.stdout)["ablation"]["rows"]
    assert both["inputs"] == "both"
    assert alone["worse"]["low"] > 0  # the angle says nothing of the class
    assert images["log_loss"]["value"] < alone["log_loss"]["value"]


def test_several_classes_by_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_table(tmp_path / "train.csv.json", classes=3)
    names = {"0": "sea", "1": "ship", "2": "iceberg"}
    spec = write_spec(tmp_path, monkeypatch, target="multi-class", names=names)
    out = tmp_path / "m.outgroup"
    done = run("train", table, "--inputs", spec, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["classes"] == {"iceberg": 20, "sea": 20, "ship": 20}
    new = write_table(tmp_path / "new.json", classes=3, seed=4)
    lines = [json.loads(line) for line in run("predict", out, new, "--json").stdout.splitlines()]
    assert all(abs(sum(line["probabilities"].values()) - 1) < 1e-9 for line in lines)
    right = [line["label"] == names[str(i % 3)] for i, line in enumerate(lines) if line["label"]]
    assert np.mean(right) > 0.8
    found = json.loads(run("evaluate", out, "--known", new, "--json").stdout)
    assert [one["name"] for one in found["classes"]] == ["iceberg", "sea", "ship"]


def test_several_labels_by_name(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_table(tmp_path / "train.json")
    rows = json.loads(table.read_text())
    for i, row in enumerate(rows):
        row["is_iceberg"] = ["0|9", "1", "0", "1|9"][i % 4]
        row["inc_angle"] = 42.0 + i % 5 / 10 if "9" in row["is_iceberg"] else 33.0 + i % 5 / 10
    table.write_text(json.dumps(rows))
    names = {"0": "dark", "1": "bright", "9": "flat angle"}
    spec = write_spec(tmp_path, monkeypatch, target="multi-label", names=names)
    longer = replace(PRESETS["two-branch"], epochs=90)  # three labels, 40 rows to learn from
    monkeypatch.setitem(PRESETS, "two-branch", longer)
    out = tmp_path / "m.outgroup"
    done = run("train", table, "--inputs", spec, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["classes"] == {"bright": 30, "dark": 30, "flat angle": 30}
    events = [guarantee["event"] for guarantee in told["certificate"]["guarantees"]]
    assert events == [f"not called {name!r}" for name in ("bright", "dark", "flat angle")]
    lines = [json.loads(line) for line in run("predict", out, table, "--json").stdout.splitlines()]
    wanted = [{"dark", "flat angle"}, {"bright"}, {"dark"}, {"bright", "flat angle"}]
    likely = [{k for k, p in line["probabilities"].items() if p > 0.5} for line in lines]
    assert np.mean([one == wanted[i % 4] for i, one in enumerate(likely)]) > 0.8
    given = [set(line["labels"]) for line in lines]
    assert np.mean([wanted[i % 4] <= one for i, one in enumerate(given)]) > 0.8
    assert np.mean([len(one) == 3 for one in given]) < 0.5
    found = json.loads(run("evaluate", out, "--known", table, "--json").stdout)
    assert [one["name"] for one in found["labels"]] == ["bright", "dark", "flat angle"]
    assert found["macro_f1"]["value"] > 0.7


def test_negatives_can_be_asked_for(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, out = write_table(tmp_path / "train.json"), tmp_path / "m.outgroup"
    gates = {}
    for negatives in ("none", "background"):
        spec = write_spec(tmp_path, monkeypatch, negatives=negatives)
        done = run("train", table, "--inputs", spec, "--out", out)
        assert done.exit_code == 0, done.output
        gates[negatives] = MultiInputClassifier.load(out).encoder.output_layer.gate
    assert gates == {"none": False, "background": True}
    wrong = run(
        "train",
        table,
        "--inputs",
        write_spec(tmp_path, monkeypatch, negatives="pool"),
        "--out",
        out,
    )
    assert wrong.exit_code == 2
    assert "Invalid `negatives`: must be one of" in " ".join(wrong.output.split())


def test_a_wrong_spec_is_a_usage_error(run: Run, table: Path, tmp_path: Path) -> None:
    out, spec = tmp_path / "m.outgroup", tmp_path / "inputs.json"
    missing = run("train", table, "--inputs", spec, "--out", out)
    assert missing.exit_code == 2
    assert "which does not exist" in missing.output
    spec.write_text('{"images": ["band_1"], "tables": []}')
    wrong = run("train", table, "--inputs", spec, "--out", out)
    assert wrong.exit_code == 2
    assert "no 'tables'" in wrong.output
    assert not out.exists()
