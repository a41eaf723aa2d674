"""How long comparing all strategies takes, and how much memory, from few images to many.

Each figure is from a process of its own that only compares: the embeddings are there. First those
of the zoo (400 known images and 2,820 negatives; see ``benchmarks/embedded.py``), then simulated
ones of 50 classes in layers of the same size, whose directions fall off as those of embeddings do.

Run from the root of the repository on a quiet machine, a quarter of an hour on two cores::

    python benchmarks/comparing.py ZOO

which writes ``benchmarks/results/comparing.json`` anew after each figure; ``--documents`` puts
them into ``docs/choosing.md``, and does nothing else. The processor time beside the time tells what
a busy machine has added.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from documents import DOCS, Sections, add_flag, save
from embedded import Embedded
from setting import machine, versions

from outgroup.selection import AUTO_LINEUP, LINEUP, compare_strategies
from outgroup.training_set import TrainingSet

RESULTS = Path(__file__).parent / "results" / "comparing.json"
N_CLASSES, SIZES = 50, (5_000, 10_000, 20_000)
DIMENSIONS = {"last": 1280, "second_last": 320, "logits": 1000}


def simulated(n: int) -> TrainingSet:
    """Draw n rows of `N_CLASSES` classes with a falling spectrum; all layers hold the same rows."""
    rng = np.random.default_rng(0)
    kind = np.arange(n) % N_CLASSES
    spread = (1.0 + np.arange(200)) ** -0.5
    hidden = spread * (rng.normal(size=(n, 200)) + 1.5 * rng.normal(size=(N_CLASSES, 200))[kind])
    layers = {}
    for name, d in DIMENSIONS.items():
        seen = hidden @ rng.normal(size=(200, d)) / np.sqrt(200)
        layers[name] = (seen + 0.1 * rng.normal(size=(n, d))).astype(np.float32)
    return TrainingSet.from_labels(layers, [f"class {k:02}" for k in kind])


def one(data: TrainingSet, lineup: tuple[str, ...]) -> dict[str, Any]:
    """Compare once, in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    load = [round(load, 2) for load in os.getloadavg()]
    start, cpu = time.perf_counter(), time.process_time()
    compared = compare_strategies(data, lineup)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "load_before": load,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "data_mb": before / 1e3,
        "n": len(data.y),
        "n_compared": compared.n_compared,
        "classes": len(data.classes),
        "chosen": compared.choice.name,
    }


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| images | compared | classes | ways | seconds | memory |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in results.items():
        ways = "those of `auto`" if name == "auto" else "all"
        lines.append(
            f"| {row['n']:,} | {row['n_compared']:,} | {row['classes']} | {ways} "
            f"| {row['seconds']:.0f} | {row['peak_mb'] / 1e3:.1f} GB |"
        )
    return "\n".join(lines) + "\n"


def documents() -> Sections:
    """Return what is shown of the last result."""
    results = json.loads(RESULTS.read_text("utf-8"))["results"]
    return {DOCS / "choosing.md": {"comparing": table(results)}}


def main() -> None:
    """Start a process for each figure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    add_flag(parser, documents)
    parser.add_argument(
        "--go-on", action="store_true", help="keep the figures of a run that was cut off"
    )
    parser.add_argument("--only", help="compare once here: 'auto', 'all' or a number of rows")
    parser.add_argument("--arrays", type=Path, help="embeddings that an outer process has kept")
    arguments = parser.parse_args()
    if arguments.only is not None:
        if arguments.only in ("auto", "all"):
            with np.load(arguments.arrays) as kept:
                zoo = Embedded(
                    {name: kept[name] for name in DIMENSIONS}, kept["part"], kept["kind"], {}
                )
            negatives = np.concatenate([zoo.rows("other_near"), zoo.rows("pool")])
            data = zoo.training_set(zoo.rows("train"), negatives)
        else:
            data = simulated(int(arguments.only))
        lineup = AUTO_LINEUP if arguments.only == "auto" else LINEUP
        print(json.dumps(one(data, lineup)))
        return
    found: dict[str, Any] = {"machine": machine(), "versions": versions(), "results": {}}
    if arguments.go_on:
        found = json.loads(RESULTS.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        zoo = Embedded.load(arguments.zoo, ("train", "other_near", "pool"))
        arrays = Path(folder) / "zoo.npz"
        np.savez(arrays, part=zoo.part, kind=zoo.kind, **zoo.layers)
        for only in ("auto", "all", *map(str, SIZES)):
            if only in found["results"]:
                continue
            command = [sys.executable, __file__, str(arguments.zoo), "--only", only]
            print(only, "...", flush=True)
            done = subprocess.run(
                [*command, "--arrays", str(arrays)], stdout=subprocess.PIPE, check=True, text=True
            )
            found["results"][only] = json.loads(done.stdout)
            print(only, found["results"][only], flush=True)
            save(RESULTS, found)


if __name__ == "__main__":
    main()
