"""Print results on standard output as text, tables or JSON, and messages on standard error."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgroup._text import printable

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod

    from outgroup.classifier.reports import TrainingReport
    from outgroup.contamination.suspects import Suspect
    from outgroup.data import Skipped

#: Exit codes: something went wrong; the call was wrong; some images are unreadable; Ctrl-C.
FAILED, USAGE, UNREADABLE, INTERRUPTED = 1, 2, 3, 130

#: Files that are listed one by one; the rest are counted.
LISTED = 5


def results() -> Console:
    """Return the console for results, as wide as the terminal or 80 columns; no markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False)


def errors() -> Console:
    """Return the console for messages, on standard error; a message stays one line."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: bool = True,
    narrow: bool = False,
) -> None:
    """Print a table that fits 80 columns; long names are folded.

    With `numbers` all columns but the first are aligned to the right; `narrow` saves space between
    columns.
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
        collapse_padding=narrow,
    )
    for i, name in enumerate(columns):
        right = numbers and i > 0
        justify: JustifyMethod = "right" if right else "left"
        made.add_column(Text(name), justify=justify, no_wrap=right, overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    results().print(made)


def print_json(data: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(data, indent=2, allow_nan=False))


def print_saved(out: Path, then: str) -> None:
    """Say where the model is, and what to predict `then`; paths and commands stay in one piece."""
    console, size = results(), out.stat().st_size / 1e6
    console.print(f"\nSaved {out} ({size:.1f} MB).", soft_wrap=True)
    console.print(f"Now: outgroup predict {shlex.quote(str(out))} {then}", soft_wrap=True)


def file_dicts(files: Iterable[Skipped]) -> list[dict[str, str]]:
    """Return files and reasons as they stand in JSON."""
    return [{"path": file.path, "reason": file.reason} for file in files]


def tell_files(what: str, files: Sequence[Skipped], n: int | None = None) -> None:
    """List a few files with reasons on standard error, and the number of the rest of `n`."""
    if not files:
        return
    console = errors()
    n = len(files) if n is None else n
    console.print(f"{n:,} file{'' if n == 1 else 's'} {what}:", style="yellow")
    for file in files[:LISTED]:
        console.print(printable(f"  {file.path}: {file.reason}"))
    if n > LISTED:
        console.print(f"  and {n - LISTED:,} more")


def tell_left_out(report: TrainingReport) -> None:
    """List the images that were not trained on, with reasons."""
    from outgroup.data import Skipped

    tell_files("could not be read", report.unreadable)
    tell_files("left out, because their labels contradict each other", report.contradictory)
    tell_files("skipped (not an image)", report.skipped)
    if report.pool is not None:
        found = [Skipped(s.path or f"row {s.row}", s.why) for s in report.pool.found.suspects]
        tell_files("of the pool look like your classes", [*report.pool.copies, *found])
    if report.n_unlabelled:
        errors().print(f"{report.n_unlabelled} images have no label and were not used.")


def write_suspects_page(path: Path, suspects: Sequence[Suspect], sentence: str) -> None:
    """Write a page with pictures of images of a pool that look like a class."""
    from outgroup._files import write_whole
    from outgroup.report.pages import suspects_page

    write_whole(path, suspects_page(suspects, sentence=sentence).encode())
