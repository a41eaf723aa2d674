"""Result files, and where documents show them: a section between two marks that have its name.

A script whose result is shown has a function ``documents``, which says what stands between which
marks of which document, and a flag ``--documents``, which puts it there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "README.md"
DOCS = README.parent / "docs"

#: What stands between the marks, by document and name.
Sections = dict[Path, dict[str, str]]


def add_flag(parser: argparse.ArgumentParser, documents: Callable[[], Sections]) -> None:
    """Add ``--documents`` to the options of a script."""
    parser.add_argument(
        "--documents",
        action=_Write,
        documents=documents,
        help="write the tables of the last result into the documents, and do nothing else",
    )


def write(sections: Sections) -> None:
    """Put sections between their marks: all of them, or none if a mark is missing (ValueError)."""
    texts = {document: _with(own, document) for document, own in sections.items()}
    for document, text in texts.items():
        document.write_text(text, "utf-8")


def save(path: Path, result: Any) -> None:
    """Write a result with six significant digits, in few lines: a new run is a small change."""
    path.write_text(_as_text(_rounded(result)) + "\n", "utf-8")


class _Write(argparse.Action):
    """Like ``--help``: what else the script must be given need not be there."""

    def __init__(self, documents: Callable[[], Sections], **options: Any) -> None:
        super().__init__(nargs=0, **options)
        self.documents = documents

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        write(self.documents())
        parser.exit()


def _with(sections: dict[str, str], document: Path) -> str:
    text = document.read_text("utf-8")
    for name, section in sections.items():
        start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
        before, rest = _cut(text, start, document)
        text = before + start + section + end + _cut(rest, end, document)[1]
    return text


def _cut(text: str, mark: str, document: Path) -> tuple[str, str]:
    before, *rest = text.split(mark)
    if len(rest) != 1:
        raise ValueError(
            f"{document} must have the line {mark.strip()!r} once, an end behind its start. "
            f"Got {len(rest)} of them instead. Put it where the section belongs."
        )
    return before, rest[0]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _as_text(value: Any, indent: int = 0) -> str:
    """Return JSON in which only what does not fit into a line of 120 characters is broken up."""
    line = json.dumps(value)
    if len(line) + indent <= 120 or not isinstance(value, (dict, list)):
        return line
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_as_text(one, indent + 1)}" for key, one in value.items()]
    else:
        parts = [_as_text(one, indent + 1) for one in value]
    inner = ",\n".join(" " * (indent + 1) + part for part in parts)
    return f"{line[0]}\n{inner}\n{' ' * indent}{line[-1]}"
