"""Damage good images in 2,000 ways, predict them all in one process, count what becomes of them.

Each variant is one good image with bytes flipped, cut off, or with the first bytes of a file of
another format. What must hold: ``outgroup predict --json`` does not crash, writes one line of the
contract for each file, and exits with 3 (or 0, if every file could be read after all)::

    python benchmarks/robustness.py                     # images made from a seed
    python benchmarks/robustness.py --images DIR        # your own

The result is ``benchmarks/results/robustness.json``; the exit code is 1 if something does not hold.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import setting
from documents import save

RESULT = Path(__file__).parent / "results" / "robustness.json"
FORMATS = {
    "jpeg": {"format": "JPEG", "quality": 90},
    "jpeg-progressive": {"format": "JPEG", "quality": 90, "progressive": True},
    "png": {"format": "PNG"},
    "gif": {"format": "GIF"},
    "webp": {"format": "WEBP"},
    "webp-lossless": {"format": "WEBP", "lossless": True},
    "bmp": {"format": "BMP"},
    "tiff": {"format": "TIFF"},
    "tiff-lzw": {"format": "TIFF", "compression": "tiff_lzw"},
}
REASONS = ("known", "unknown", "ambiguous", "unreadable")


def made(per_format: int) -> list[tuple[str, bytes]]:
    """Return good images of every format, each with its format."""
    images = []
    for kind, options in FORMATS.items():
        for number in range(per_format):
            buffer = io.BytesIO()
            setting.picture(number, 160, 120).save(buffer, **options)
            images.append((kind, buffer.getvalue()))
    return images


def collected(folder: Path, most: int, rng: random.Random) -> list[tuple[str, bytes]]:
    """Return up to `most` files of a folder, each with its ending."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    chosen = rng.sample(paths, min(most, len(paths)))
    return [(path.suffix.lower().lstrip(".") or "none", path.read_bytes()) for path in chosen]


def flipped(data: bytes, _: bytes, rng: random.Random) -> bytes:
    """Change 1 to 20 bytes, half of the time among the first 200, where the headers are."""
    damaged = bytearray(data)
    end = rng.choice([min(200, len(data)), len(data)])
    for _i in range(rng.choice([1, 2, 5, 20])):
        damaged[rng.randrange(end)] = rng.randrange(256)
    return bytes(damaged)


def truncated(data: bytes, _: bytes, rng: random.Random) -> bytes:
    """Cut it off somewhere."""
    return data[: rng.randrange(len(data))]


def swapped(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Put the first bytes of another file in the place of its own."""
    length = rng.choice([4, 16, 64, 512])
    return other[:length] + data[length:]


DAMAGES: dict[str, Callable[[bytes, bytes, random.Random], bytes]] = {
    "bytes flipped": flipped,
    "truncated": truncated,
    "header swapped": swapped,
}


def damage(
    images: list[tuple[str, bytes]], count: int, folder: Path, rng: random.Random
) -> dict[str, tuple[str, str]]:
    """Write `count` variants into `folder`, and return format and damage of each path."""
    written = {}
    for number in range(count):
        kind, data = images[number % len(images)]
        name = list(DAMAGES)[number // len(images) % len(DAMAGES)]
        other = rng.choice([data for other_kind, data in images if other_kind != kind] or [data])
        path = folder / f"{number:05d}.{kind}"
        path.write_bytes(DAMAGES[name](data, other, rng))
        written[str(path)] = (kind, name)
    return written


def problems(done: subprocess.CompletedProcess[str], expected: list[str]) -> list[str]:
    """Return what does not hold."""
    found = []
    lines = done.stdout.splitlines()
    try:
        answers = [json.loads(line) for line in lines]
    except ValueError:
        return [f"a line is no JSON; exit code {done.returncode}; {done.stderr[-300:]}"]
    if [answer["path"] for answer in answers] != expected:
        found.append(f"{len(lines)} lines for {len(expected)} files")
    unreadable = [answer for answer in answers if answer["reason"] == "unreadable"]
    if done.returncode != (3 if unreadable else 0):
        found.append(f"exit code {done.returncode}")
    if any(answer["reason"] not in REASONS for answer in answers):
        found.append("an unknown reason")
    if not all(answer["error"] for answer in unreadable):
        found.append("an unreadable file without an error")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="good images; made from a seed if not given")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()

    rng = random.Random(options.seed)
    images = collected(options.images, 200, rng) if options.images else made(per_format=4)
    with tempfile.TemporaryDirectory() as temporary:
        model = setting.train(Path(temporary))
        folder = Path(temporary) / "damaged"
        folder.mkdir()
        written = damage(images, options.count, folder, rng)
        start = time.perf_counter()
        done = subprocess.run(
            [setting.PROGRAM, "predict", model, folder, "--json"], capture_output=True, text=True
        )
        seconds = time.perf_counter() - start

    wrong = problems(done, sorted(written))
    table: dict[str, Counter[str]] = {}
    errors: Counter[str] = Counter()
    for line in [] if wrong else done.stdout.splitlines():
        answer = json.loads(line)
        kind, name = written[answer["path"]]
        said = "unreadable" if answer["error"] else "answered"
        table.setdefault(f"{kind}, {name}", Counter())[said] += 1
        if answer["error"]:
            errors[re.sub(r"\d[\d,]*\b", "N", answer["error"].partition(":")[0])] += 1
    if done.stderr:
        print(done.stderr[:2000], file=sys.stderr)
    result = {
        "images": "the user's own" if options.images else "made from a seed",
        "variants": len(written),
        "problems": wrong,
        "exit_code": done.returncode,
        "lines": len(done.stdout.splitlines()),
        "lines_on_standard_error": len(done.stderr.splitlines()),
        "answered": sum(counts["answered"] for counts in table.values()),
        "unreadable": sum(counts["unreadable"] for counts in table.values()),
        "by_format_and_damage": {key: dict(table[key]) for key in sorted(table)},
        "reasons": dict(errors.most_common()),
        "seconds": round(seconds, 1),
        "seed": options.seed,
        "versions": setting.versions(),
    }
    save(options.out, result)
    print(json.dumps({k: result[k] for k in list(result)[1:8]}, indent=1))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
