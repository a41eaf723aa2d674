"""Commands in processes of their own that are killed or interrupted at a moment that is given.

Run as a script it is a server: it has imported everything, and forks a process for each command.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import outgroup

sys.path.insert(0, str(Path(__file__).parent))
from command_data import QUICK
from command_surface import run


def in_processes(runs: list[dict[str, Any]]) -> list[int]:
    """Run commands one after the other, each in a process of its own that is stopped on its way.

    Parameters
    ----------
    runs : list of dict
        ``arguments``: of the command; or ``add``: of `add_in_small_batches`. ``stop``: what is
        counted ("fsync", or "open NAME" for files with such an end of their name), how many times,
        "before" or "after" it, and the signal; without it the run comes to its end.

    Returns
    -------
    list of int
        The exit code of each, or minus the signal that ended it.
    """
    request = {"cwd": os.getcwd(), "cache": os.environ["OUTGROUP_CACHE"], "runs": runs}
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return list(json.loads(server.stdout.readline()))


@functools.cache
def _server() -> subprocess.Popen[str]:
    """Return a process that has imported everything, and forks one for each run."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([sys.executable, __file__], text=True, **pipes)

    def close() -> None:
        server.communicate()

    atexit.register(close)
    return server


def add_in_small_batches(pool: str, source: str, batch: int) -> None:
    """Build a pool as the command does, and commit every few images, where that can be chosen."""
    made = outgroup.Pool.create(pool, QUICK)
    small = {"batch": batch} if "batch" in inspect.signature(made.add).parameters else {}
    made.add(source, progress=False, **small)


def _stop_at(what: str, number: int, side: str, name: str) -> None:
    """Let this process get a signal when something happens for the n-th time."""
    calls = 0
    fsync = os.fsync

    def strike() -> None:
        os.kill(os.getpid(), signal.Signals[name])

    def counted(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == number and side == "before":
            strike()
        fsync(descriptor)
        if calls == number and side == "after":
            strike()

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal calls
        if event == "open" and str(arguments[0]).endswith(what.removeprefix("open ")):
            calls += 1
            if calls == number:
                strike()

    if what == "fsync":
        os.fsync = counted  # type: ignore[assignment]
    else:
        sys.addaudithook(heard)


def _serve() -> None:
    assert run("methods", "--json").code == 0  # imports what each process would import again
    for line in sys.stdin:
        request = json.loads(line)
        os.chdir(request["cwd"])
        os.environ["OUTGROUP_CACHE"] = request["cache"]
        print(json.dumps([_forked(one) for one in request["runs"]]), flush=True)


def _forked(one: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if "stop" in one:
                _stop_at(*one["stop"])
            if "add" in one:
                add_in_small_batches(*one["add"])
                code = 0
            else:
                code = run(*one["arguments"]).code
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    _serve()
