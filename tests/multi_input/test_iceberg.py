"""The simulator behind the example, and the figures that its README shows."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgroup import load
from outgroup.multi_input import PRESETS, Block, Preset

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "iceberg"
RESULT = ROOT / "benchmarks" / "results" / "iceberg.json"

simulator = runpy.run_path(str(EXAMPLE / "simulate.py"))


@pytest.fixture(scope="module")
def columns() -> Any:
    return simulator["simulate"](48, seed=3)


def test_the_sea_is_brighter_in_wind_and_darker_at_an_angle() -> None:
    cmod5n = simulator["cmod5n"]
    by_wind = [cmod5n(wind, 45.0, 35.0) for wind in (3, 6, 9, 12, 15)]
    by_angle = [cmod5n(8.0, 45.0, angle) for angle in (25, 30, 35, 40, 45)]
    assert (np.diff(by_wind) > 0).all()
    assert (np.diff(by_angle) < 0).all()
    up, across = cmod5n(8.0, 0.0, 35.0), cmod5n(8.0, 90.0, 35.0)
    assert 2.0 < 10 * np.log10(up / across) < 8.0  # along the wind the sea is brighter
    hh, hv = simulator["sea"](8.0, 45.0, 40.0)
    assert -24 < hh < -18
    assert hv == pytest.approx(0.592 * 8 - 35.6)


def test_speckle_has_the_contrast_of_its_looks() -> None:
    draws = np.random.default_rng(0)
    speckle = np.stack([simulator["_speckle"](draws) for _ in range(20)])
    assert speckle.mean() == pytest.approx(1.0)
    assert speckle.std() == pytest.approx(1 / np.sqrt(simulator["LOOKS"]), rel=0.05)


def test_records_are_those_of_the_competition(columns: Any) -> None:
    records = json.loads(json.dumps(simulator["to_records"](columns)))
    assert list(records[0]) == ["id", "band_1", "band_2", "inc_angle", "is_iceberg"]
    assert all(len(record[band]) == 75 * 75 for record in records for band in ("band_1", "band_2"))
    angles = dict(zip(columns["scene"], columns["inc_angle"], strict=True))
    assert [angles[scene] for scene in columns["scene"]] == columns["inc_angle"]
    assert {record["is_iceberg"] for record in records} == {0, 1}
    again = simulator["simulate"](5, seed=3)
    np.testing.assert_array_equal(columns["band_1"][:5], again["band_1"])


def test_the_example_runs_from_start_to_end(
    columns: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    tiny = Preset((Block(2, stride=4), Block(2)), "pool", (4,), epochs=2)
    monkeypatch.setitem(PRESETS, "two-branch", tiny)
    data, out = tmp_path / "train.json", tmp_path / "ice.outgroup"
    records = simulator["to_records"](columns)
    data.write_text(json.dumps(records))
    main = runpy.run_path(str(EXAMPLE / "train.py"))["main"]
    main([str(data), str(out), "--preset", "two-branch"])
    lines = capsys.readouterr().out.splitlines()
    n_icebergs = sum(columns["is_iceberg"])
    assert lines[0] == f"Learned from {n_icebergs} icebergs, {48 - n_icebergs} ships."
    assert lines[1].startswith("At most ")
    assert "groups" in lines[1]  # chips of one angle are held out together
    assert [line.split()[0] for line in lines[5:8]] == ["both", "images", "table"]
    answers = load(out).predict(records[:2])
    assert [answer.path for answer in answers] == columns["id"][:2]
    assert answers.classes == ("iceberg", "ship")


def test_the_readme_shows_the_figures_of_the_result() -> None:
    text, found = (EXAMPLE / "README.md").read_text("utf-8"), json.loads(RESULT.read_text())
    for way, row in found["ways"].items():
        cells = [
            f"| {way} ",
            f" {row['log_loss']['value']:.3f} ",
            f" {row['accuracy']['value']:.3f} ",
        ]
        line = next(line for line in text.splitlines() if line.startswith(cells[0]))
        assert all(cell in line for cell in cells), line


def test_what_is_neither_is_rejected_by_the_larger_preset() -> None:
    found = json.loads(RESULT.read_text())["ways"]["two-branch-plus"]
    assert len(found["seeds"]) >= 3
    for kind, share in found["rejected_at_95_percent_known_kept"].items():
        assert share["low"] >= 0.9, kind
    for one in found["other"]:
        assert one["known_rejected"] <= one["guaranteed_at_most"]


def test_the_larger_preset_is_better_beyond_the_intervals() -> None:
    ways = json.loads(RESULT.read_text())["ways"]
    for way, row in ways.items():
        if way not in ("two-branch-plus", "two-branch-plus, no angle"):
            assert row["log_loss_more_than_plus"]["low"] > 0, way
