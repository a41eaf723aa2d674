"""Time `outgroup predict` of one image in a new process, and weigh it on 10,000 images.

What it aims at: at most 1.5 s for one image, and under 700 MB for 10,000::

    python benchmarks/predicting.py

writes ``benchmarks/results/predicting.json``. The images are 500 JPEGs of 320 x 240 pixels made
from a seed, each copied with bytes of its own behind it, so that no two files are the same. The
memory is the largest resident set of the process, as the kernel reports it when it ends.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import setting
from documents import save

RESULT = Path(__file__).parent / "results" / "predicting.json"
MOST_SECONDS, MOST_MEGABYTES = 1.5, 700
DISTINCT = 500


def write_images(folder: Path, count: int) -> None:
    """Write `count` JPEG files, no two of them the same."""
    files = []
    for number in range(min(DISTINCT, count)):
        buffer = io.BytesIO()
        setting.picture(number).save(buffer, "JPEG", quality=90)
        files.append(buffer.getvalue())
    for number in range(count):
        trailer = number.to_bytes(8, "little")  # behind the end of the image, where nobody looks
        (folder / f"{number:05d}.jpg").write_bytes(files[number % len(files)] + trailer)


# What a process inherits counts into its largest resident set, so a small one starts it.
LAUNCHER = """
import json, os, subprocess, sys, time
with open(sys.argv[1], "wb") as file:
    start = time.perf_counter()
    process = subprocess.Popen(sys.argv[2:], stdout=file)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
print(json.dumps([seconds, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]))
"""


def predict(model: Path, what: Path, out: Path) -> tuple[float, float, int]:
    """Return seconds, megabytes at most, and the exit code of a process that predicts."""
    command = [setting.PROGRAM, "predict", model, what, "--json"]
    launched = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCHER, out, *command],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds, largest, code = json.loads(launched.stdout)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes here
    return seconds, largest * unit / 1e6, code


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=9, help="of the one image")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()

    machine = setting.machine()
    with tempfile.TemporaryDirectory() as temporary:
        model = setting.train(Path(temporary))
        folder, lines = Path(temporary) / "images", Path(temporary) / "lines"
        folder.mkdir()
        write_images(folder, options.count)
        one = folder / "00000.jpg"
        predict(model, one, lines)  # the graph is built once for each installation
        cold = [predict(model, one, lines) for _ in range(options.runs)]
        many = predict(model, folder, lines)
        n_lines = len(lines.read_bytes().splitlines())

    median = statistics.median(seconds for seconds, _, _ in cold)
    result = {
        "one_image": {
            "seconds": [round(seconds, 3) for seconds, _, _ in cold],
            "median_seconds": round(median, 3),
            "megabytes": round(max(megabytes for _, megabytes, _ in cold)),
            "aim_seconds": MOST_SECONDS,
            "reached": median <= MOST_SECONDS,
        },
        "many_images": {
            "images": options.count,
            "lines": n_lines,
            "exit_code": many[2],
            "seconds": round(many[0], 1),
            "images_per_second": round(options.count / many[0], 1),
            "megabytes": round(many[1]),
            "aim_megabytes": MOST_MEGABYTES,
            "reached": many[1] < MOST_MEGABYTES and n_lines == options.count and not many[2],
        },
        "machine": machine,
        "versions": setting.versions(),
    }
    save(options.out, result)
    print(json.dumps({key: result[key] for key in ("one_image", "many_images")}, indent=1))


if __name__ == "__main__":
    main()
