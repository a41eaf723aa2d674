"""A pool whose build was killed many times is to the byte the one that was built at once."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import outgroup

sys.path.insert(0, str(Path(__file__).parent))
import command_surface as surface
from command_data import QUICK, SECOND, World
from command_processes import in_processes
from command_surface import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

FACTS = surface.Facts("pool_killed")

#: Runs that are stopped before the last one, which comes to its end.
KILLS = 6


@pytest.mark.parametrize("fact", FACTS)
def test_killed_pools_are_as_recorded(fact: str, tmp_path: Path) -> None:
    FACTS.check(fact, tmp_path)


def stops(seed: int) -> list[tuple[str, int, str, str]]:
    """Return where processes are killed: at writes to the disk, and at an image."""
    draws = random.Random(seed)
    found = []
    for _ in range(KILLS - 1):
        side = draws.choice(["before", "after"])
        found.append(("fsync", draws.randint(1, 14), side, "SIGKILL"))
    return [*found, ("open .bmp", 9, "before", "SIGKILL")]


def unreadable(pool: Any) -> list[tuple[str, str]]:
    """Return the files that could not be read."""
    return [(one.source, one.origin) for one in pool.unreadable()]


@FACTS
def a_build_that_was_killed_many_times(_: World, out: Path) -> Any:
    path, whole = out / "pool", out / "whole"
    add = [str(path), "bag", 4]
    codes = in_processes([{"add": add, "stop": stop} for stop in stops(0)])
    assert codes.count(-signal.SIGKILL) >= KILLS // 2
    begun = outgroup.Pool(path)  # readers see what was committed
    rows = range(len(begun))
    assert all(image.size for image in begun.images(rows))
    assert all(len(values) == len(begun) for values in begun.features(rows).values())
    command = ["pool", "embed", str(path), "--backbone", SECOND]
    embeds = [{"arguments": command, "stop": ("fsync", n, "before", "SIGKILL")} for n in (1, 3)]
    codes = in_processes([{"add": add}, *embeds, {"arguments": command}])
    assert codes[0] == codes[-1] == 0
    assert -signal.SIGKILL in codes
    assert run("pool", "build", whole, "bag", "--backbone", QUICK).code == 0
    assert run("pool", "embed", whole, "--backbone", SECOND).code == 0
    one, other = outgroup.Pool(path), outgroup.Pool(whole)
    assert list(one) == list(other)
    assert one.counts() == other.counts()
    assert unreadable(one) == unreadable(other)
    assert surface.bytes_of(path) == surface.bytes_of(whole)
    verified = run("pool", "verify", path, "--json").json
    return {
        "images": verified["images"],
        "sound": verified["sound"],
        "n_problems": verified["n_problems"],
        "sha256": surface.bytes_of(path),
    }


@FACTS
def a_repair_after_a_kill(_: World, out: Path) -> Any:
    path = out / "pool"
    runs = [{"add": [str(path), "bag", 4], "stop": stop} for stop in stops(1)[:2]]
    assert -signal.SIGKILL in in_processes(runs)
    assert run("pool", "verify", path, "--repair").code == 0
    assert run("pool", "build", path, "bag", "--backbone", QUICK).code == 0
    found = surface.contents(path)
    return {"n": found["n"], "counts": found["counts"], "sha256": found["sha256"]}
