"""What docs/mining.md promises is what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_bound_was_right_often_enough() -> None:
    path = ROOT / "benchmarks" / "results" / "mining.json"
    if not path.exists():
        pytest.skip("the benchmarks are not part of a source distribution")
    for row in json.loads(path.read_text("utf-8"))["coverage"]:
        assert row["right"] >= 0.95 * row["runs"]
