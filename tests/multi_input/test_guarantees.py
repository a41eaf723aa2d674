"""The threshold of several networks keeps its guarantee, in repeated simulations."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from outgroup.errors import InvalidDataError
from outgroup.multi_input import Inputs, Numeric
from outgroup.multi_input.training_rows import PARTS, gather_rows, split_rows

ROOT = Path(__file__).parents[2] / "benchmarks"
RESULT = ROOT / "results" / "inputs_promises.json"
REPEATS = 8


def rows_of(labels: list[Any], groups: list[str] | None = None, target: str = "binary") -> Any:
    """Rows whose only input is their number."""
    data = {"x": list(map(float, range(len(labels))))}
    return gather_rows(Inputs(table=[Numeric("x")]), target, data, labels, groups)


def test_the_guarantee_of_several_networks_holds_on_new_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(ROOT)  # scripts import each other
    simulation = runpy.run_path(str(ROOT / "inputs_promises.py"))
    found = [simulation["once"](seed, 90, 2, 200) for seed in range(REPEATS)]
    made = simulation["summary"](found)
    kept = made["kept"]
    slack = 3 * kept["rejected_standard_error"]
    assert abs(kept["rejected"] - kept["expected"]) < slack < 0.06
    assert kept["broken"] * REPEATS <= binom.ppf(0.99, REPEATS, 0.05)
    # the test can fail: with rows that were learned from it would
    learned = made["learned"]
    assert learned["rejected"] > learned["expected"] + 3 * learned["rejected_standard_error"]
    assert learned["broken"] * REPEATS > binom.ppf(0.99, REPEATS, 0.05)


def test_the_result_shows_that_the_guarantee_holds() -> None:
    found = json.loads(RESULT.read_text())
    for setting, ways in found["results"].items():
        allowed = binom.ppf(0.99, found["repeats"], 0.05) / found["repeats"]
        assert ways["kept"]["broken"] <= allowed, setting
        slack = 3 * ways["kept"]["rejected_standard_error"]
        assert ways["kept"]["rejected"] < ways["kept"]["expected"] + slack, setting


def test_no_network_learns_from_the_rows_that_are_kept() -> None:
    rows = rows_of(["a", "b"] * 50, [f"g{i // 2}" for i in range(100)])
    split = split_rows(rows, 3, 0)
    assert len(split.calibration) == 100 // PARTS
    for member in split.members:
        learned, out = split.learned(member), split.held_out(member)
        assert not {*split.calibration} & {*learned}
        assert not {*learned} & {*out}
        assert len(split.calibration) + len(learned) + len(out) == 100
        assert not {*rows.units[split.calibration]} & {*rows.units[learned], *rows.units[out]}
        assert not {*rows.units[learned]} & {*rows.units[out]}
    np.testing.assert_array_equal(
        split_rows(rows, 1, 0).calibration, split.calibration
    )  # for any preset


def test_a_class_of_three_rows_is_learned_by_every_network() -> None:
    rows = rows_of(["a"] * 40 + ["b"] * 3)
    rare = np.flatnonzero(rows.targets[:, 0] == 1)
    for seed in range(20):
        split = split_rows(rows, 3, seed)
        assert all(np.isin(rare, split.learned(member)).any() for member in split.members)


def test_a_label_that_is_too_rare_to_calibrate_is_refused() -> None:
    labels = [["a", "b"]] * 2 + [["a"]] * 40 + [["b", "c"]]
    with pytest.raises(InvalidDataError, match=r"Class '[bc]' has \d different rows"):
        split_rows(rows_of(labels, target="multi-label"), 3, 0)
