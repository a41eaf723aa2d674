"""A Ray cluster that the engine starts: it prints nothing and ends. Each test runs a process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("ray", reason="needs Ray: pip install outgroup[ray]")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc"),
]
PROGRAM = "import sys; from outgroup.cli import main; sys.argv[0] = 'outgroup'; main()"
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def mark() -> str:
    """A text in the environment of all processes that a test starts."""
    return f"outgroup-test-{uuid.uuid4()}"


@pytest.fixture
def run(mark: str) -> Iterator[Run]:
    started = []

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**kept, "OUTGROUP_TEST_MARK": mark, **environment},
            # A shell that runs the tests in the background lets them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def running(mark: str) -> list[str]:
    """Return the commands of the processes with the mark."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # gone, or of somebody else
            if mark.encode() in environ.read_bytes():
                found.append((environ.parent / "cmdline").read_text().replace("\0", " ")[:200])
    return found


def running_after_a_while(mark: str) -> list[str]:
    """Return the commands that still run after ten seconds."""
    end = time.monotonic() + 10
    while (found := running(mark)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_build_prints_nothing_of_ray_and_leaves_nothing_running(
    bag: SimpleNamespace, tmp_path: Path, run: Run, mark: str
) -> None:
    bag.mixed_bag(tmp_path / "images", 30)
    told = {}
    for engine in ("local", "ray"):
        command = ("pool", "build", tmp_path / engine, tmp_path / "images", "--engine", engine)
        process = run(*command, "--json")
        out, err = process.communicate(timeout=300)
        assert (process.returncode, err) == (0, "")
        told[engine] = json.loads(out)
    assert running_after_a_while(mark) == []
    for one in told.values():
        del one["pool"], one["sources"][0]["seconds"]
    assert told["ray"] == told["local"]
    assert told["ray"]["images"] > 20
    for path in (tmp_path / "local").rglob("*"):
        if path.suffix in (".tar", ".npy"):
            other = tmp_path / "ray" / path.relative_to(tmp_path / "local")
            assert other.read_bytes() == path.read_bytes(), path


def test_ctrl_c_ends_the_cluster_that_was_started(
    bag: SimpleNamespace, tmp_path: Path, run: Run, mark: str
) -> None:
    from outgroup import Pool

    (tmp_path / "images").mkdir()
    for i in range(1500):
        bag.picture(i).save(tmp_path / "images" / f"{i}.png")
    process = run("pool", "build", tmp_path / "pool", tmp_path / "images", "--engine", "ray")
    end = time.monotonic() + 200
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.3)
        if (tmp_path / "pool" / "pool.json").exists() and len(Pool(tmp_path / "pool")):
            break
    assert any("raylet" in command for command in running(mark))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert running_after_a_while(mark) == []
    pool = Pool(tmp_path / "pool")
    assert 0 < len(pool) < 1500
    assert pool.verify().n_problems == 0


def test_error_for_a_missing_cluster_names_its_address(
    bag: SimpleNamespace, tmp_path: Path, run: Run, mark: str
) -> None:
    bag.mixed_bag(tmp_path / "images", 10)
    process = run(
        *("pool", "build", tmp_path / "pool", tmp_path / "images", "--engine", "ray"),
        RAY_ADDRESS="127.0.0.1:1",
    )
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "There is no Ray cluster at '127.0.0.1:1', as RAY_ADDRESS says" in " ".join(err.split())
    assert running_after_a_while(mark) == []
