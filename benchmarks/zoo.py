"""Train and measure on the zoo by the command line, and write what came out.

Usage: ``python benchmarks/zoo.py ZOO`` where ZOO holds ``train``, ``test``, ``other_near``,
``pool``, ``test_unknown_near`` and ``test_unknown_far``, each with a folder a class or kind.
``--documents`` writes the table of the last result into README.md, and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from documents import README, Sections, add_flag, save

RESULTS = Path(__file__).parent / "results" / "zoo.json"
OUTGROUP = [sys.executable, "-c", "from outgroup.cli import main; main()"]

#: What is given to ``train`` beside the classes, by the name in the table.
NEGATIVES: dict[str, list[str]] = {
    "look-alikes and pool": ["--other", "other_near", "--pool", "pool"],
    "no negatives": [],
}
STRATEGIES = ("auto", "sigmoid", "other-class", "detector", "softmax")


def outgroup(arguments: list[str], cache: Path) -> tuple[Any, float]:
    """Run a command with ``--json``, and return what it printed and the seconds it took."""
    start = time.perf_counter()
    done = subprocess.run(
        [*OUTGROUP, *arguments, "--json"],
        env={**os.environ, "OUTGROUP_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout), time.perf_counter() - start


def embedding_seconds(folders: list[Path], cache: Path) -> float:
    """Return the seconds that a new process takes to embed every image, with an empty cache."""
    code = (
        "import sys; from outgroup.backbones import get_backbone\n"
        "from outgroup.data import from_images\n"
        "from outgroup.embeddings import Embedder, EmbeddingCache\n"
        "embedder = Embedder(get_backbone('efficientnet-lite0'), cache=EmbeddingCache())\n"
        "embedder.embed(from_images(sys.argv[1:]).sources)"
    )
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, *map(str, folders)],
        env={**os.environ, "OUTGROUP_CACHE": str(cache)},
        check=True,
    )
    return time.perf_counter() - start


def measure(zoo: Path, work: Path) -> dict[str, Any]:
    """Return accuracy of every strategy, and the time of the usual one."""
    warm = work / "cache"
    trained = [zoo / name for name in ("train", "other_near", "pool")]
    embedding_seconds(trained[:1], warm)  # the network's graph is built once, by whoever is first
    results = []
    for negatives, options in NEGATIVES.items():
        paths = [str(zoo / o) if not o.startswith("--") else o for o in options]
        for strategy in STRATEGIES:
            if strategy == "other-class" and not options:
                continue
            model = work / "model.outgroup"
            train = ["train", str(zoo / "train"), *paths, "--strategy", strategy]
            trained_as, _ = outgroup([*train, "--out", str(model)], warm)
            row = {"negatives": negatives, "strategy": strategy, "runs": trained_as["strategy"]}
            row["certificate"] = trained_as["certificate"]["sentence"]
            for kind in ("near", "far"):
                test = [
                    "--known",
                    str(zoo / "test"),
                    "--unknown",
                    str(zoo / f"test_unknown_{kind}"),
                ]
                found, _ = outgroup(["evaluate", str(model), *test], warm)
                row["known"] = found["overall"]
                row[kind] = found["unknown_overall"]
            results.append(row)
            print(strategy, negatives, row["near"]["accepted"], row["far"]["accepted"])
    return {"results": results, "seconds": seconds(zoo, trained, work, warm)}


def seconds(zoo: Path, trained: list[Path], work: Path, warm: Path) -> dict[str, Any]:
    """Time training with a cold and a warm cache beside embedding alone, in turn."""
    command = ["train", str(zoo / "train"), "--other", str(zoo / "other_near")]
    command += ["--pool", str(zoo / "pool"), "--out", str(work / "timed.outgroup")]
    floor, cold, with_cache = [], [], []
    for i in range(3):
        for times, run in (
            (floor, lambda c: embedding_seconds(trained, c)),
            (cold, lambda c: outgroup(command, c)[1]),
        ):
            cache = work / f"cold-{i}-{len(times)}-{id(times)}"
            embedding_seconds([zoo / "train" / "giraffe"], cache)  # builds the graph
            (cache / "embeddings.sqlite3").unlink()
            times.append(run(cache))
        with_cache.append(outgroup(command, warm)[1])
    return {
        "embedding": floor,
        "train, cold": cold,
        "train, warm": with_cache,
        "ratio cold to embedding": sorted(c / f for c, f in zip(cold, floor, strict=True))[1],
        "warm, median": sorted(with_cache)[1],
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the rows of the README's table, as Markdown."""
    lines = [
        "| trained with | strategy | known rejected | wrong class | animals accepted "
        "| other things accepted |",
        "|---|---|---|---|---|---|",
    ]
    for row in results:
        name = f"auto ({row['runs']})" if row["strategy"] == "auto" else row["strategy"]
        shares = (
            row["known"]["rejected"],
            row["known"]["wrong_label"],
            row["near"]["accepted"],
            row["far"]["accepted"],
        )
        said = " | ".join(percent(share) for share in shares)
        lines.append(f"| {row['negatives']} | {name} | {said} |")
    return "\n".join(lines) + "\n"


def percent(rate: dict[str, Any]) -> str:
    """Return a share with its 95 % interval."""
    low, high = rate["interval"]
    return f"{100 * rate['value']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def documents() -> Sections:
    """Return what is shown of the last result."""
    return {README: {"zoo": table(json.loads(RESULTS.read_text("utf-8"))["results"])}}


def main() -> None:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    add_flag(parser, documents)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = measure(arguments.zoo, Path(work))
    found["versions"] = {
        name: metadata.version(name) for name in ("outgroup", "numpy", "onnxruntime", "pillow")
    }
    found["python"] = platform.python_version()
    found["cores"] = os.cpu_count()
    save(RESULTS, found)
    print(json.dumps(found["seconds"], indent=1))


if __name__ == "__main__":
    main()
