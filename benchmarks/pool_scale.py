"""Memory, and cost per image, of everything a pool does, with ten thousand to a million images.

Usage: ``python benchmarks/pool_scale.py [--sizes 10000 100000 1000000] [--folder DIR]``.

The pool is synthetic: each image is the same tiny JPEG, and the embeddings, as many numbers as
those of the bundled backbone, are random. Decoding, encoding and the network, which take the same
time whatever is in the pool, are left out; everything that touches the pool is what users run. Of
the images 1 in 100 is nearly the same as an earlier one, 1 in 50 is blank, 1 in 10 is of a group.

Each operation runs in a process of its own, whose largest memory is noted. Times are microseconds
on the clock and of the processor; the former grow when other programs are busy. The result is
``benchmarks/results/pool_scale.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import setting
from documents import save
from PIL import Image

from outgroup import Pool
from outgroup.backbones import get_backbone
from outgroup.pool.records import NewImage
from outgroup.pool.writer import Writer, writer_lock

RESULT = Path(__file__).parent / "results" / "pool_scale.json"
WINDOW = 10_000  # images at the end of an append that are timed
DRAWN = 2_000  # rows that are looked up at random


def made(row: int, jpeg: bytes, bits: np.ndarray) -> NewImage:
    """Return an image that is made from its number."""
    near = row % 100 == 99
    value = int(bits[(row - 50 if near else row) % len(bits)]) ^ (row // len(bits)) * 0x9E3779B9
    if near:
        value = int(bits[(row - 50) % len(bits)]) ^ ((row - 50) // len(bits)) * 0x9E3779B9 ^ 0b101
    number = str(row).encode()
    return NewImage(
        source=f"source {row // 10_000 % 100:02d}",
        origin=f"pictures/of/some/kind/{row:09d}.jpg",
        group=f"clip {row // 50}" if row % 50 < 5 else None,
        width=640,
        height=480,
        stored_width=16,
        stored_height=12,
        n_bytes=len(jpeg),
        digest=hashlib.blake2b(number, digest_size=16).hexdigest(),
        fingerprint=None if row % 50 == 0 else value % 2**64,
        jpeg=jpeg,
        checksum=hashlib.blake2b(jpeg, digest_size=16).hexdigest(),
        stamp=f"{len(jpeg)}:{row}",
    )


Seconds = dict[str, tuple[float, float]]  # on the clock, of the processor


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def each(seconds: np.ndarray, count: int) -> tuple[float, float]:
    return float(seconds[0]) / count, float(seconds[1]) / count


def append(pool: Pool, n: int) -> Seconds:
    """Append until there are `n` images; time the last of them, and taking up the work."""
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)).save(file, "JPEG")
    bits = rng.integers(0, 2**64, 2**20, dtype=np.uint64)
    block = rng.normal(size=(997, sum(pool.layers.values()))).astype(np.float32)
    ends = np.cumsum(list(pool.layers.values()))[:-1]
    parts = pool.path, pool._index, pool._shards, pool._embeddings
    with writer_lock(pool.path):
        writer = Writer(*parts)
        first = len(pool)
        for row in range(first, n):
            if row == max(first, n - WINDOW):
                writer.commit()
                start = now()
            near = row % 100 == 99
            vector = block[(row - 50 if near else row) % len(block)]
            vectors = dict(zip(pool.layers, np.split(vector, ends), strict=True))
            writer.add(made(row, file.getvalue(), bits), vectors)
        writer.commit()
        found = {"append": each(now() - start, min(WINDOW, n - first))}
    start = now()
    with writer_lock(pool.path):  # as a run does that goes on
        Writer(*parts)
        found["open to write"] = each(now() - start, n)
    return found


def per_call(action: Callable[[], object], count: int, repeats: int = 5) -> tuple[float, float]:
    """Return seconds for each of `count` things that the action does; the best of some runs."""
    times = []
    for _ in range(repeats):
        start = now()
        action()
        times.append(now() - start)
    return each(np.min(times, axis=0), count)


def drawn(pool: Pool) -> np.ndarray:
    return np.random.default_rng(1).choice(len(pool), DRAWN, replace=False)


def stream(pool: Pool) -> Seconds:
    def run() -> None:
        assert sum(len(rows) for rows, _ in pool.chunks(layers=["last"])) > 0

    return {"stream one layer": per_call(run, len(pool), 1)}


def look_up(pool: Pool) -> Seconds:
    rows = drawn(pool)
    records = pool.records(rows)
    index = pool._index
    return {
        "record of a row": per_call(lambda: pool.records(rows), DRAWN),
        "embedding of a row": per_call(lambda: pool.features(rows, ["last"]), DRAWN),
        "image of a row": per_call(lambda: pool.encoded(rows), DRAWN),
        "known by its place": per_call(
            lambda: [index.find_place(r.source, r.origin) for r in records], DRAWN
        ),
        "known by its content": per_call(
            lambda: [index.find_digest(r.digest) for r in records], DRAWN
        ),
    }


def iterate(pool: Pool) -> Seconds:
    return {"iterate over records": per_call(lambda: sum(1 for _ in pool), len(pool), 1)}


def quarantine(pool: Pool) -> Seconds:
    rows = drawn(pool)
    found = {"quarantine": per_call(lambda: pool.quarantine(rows, "a cat"), DRAWN, 1)}
    found["rows of a state"] = per_call(lambda: pool.rows(), len(pool), 1)
    found["release"] = per_call(lambda: pool.release(rows), DRAWN, 1)
    return found


def verify(pool: Pool) -> Seconds:
    def run() -> None:
        assert pool.verify().n_problems == 0

    return {"verify": per_call(run, len(pool), 1)}


def open_and_count(pool: Pool) -> Seconds:
    path = pool.path
    return {
        "open (a call)": per_call(lambda: Pool(path), 1),
        "counts (a call)": per_call(lambda: pool.counts(), 1),
        "length (a call)": per_call(lambda: len(pool), 1),
    }


OPERATIONS = {
    one.__name__: one for one in (open_and_count, look_up, stream, iterate, quarantine, verify)
}


def in_process(folder: Path, operation: str, n: int) -> tuple[Seconds, float]:
    """Run an operation in a process of its own; return its times and its memory in MB."""
    command = [sys.executable, __file__, "--run", operation, str(n), "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout)
    print(f"{n:>9,} {operation:15} {found['megabytes']:6.0f} MB  {found['seconds']}", flush=True)
    return found["seconds"], found["megabytes"]


def run_one(folder: Path, operation: str, n: int) -> None:
    pool = Pool(folder)
    seconds = append(pool, n) if operation == "append" else OPERATIONS[operation](pool)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes}))


def measure(folder: Path, sizes: list[int]) -> dict[str, object]:
    Pool.create(folder, get_backbone("efficientnet-lite0"))
    times: dict[str, dict[str, dict[str, float]]] = {"clock": {}, "processor": {}}
    memory: dict[str, dict[str, float]] = {}
    for n in sizes:
        for operation in ("append", *OPERATIONS):
            seconds, megabytes = in_process(folder, operation, n)
            memory.setdefault(operation, {})[str(n)] = round(megabytes)
            for name, values in seconds.items():
                for kind, value in zip(times, values, strict=True):
                    times[kind].setdefault(name, {})[str(n)] = round(1e6 * value, 2)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    index = (folder / "index.sqlite3").stat().st_size
    return {
        "machine": setting.machine(),
        "versions": setting.versions(),
        "images": sizes,
        "microseconds_per_image": times,
        "megabytes_at_most": memory,
        "bytes_per_image": {
            "all": round(size / sizes[-1]),
            "index": round(index / sizes[-1]),
            "embeddings": 2 * sum(get_backbone("efficientnet-lite0").layers.values()),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the pool is made; kept")
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_one(options.folder, options.run[0], int(options.run[1]))
        return
    with tempfile.TemporaryDirectory() as made_here:
        found = measure(options.folder or Path(made_here) / "pool", sorted(options.sizes))
    save(options.result, found)


if __name__ == "__main__":
    main()
