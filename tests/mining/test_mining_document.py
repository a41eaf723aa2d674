"""The figures in docs/mining.md are those of the results."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["coverage", "zoo", "few", "suspects", "again"])
def test_the_tables_are_those_of_the_results(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ROOT / "benchmarks" / "mining.py"
    if not script.exists():
        pytest.skip("the benchmarks are not part of a source distribution")
    monkeypatch.syspath_prepend(str(script.parent))
    names = runpy.run_path(str(script))
    results = json.loads(names["RESULTS"].read_text("utf-8"))
    start, end = names["marks"](name)
    document = (ROOT / "docs" / "mining.md").read_text("utf-8")
    assert start + names["TABLES"][name](results[name]) + end in document


def test_the_bound_was_right_often_enough() -> None:
    path = ROOT / "benchmarks" / "results" / "mining.json"
    if not path.exists():
        pytest.skip("the benchmarks are not part of a source distribution")
    for row in json.loads(path.read_text("utf-8"))["coverage"]:
        assert row["right"] >= 0.95 * row["runs"]
