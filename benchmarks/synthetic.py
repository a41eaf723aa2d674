"""Time the generators of synthetic negatives on one core.

Usage: ``python benchmarks/synthetic.py``. Each generator draws images of 224 pixels a side, in turn
with two floors: filling the same array with random bytes, and copying it. What is made of known
images takes squares of 320 pixels. The result is ``benchmarks/results/synthetic.json``.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from documents import save
from setting import machine, picture, versions
from threadpoolctl import threadpool_limits

from outgroup.synthetic import GENERATORS

RESULT = Path(__file__).parent / "results" / "synthetic.json"
SIZE, IMAGES, REPEATS = 224, 256, 9


def main() -> None:
    """Measure, print, and write the result."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    known = np.stack([np.asarray(picture(i, 320, 320)) for i in range(40)])
    random = np.random.Generator(np.random.SFC64(0))
    filled = np.empty((IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    copied = np.empty_like(filled)

    def fill() -> None:
        words = random.bit_generator.random_raw(filled.size // 8)  # type: ignore[attr-defined]
        filled.reshape(-1)[:] = words.view(np.uint8)

    runs: dict[str, Callable[[], object]] = {
        "random bytes": fill,
        "copy": lambda: np.copyto(copied, filled),
    }
    for name, cls in GENERATORS:
        images = known if cls.needs_images else None
        runs[name] = partial(cls().draw, IMAGES, SIZE, images=images)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    with threadpool_limits(1):
        for repeat in range(-1, REPEATS):  # the first round is to warm up
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                if repeat >= 0:
                    seconds[name].append(time.perf_counter() - start)

    def row(times: list[float]) -> dict[str, object]:
        rates = sorted(IMAGES / s for s in times)
        floors = {
            f"times {floor}": round(
                statistics.median(t / f for t, f in zip(times, seconds[floor], strict=True)), 1
            )
            for floor in ("random bytes", "copy")
        }
        return {
            "images_per_second": round(statistics.median(rates)),
            "lowest": round(rates[0]),
            "highest": round(rates[-1]),
            **floors,
        }

    result = {
        "size": SIZE,
        "images": IMAGES,
        "repeats": REPEATS,
        "threads": 1,
        "floors": {name: row(seconds[name]) for name in ("random bytes", "copy")},
        "generators": {name: row(seconds[name]) for name in GENERATORS.names()},
        "machine": machine(),
        "versions": versions(),
    }
    save(RESULT, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
