"""Builds pools in processes that are killed at random moments. Run by `test_crash_safety.py`.

Usage: python killing.py IMAGES FOLDER KILLS SEED. Builds FOLDER/0, FOLDER/1 ... one after the other
until so many processes were killed, and prints how many were killed for each. A process is a fork
of this one, so that it needs no time to start; it is killed by SIGKILL from outside after a random
time, or by itself at a random fsync, which is where the disk and the index differ.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

from outgroup import Pool

BY_HAND = runpy.run_path(str(Path(__file__).parents[1] / "killing_by_hand.py"))
BAG = runpy.run_path(str(Path(__file__).with_name("quick_network.py")))


def build(images: Path, path: Path, batch: int) -> None:
    pool = Pool.create(path, BAG["QuickNetwork"]())
    pool.add(BAG["incoming"](images), batch=batch, progress=False)


def was_killed(images: Path, path: Path, chance: random.Random) -> bool:
    """Build in a process of its own, and kill it; False if it was done before."""
    own_hand, moment = chance.random() < 0.5, chance.uniform(0, 0.25)
    number, after, batch = chance.randint(1, 40), chance.random() < 0.5, chance.randint(3, 20)
    child = os.fork()
    if child == 0:
        if own_hand:
            BY_HAND["die_at_fsync"](number, after)
        build(images, path, batch)
        os._exit(0)
    if not own_hand:
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        sys.exit(f"the build ended with {status}")
    return False


def main(images: Path, folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    killed: list[int] = []
    while sum(killed) < kills:
        killed.append(0)
        while was_killed(images, folder / str(len(killed) - 1), chance):
            killed[-1] += 1
    print(json.dumps(killed))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
