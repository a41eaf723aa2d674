"""``train --inputs`` and ``predict`` on tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgroup.inputs import PRESETS, Block

pytest.importorskip("torch")

Run = Callable[..., Any]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Sixty chips of one band as `train.json` has them: bright ones are icebergs."""
    draws = np.random.default_rng(0)
    rows = []
    for i in range(60):
        band = draws.normal(-20 + 4 * (i % 2), 1, 64).tolist()
        angle = "na" if i % 7 == 0 else float(draws.uniform(30, 45))
        rows.append({"id": f"c{i}", "band_1": band, "inc_angle": angle, "is_iceberg": i % 2})
    path = tmp_path / "train.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small = replace(PRESETS["two-branch"], blocks=(Block(4),), epochs=30)
    monkeypatch.setitem(PRESETS, "two-branch", small)
    path = tmp_path / "inputs.json"
    given = {
        "images": [{"name": "band_1", "units": "dB"}],
        "table": ["inc_angle"],
        "label": "is_iceberg",
        "id": "id",
        "names": {"0": "ship", "1": "iceberg"},
        "preset": "two-branch",
    }
    path.write_text(json.dumps(given))
    return path


def test_a_table_in_and_lines_out(run: Run, table: Path, spec: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.outgroup"
    done = run("train", table, "--inputs", spec, "--out", out)
    assert done.exit_code == 0, done.output
    assert "iceberg" in done.output
    assert "of rows like your known ones are called other" in " ".join(done.output.split())
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


def test_a_wrong_spec_is_a_usage_error(run: Run, table: Path, tmp_path: Path) -> None:
    out, spec = tmp_path / "m.outgroup", tmp_path / "inputs.json"
    missing = run("train", table, "--inputs", spec, "--out", out)
    assert missing.exit_code == 2
    assert "which is not there" in missing.output
    spec.write_text('{"images": ["band_1"], "tables": []}')
    wrong = run("train", table, "--inputs", spec, "--out", out)
    assert wrong.exit_code == 2
    assert "no 'tables'" in wrong.output
    assert not out.exists()
