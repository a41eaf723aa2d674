"""Lines of progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from outgroup.calibration.certificate import percent
from outgroup.mining.miner import Miner

#: Seconds between two lines.
PAUSE = 10.0


class Lines:
    """Says what mining does after each refit, and now and then between.

    Parameters
    ----------
    shown : bool or None
        Whether lines are printed on standard error; None: if it is a terminal.
    say : callable or None
        What is called with each line instead.
    """

    def __init__(self, shown: bool | None, say: Callable[[str], None] | None) -> None:
        if say is None and (sys.stderr.isatty() if shown is None else shown):
            say = _print
        self._say = say
        self._next = time.monotonic() + 1.0

    def goes_on(self, miner: Miner) -> None:
        """Say where mining goes on that was stopped."""
        if self._say is not None and miner.read:
            self._say(
                f"Goes on where it was stopped: after {miner.read:,} images and {miner.refits} "
                "refits."
            )

    def __call__(self, what: str, miner: Miner) -> None:
        """Say it, if it is time."""
        if self._say is None:
            return
        if what == "refit":
            self._say(f"Refitted with {len(miner.learned):,} mined negatives.")
        elif time.monotonic() >= self._next or miner.verdict() is not None:
            self._next = time.monotonic() + PAUSE
            self._say(_line(miner))


def _line(miner: Miner) -> str:
    rate = miner.read / max(miner.seconds, 1e-9)
    target = "" if miner.target is None else f", target {percent(miner.target)}"
    return (
        f"{miner.read:,} images, {rate:,.0f} a second: {miner.accepted:,} of {miner.counted:,} "
        f"accepted since the last refit, at most {percent(miner.bound, up=True)}{target}; "
        f"{miner.n_quarantined:,} suspects set aside."
    )


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
