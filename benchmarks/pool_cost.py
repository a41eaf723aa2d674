"""What it costs to build a pool: seconds of a core, bytes and memory per image, and by the billion.

Usage: ``python benchmarks/pool_cost.py IMAGES [--images 600] [--repeats 2]`` with a folder of
images, and ``python benchmarks/pool_cost.py --documents`` to put the numbers of the last result
into ``docs/scale.md``, and do nothing else.

Compared are embedding alone, on one thread, and building a pool, on the threads of this machine and
on a local Ray with as many workers as it has cores. Each runs in a process of its own, with few
images and with more: what an image costs is the difference, so that neither starting Ray nor
loading the network counts. Seconds are those of the processor, of all processes together, since a
clock would measure whatever else the machine does. The index's bytes and the writer's memory are
those of ``pool_scale.py``, measured with a million images. The result is
``benchmarks/results/pool_cost.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import setting
from documents import DOCS, Sections, add_flag, save
from PIL import Image

RESULTS = Path(__file__).parent / "results" / "pool_cost.json"
SCALE = Path(__file__).parent / "results" / "pool_scale.json"
FEW = 100
SIZES = (10**6, 10**8, 10**9)
CORES = 64
MARK = "OUTGROUP_POOL_COST"
PARTS = ("this process", "workers", "ray")
WAYS = ("embedding alone", "pool, local", "pool, ray")


def sample(folder: Path, n: int) -> list[Path]:
    """Return images of all parts of the folder, always the same."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if len(files) < n:
        sys.exit(f"{folder} has {len(files)} images, and {n} are asked for: give --images.")
    chosen = np.random.default_rng(0).permutation(len(files))[:n]
    return [files[i] for i in chosen]


class Watch(threading.Thread):
    """Notes processor seconds and memory of all processes whose environment has our mark."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mark = f"{MARK}={os.environ[MARK]}".encode()
        self.seconds: dict[int, float] = {}
        self.megabytes: dict[int, float] = {}
        self.workers: set[int] = set()
        self.own_seconds = 0.0
        self.over = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.over.wait(0.5):
            self.look()
            self.own_seconds = time.thread_time()

    def look(self) -> None:
        """Look once at all processes."""
        tick = os.sysconf("SC_CLK_TCK")
        for folder in Path("/proc").glob("[0-9]*"):
            pid = int(folder.name)
            try:
                if pid == os.getpid() or self.mark not in (folder / "environ").read_bytes():
                    continue
                times = (folder / "stat").read_text().rpartition(")")[2].split()
                status = (folder / "status").read_text()
                is_worker = b"_Worker" in (folder / "cmdline").read_bytes()
            except OSError:
                continue
            self.seconds[pid] = (int(times[11]) + int(times[12])) / tick
            self.megabytes[pid] = int(status.partition("VmHWM:")[2].split()[0]) / 1024
            if is_worker:
                self.workers.add(pid)


def run_one(way: str, files: list[Path]) -> dict[str, Any]:
    """Do it in this process; return seconds and memory of it and of what it started."""
    from outgroup import Pool
    from outgroup.backbones import get_backbone
    from outgroup.embeddings import Embedder
    from outgroup.pool import Incoming

    network = get_backbone("efficientnet-lite0")
    network.run(np.zeros((1, 224, 224, 3), np.uint8))
    watch = Watch()
    watch.start()
    began, clock = time.process_time(), time.perf_counter()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        if way == "embedding alone":
            for _ in Embedder(network, threads=1, progress=False).stream(files):
                pass
        else:
            pool = Pool.create(Path(folder) / "pool", network)
            given = (Incoming(path, path.parent.name, path.name) for path in files)
            pool.add(given, engine=way.rpartition(" ")[2], progress=False)
            found["images"] = len(pool)
            for name in ("shards", "embeddings"):
                paths = (pool.path / name).rglob("*")
                found[name] = sum(path.stat().st_size for path in paths if path.is_file())
    found["clock"] = time.perf_counter() - clock
    watch.over.set()
    watch.join()
    found["this process"] = time.process_time() - began - watch.own_seconds
    workers = watch.workers
    found["workers"] = sum(watch.seconds[pid] for pid in workers)
    found["ray"] = sum(s for pid, s in watch.seconds.items() if pid not in workers)
    found["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found["megabytes of a worker"] = max((watch.megabytes[pid] for pid in workers), default=0)
    return found


def in_process(way: str, folder: Path, n: int) -> dict[str, Any]:
    command = [sys.executable, __file__, str(folder), "--run", way, "--images", str(n)]
    environment = {**os.environ, MARK: str(uuid.uuid4()), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=3600
    )
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{way:16} {n:6} {found}", flush=True)
    return found


def measure(folder: Path, n: int, repeats: int) -> dict[str, Any]:
    machine = setting.machine()
    files = sample(folder, n)
    sizes = [Image.open(path).size for path in files]
    runs: dict[str, dict[int, list[dict[str, Any]]]] = {way: {FEW: [], n: []} for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            for size in (FEW, n):
                runs[way][size].append(in_process(way, folder, size))
    last = {way: found[n][-1] for way, found in runs.items()}
    scale = json.loads(SCALE.read_text("utf-8"))
    memory = scale["megabytes_at_most"]["append"]
    images = last["pool, local"]["images"]
    return {
        "machine": machine,
        "versions": {**setting.versions(), "ray": _version("ray")},
        "images": {
            "n": n,
            "bytes": round(sum(path.stat().st_size for path in files) / n),
            "megapixels": round(sum(w * h for w, h in sizes) / n / 1e6, 3),
        },
        "repeats": repeats,
        "core_seconds_per_image": {
            way: {part: round(_each(found, part, n), 6) for part in PARTS}
            for way, found in runs.items()
        },
        "runs": runs,
        "bytes_per_image": {
            "shards": round(last["pool, local"]["shards"] / images),
            "embeddings": round(last["pool, local"]["embeddings"] / images),
            "index": scale["bytes_per_image"]["index"],
        },
        "megabytes": {
            "pool, local": round(last["pool, local"]["megabytes"]),
            "pool, ray": round(last["pool, ray"]["megabytes"]),
            "a worker of Ray": round(last["pool, ray"]["megabytes of a worker"]),
        },
        "writer_bytes_per_image": round((memory["1000000"] - memory["100000"]) / 0.9),
    }


def _each(runs: dict[int, list[dict[str, Any]]], part: str, n: int) -> float:
    """Return seconds for an image, by the quickest of the repeats: others only slow it down."""
    few, many = (min(float(run[part]) for run in runs[size]) for size in (FEW, n))
    return max(0.0, (many - few) / (n - FEW))


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


def seconds(found: dict[str, Any], way: str) -> float:
    """Return seconds of a core for an image, of all processes together."""
    return float(sum(found["core_seconds_per_image"][way].values()))


def speed_table(found: dict[str, Any]) -> str:
    """Return what an image costs, as Markdown."""
    lines = [
        "| | ms of a core | images/s and core | against embedding alone |",
        "|---|---|---|---|",
    ]
    plain = seconds(found, WAYS[0])
    for way in WAYS:
        each = seconds(found, way)
        lines.append(f"| {way} | {1000 * each:.1f} | {1 / each:.0f} | {each / plain:.2f} |")
    return "\n".join(lines) + "\n"


def bytes_table(found: dict[str, Any]) -> str:
    """Return the bytes of an image, as Markdown."""
    parts = found["bytes_per_image"]
    named = {
        "shards": "shards: the image as JPEG, what is known of it as JSON",
        "embeddings": "embeddings: all layers in float16",
        "index": "index",
    }
    lines = ["| | bytes an image |", "|---|---|"]
    lines += [f"| {named[name]} | {value:,} |" for name, value in parts.items()]
    lines.append(f"| all | {sum(parts.values()):,} |")
    return "\n".join(lines) + "\n"


def cost_table(found: dict[str, Any]) -> str:
    """Return what many images cost, as Markdown."""
    lines = [
        f"| images | core-hours, local | core-hours, Ray | days of {CORES} cores, Ray | disk "
        "| memory of the writer |",
        "|---|---|---|---|---|---|",
    ]
    local, ray = (seconds(found, way) for way in WAYS[1:])
    for n in SIZES:
        hours, by_ray = n * local / 3600, n * ray / 3600
        disk = n * sum(found["bytes_per_image"].values()) / 1e12
        memory = found["megabytes"]["pool, ray"] / 1e3 + n * found["writer_bytes_per_image"] / 1e9
        lines.append(
            f"| 10{_power(n)} | {hours:,.0f} | {by_ray:,.0f} | {by_ray / CORES / 24:.2g} "
            f"| {disk:.2g} TB | {memory:,.1f} GB |"
        )
    return "\n".join(lines) + "\n"


def notes(found: dict[str, Any]) -> str:
    """Return what goes with the tables, as Markdown."""
    machine, images, parts = found["machine"], found["images"], found["core_seconds_per_image"]
    ray = parts["pool, ray"]
    memory = found["megabytes"]
    tells = ray["ray"] >= 5e-5
    own = f"{1000 * ray['ray']:.1f} ms" if tells else "too little to tell from starting them"
    lines = [
        f"* Measured on {machine['cores']} cores of an {machine['cpu']} with {images['n']:,} "
        f"photographs of {images['megapixels']:.2f} megapixels and {images['bytes']:,} bytes on "
        "average. Larger ones take longer to decode.",
        "* Seconds are those of the processor and not of the clock, which other programs slow down "
        f"(load before: {machine['load_before'][0]:.1f}).",
        f"* With Ray, an image takes {1000 * ray['this process']:.1f} ms of the process that "
        f"writes and {1000 * ray['workers']:.1f} ms of a worker; Ray's own processes take {own}. "
        f"So {ray['workers'] / ray['this process']:.0f} workers keep one writer busy; more need "
        "another pool.",
        f"* Memory: {memory['pool, local']:,} MB for all threads of a local build, "
        f"{memory['a worker of Ray']:,} MB for each worker, {memory['pool, ray']:,} MB for the "
        f"process that writes, and {found['writer_bytes_per_image']:,} bytes for each image that "
        "the pool has, while it is written to.",
    ]
    return "\n".join(lines) + "\n"


def documents() -> Sections:
    """Return what is shown of the last result."""
    found = json.loads(RESULTS.read_text("utf-8"))
    sections = {"speed": speed_table, "bytes": bytes_table, "cost": cost_table, "notes": notes}
    return {DOCS / "scale.md": {name: section(found) for name, section in sections.items()}}


def _power(n: int) -> str:
    return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(len(str(n)) - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=2)
    add_flag(parser, documents)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(run_one(options.run, sample(options.folder, options.images))))
        return
    found = measure(options.folder, options.images, options.repeats)
    save(RESULTS, found)


if __name__ == "__main__":
    main()
