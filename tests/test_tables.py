"""What documents show of results is what the scripts in ``benchmarks/`` make of these."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = [
    path.name
    for path in sorted(BENCHMARKS.glob("*.py"))
    if "def documents(" in path.read_text("utf-8")
]

pytestmark = pytest.mark.skipif(
    not BENCHMARKS.exists(), reason="the benchmarks are not part of a source distribution"
)


@pytest.fixture(autouse=True)
def _neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts import what stands beside them."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def load(script: str) -> dict[str, Any]:
    try:
        return runpy.run_path(str(BENCHMARKS / script))
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        pytest.skip(f"{script} needs torch")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_tables_in_the_documents_are_those_of_the_last_result(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: dict[Path, str] = {}
    monkeypatch.setattr(Path, "write_text", lambda path, text, _: written.update({path: text}))
    monkeypatch.setattr(sys, "argv", [script, "--documents"])
    names = load(script)
    with pytest.raises(SystemExit) as done:
        names["main"]()
    assert done.value.code == 0
    assert written == {path: path.read_text("utf-8") for path in names["documents"]()}


def test_every_section_between_marks_is_made_by_one_script() -> None:
    made = [
        (document.name, section)
        for script in SCRIPTS
        for document, sections in load(script)["documents"]().items()
        for section in sections
    ]
    for mark in ("start", "end"):
        there = [
            (document.name, section)
            for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
            for section in re.findall(rf"<!-- (.*?):{mark} -->", document.read_text("utf-8"))
        ]
        assert sorted(there) == sorted(made)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a\n<!-- b:end -->\n", "b:start"),
        ("<!-- b:start -->\na\n", "b:end"),
        ("<!-- b:end -->\n<!-- b:start -->\na\n", "b:end"),
        ("<!-- b:start -->\n<!-- b:start -->\n<!-- b:end -->\n", "b:start"),
    ],
)
def test_a_mark_that_is_not_there_once_is_named_and_nothing_written(
    text: str, mark: str, tmp_path: Path
) -> None:
    write = runpy.run_path(str(BENCHMARKS / "documents.py"))["write"]
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text("<!-- b:start -->\nold\n<!-- b:end -->\n", "utf-8")
    bad.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=rf"bad\.md must have the line '<!-- {mark} -->' once"):
        write({good: {"b": "new\n"}, bad: {"b": "new\n"}})
    assert "old" in good.read_text("utf-8")
    assert bad.read_text("utf-8") == text
    write({good: {"b": "new\n"}})
    assert good.read_text("utf-8") == "<!-- b:start -->\nnew\n<!-- b:end -->\n"
