"""Mine in processes that are killed at random moments. Run by `test_mining_state.py`.

Usage: python mining_killed.py FOLDER KILLS SEED. Mines one stream without a kill, then the same one
again and again until so many processes were killed, and prints the result of each and how often it
was killed. A process is a fork of this one. It is killed from outside after a random time, or by
itself at a random fsync, where the old state is replaced by the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import runpy
import signal
import sys
import time
from pathlib import Path

from outgroup.mining import Effort, Mined, memory, mine_embeddings
from outgroup.model import fit_model
from outgroup.strategies import choose_strategy

BY_HAND = runpy.run_path(str(Path(__file__).parents[1] / "killing_by_hand.py"))
WORLD = runpy.run_path(str(Path(__file__).with_name("conftest.py")))
BATCHES = 24


def mined(state: Path | None) -> Mined:
    world = WORLD["World"](0)
    data = WORLD["training_set"](world.known(60), world.far(30))
    model = fit_model(data, choose_strategy("sigmoid"))
    stream = (rows for rows, _ in zip(WORLD["World"](1).stream(), range(BATCHES), strict=False))
    effort = Effort(first=128, refits=2)
    return mine_embeddings(
        stream, data, model, effort, target=None, hardest=40, uniform=40, state=state
    )


def values_of(found: Mined) -> dict[str, object]:
    """Return all values of a result but the seconds."""
    plain = found.to_dict()
    for stage in plain["stages"]:
        del stage["seconds"]
    scores = found.model.strategy.score({"last": WORLD["World"](2).alike(50)}).other_score
    plain["scores"] = hashlib.blake2b(scores.tobytes()).hexdigest()
    return plain | {"threshold": found.model.threshold}


def was_killed(folder: Path, chance: random.Random) -> bool:
    """Mine in a process of its own, and kill it; return False if it ended before."""
    own_hand, moment = chance.random() < 0.5, chance.uniform(0, 0.6)
    number, after = chance.randint(1, 12), chance.random() < 0.5
    often = chance.random() < 0.5
    child = os.fork()
    if child == 0:
        if own_hand:
            BY_HAND["die_at_fsync"](number, after)
        if often:  # a state after every batch
            memory.PAUSE = 0.0
        found = values_of(mined(folder / "state"))
        (folder / "found.json").write_text(json.dumps(found))
        os._exit(0)
    if not own_hand:
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        sys.exit(f"mining ended with {status}")
    return False


def main(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    whole, runs = values_of(mined(None)), []
    while sum(run["killed"] for run in runs) < kills:
        (folder / "state").unlink(missing_ok=True)
        killed = 0
        while was_killed(folder, chance):
            killed += 1
        runs.append({"killed": killed, "found": json.loads((folder / "found.json").read_text())})
    print(json.dumps({"whole": whole, "runs": runs}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
