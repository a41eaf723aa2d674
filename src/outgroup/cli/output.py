"""How commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.table import Table

    from outgroup.classifier.pool_report import PoolReport
    from outgroup.classifier.training import TrainingReport
    from outgroup.data import Skipped

#: Files that are listed one by one; of more there is only the number.
LISTED = 5


def results() -> Console:
    """Return the console for results: as wide as the terminal, or 80 columns where there is none.

    Class and file names go through it, so nothing in a text is taken for markup.
    """
    from rich.console import Console

    return Console(highlight=False, markup=False)


def errors() -> Console:
    """Return the console for everything that is no result; a message stays one line."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = True
) -> Table:
    """Return a table that fits 80 columns; long names are folded.

    Parameters
    ----------
    title : str
        Its heading.
    columns : sequence of str
        Names of the columns.
    rows : iterable of sequence of str
        Cells; nothing in them is taken for markup.
    numbers : bool, default=True
        Whether all columns but the first are numbers, and stand to the right.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for i, name in enumerate(columns):
        right = numbers and i > 0
        justify: JustifyMethod = "right" if right else "left"
        made.add_column(Text(name), justify=justify, no_wrap=right, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def print_json(data: Any) -> None:
    """Print one JSON document on standard output."""
    print(json.dumps(data, indent=2, allow_nan=False))


def printable(text: str) -> str:
    r"""Return text that is safe to print: a file name may hold line breaks and bytes of any kind.

    >>> printable("caf\udce9\n\x1b[31m.jpg")
    'caf???[31m.jpg'
    """
    return "".join(char if char.isprintable() else "?" for char in text)


def tell_left_out(report: TrainingReport) -> None:
    """Say which images were not learned from, and why."""
    tell_files("could not be read", report.unreadable)
    tell_files("left out, because their labels contradict each other", report.contradictory)
    tell_files("not taken for images", report.skipped)
    if report.pool is not None:
        tell_files("of the pool look like your classes", suspected(report.pool))
    if report.n_unlabelled:
        errors().print(f"{report.n_unlabelled} images have no label and were not used.")


def suspected(pool: PoolReport) -> list[Skipped]:
    """Return the images of a pool that look like a class, each with the reason."""
    from outgroup.data import Skipped

    named = [Skipped(s.path or f"row {s.row}", s.why) for s in pool.found.suspects]
    return [*pool.copies, *named]


def tell_files(what: str, files: Sequence[Skipped], n: int | None = None) -> None:
    """Name a few files and their reasons on standard error, and count the rest, of `n` in all."""
    if not files:
        return
    console = errors()
    n = len(files) if n is None else n
    console.print(f"{n:,} file{'' if n == 1 else 's'} {what}:", style="yellow")
    for file in files[:LISTED]:
        console.print(printable(f"  {file.path}: {file.reason}"))
    if n > LISTED:
        console.print(f"  and {n - LISTED:,} more")
