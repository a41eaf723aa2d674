"""A process that kills itself at an fsync, where what was written before and after meets."""

from __future__ import annotations

import os
import signal


def die_at_fsync(number: int, after: bool) -> None:
    """Let this process be killed by its fsync of this number, before it or behind."""
    fsync, calls = os.fsync, 0

    def counted(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = counted
