"""How commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from outgroup.classifier.training import TrainingReport
    from outgroup.datasets import Skipped

#: Files that are listed one by one; of more there is only the number.
LISTED = 5


def results() -> Console:
    """Return the console for results; it is as wide as the terminal, or 80 columns."""
    from rich.console import Console

    return Console(highlight=False)


def errors() -> Console:
    """Return the console for everything that is no result."""
    from rich.console import Console

    return Console(stderr=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table that fits 80 columns: the first column is text, the others are numbers."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for i, name in enumerate(columns):
        made.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def print_json(data: Any) -> None:
    """Print one JSON document on standard output."""
    print(json.dumps(data, indent=2, allow_nan=False))


def printable(text: str) -> str:
    """Return text that any terminal takes: bytes of a file name that are no UTF-8 are replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def tell_left_out(report: TrainingReport) -> None:
    """Say which images were not learned from, and why."""
    tell_files("could not be read", report.unreadable)
    tell_files("left out, because their labels contradict each other", report.contradictory)
    tell_files("not taken for images", report.skipped)
    if report.n_unlabelled:
        errors().print(f"{report.n_unlabelled} images have no label and were not used.")


def tell_files(what: str, files: Sequence[Skipped]) -> None:
    """Name a few files and their reasons on standard error, and count the rest."""
    if not files:
        return
    console = errors()
    console.print(f"[yellow]{len(files)} files {what}:[/]")
    for file in files[:LISTED]:
        console.print(printable(f"  {file.path}: {file.reason}"), markup=False)
    if len(files) > LISTED:
        console.print(f"  and {len(files) - LISTED} more")
