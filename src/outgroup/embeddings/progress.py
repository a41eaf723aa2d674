"""A progress bar on standard error, for work that takes longer than a second."""

from __future__ import annotations

import sys
import time
from typing import Any


class ProgressBar:
    """Count, rate and time left, shown on standard error; standard output is for results.

    `total` is None if it is not known. `shown` None shows the bar if standard error is a terminal.
    Before `delay` seconds not even the library that draws it is loaded. `what` says what is
    counted.
    """

    def __init__(
        self,
        total: int | None,
        shown: bool | None = None,
        delay: float = 1.0,
        what: str = "images",
    ) -> None:
        self._total = total
        self._what = what
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._start = time.monotonic() + delay
        self._count = 0
        self._bar: Any = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self) -> None:
        """Count one more item."""
        self._count += 1
        self._update(self._count)

    def show(self, share: float) -> None:
        """Show that this share of the total is done, from 0 to 1."""
        self._update(int(share * (self._total or 0)))

    def _update(self, completed: int) -> None:
        if not self._shown or time.monotonic() < self._start:
            return
        if self._bar is None:
            self._bar = _open_bar(self._total, self._what)
        self._bar.update(self._bar.task_ids[0], completed=completed)


def rate(speed: float) -> str:
    """Return a speed as items per second, or as seconds per item if it is below 1.

    >>> rate(1234.5), rate(4.26), rate(0.25)
    ('1,234/s', '4.3/s', '4 s each')
    """
    if speed >= 10:
        return f"{speed:,.0f}/s"
    return f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:,.0f} s each" if speed > 0 else ""


def _open_bar(total: int | None, what: str) -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class _Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else rate(task.speed))

    columns = (what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), _Rate())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(what, total=total)
    bar.start()
    return bar
