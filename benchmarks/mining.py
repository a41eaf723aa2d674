"""Mine a stream for one known class of the zoo, and check the guarantee where the truth is known.

Usage: ``python benchmarks/mining.py ZOO`` where ZOO is the folder that ``zoo.py`` describes. Of its
images of unknown kinds that are kept for testing none is used. ``--part coverage`` needs no images;
``--documents`` writes the tables of the last result into docs/mining.md, and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from documents import DOCS, Sections, add_flag, save
from embedded import Embedded
from setting import versions

from outgroup.calibration.bounds import interval
from outgroup.mining import Effort, TypicalOfAClass, mine_embeddings
from outgroup.mining.memory import keys_of
from outgroup.model import Model, fit_model
from outgroup.strategies import choose_strategy
from outgroup.training_set import TrainingSet

RESULTS = Path(__file__).parent / "results" / "mining.json"

CLASSES = ("cat", "dog", "giraffe")

#: Parts that a stream is made of; of the parts with classes all but the known one.
STREAMS = {
    "pool": ("pool",),
    "pool and other animals": ("pool", "other_near"),
    "pool, other animals and the other two classes": ("pool", "other_near", "train", "test"),
}
STRATEGIES = ("one-class", "sigmoid")
SEEDS = 12

#: The same where images of the class are hidden in the stream.
HIDDEN_SEEDS = 4

#: Random negatives that both models begin with; a sigmoid of one class needs some.
BEGUN_WITH = 20

#: Hardest negatives that are kept, and images of the uniform sample.
KEPT = 40

#: Shares of the test images of the class that are kept by the thresholds that are compared, beside
#: each model's own, above which 5 % of known images are expected.
SHARES = (0.95, 0.97, 0.98)

#: The same with and without a second look.
AGAIN_SEEDS = 2

#: Where few negatives are all there is: how many, with which strategies, on which of the streams of
#: cats, and the shares of the test cats that are kept.
FEW = (5, 10, 20, 50)
FEW_STRATEGIES = ("sigmoid", "other-class", "one-class")
FEW_STREAMS = ("pool", "pool, other animals and the other two classes")
FEW_SHARES = (0.95, 0.97, 0.98, 0.99, 0.995)

RUNS = 300
WIDTH = 12


def compare(
    zoo: Embedded,
    name: str,
    parts: tuple[str, ...],
    way: str,
    seed: int,
    begun: int = BEGUN_WITH,
    hardest: int = KEPT,
    uniform: int = KEPT,
    shares: tuple[float, ...] = SHARES,
) -> dict:
    """Return what is accepted of the half of a stream that was held out, by three models."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([zoo.rows(part) for part in parts])
    stream = rng.permutation(rows[zoo.kind[rows] != name])
    mined_from, held_out = np.array_split(stream, 2)
    known, test = zoo.rows("train", [name]), zoo.rows("test", [name])

    def model(negatives: np.ndarray) -> tuple[TrainingSet, Model]:
        data = zoo.training_set(known, negatives)
        return data, fit_model(data, choose_strategy(way), seed=seed)

    data, before = model(mined_from[:begun])
    rest = mined_from[begun:]
    batches = (zoo.take(rest[i : i + 64]) for i in range(0, len(rest), 64))
    mined = mine_embeddings(
        batches,
        data,
        before,
        Effort(first=128),
        target=None,
        hardest=hardest,
        uniform=uniform,
        suspects=TypicalOfAClass(),
        seed=seed,
    )
    n = begun + len(mined.negatives)
    found: dict[str, Any] = {"negatives": n, "held_out": len(held_out), "test": len(test)}
    for which, fitted in (("before", before), ("mined", mined.model), ("random", None)):
        one = model(mined_from[:n])[1] if fitted is None else fitted
        scores = one.strategy.score(zoo.take(held_out)).other_score
        kept = one.strategy.score(zoo.take(test)).other_score
        found[which] = {
            "own threshold": int((scores <= one.threshold).sum()),
            "known rejected": int((kept > one.threshold).sum()),
        }
        for share in shares:
            at = float(np.quantile(kept, share, method="higher"))
            found[which][kept_at(share)] = int((scores <= at).sum())
    found["stages"] = [[s.images, s.accepted, round(s.bound, 4)] for s in mined.stages]
    found["quarantined"] = mined.n_quarantined
    return found


def kept_at(share: float) -> str:
    """Return what a threshold is called that keeps a share of the test images of the class."""
    return f"{100 * share:g}% kept"


def summary(runs: list[dict], shares: tuple[float, ...] = SHARES) -> dict[str, Any]:
    """Return means over seeds, and paired intervals of the differences (bootstrap of seeds)."""
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(runs), (2000, len(runs)))
    made: dict[str, Any] = {"seeds": len(runs), "held_out": runs[0]["held_out"]}
    made["negatives"] = float(np.mean([run["negatives"] for run in runs]))
    made["quarantined"] = int(sum(run["quarantined"] for run in runs))
    for figure in ("own threshold", "known rejected", *map(kept_at, shares)):
        counts = {w: np.array([r[w][figure] for r in runs]) for w in ("before", "mined", "random")}
        mined, other = (counts[w][picks].mean(axis=1) for w in ("mined", "random"))
        row: dict[str, Any] = {which: float(values.mean()) for which, values in counts.items()}
        row["mined less random"] = np.quantile(mined - other, [0.025, 0.975]).round(3).tolist()
        if counts["random"].sum():
            row["ratio"] = float(counts["mined"].sum() / counts["random"].sum())
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = np.quantile(mined / other, [0.025, 0.975])
            row["ratio interval"] = [float(round(r, 3)) if r < np.inf else None for r in ratios]
        made[figure] = row
    return made


def measure(zoo: Embedded) -> list[dict[str, Any]]:
    """Return what mining is good for, by class, stream and strategy."""
    rows = []
    for name in CLASSES:
        for stream, parts in STREAMS.items():
            for way in STRATEGIES:
                runs = [compare(zoo, name, parts, way, seed) for seed in range(SEEDS)]
                row = {"class": name, "stream": stream, "strategy": way, **summary(runs)}
                row["stages of the first"] = runs[0]["stages"]
                rows.append(row)
                own, known = row["own threshold"], row["known rejected"]
                print(name, stream, way, own, known, row["95% kept"], flush=True)
    return rows


def measure_few(zoo: Embedded) -> list[dict[str, Any]]:
    """Return what mining is good for where both models may have a handful of negatives."""
    rows = []
    for stream in FEW_STREAMS:
        for way in FEW_STRATEGIES:
            for n in FEW:
                begun = min(BEGUN_WITH, n // 2)
                uniform = (n - begun) // 2
                kept = {"hardest": n - begun - uniform, "uniform": uniform, "shares": FEW_SHARES}
                runs = [
                    compare(zoo, "cat", STREAMS[stream], way, seed, begun, **kept)  # type: ignore[arg-type]
                    for seed in range(SEEDS)
                ]
                row = {"class": "cat", "stream": stream, "strategy": way, "at most": n}
                rows.append(row | summary(runs, FEW_SHARES))
                print(rows[-1], flush=True)
    return rows


def contaminated(zoo: Embedded, name: str, way: str, seed: int) -> dict[str, Any]:
    """Hide half of the test images of a class in a stream, and look what becomes of the others."""
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.concatenate([zoo.rows("pool"), zoo.rows("other_near")]))
    hidden, test = np.array_split(rng.permutation(zoo.rows("test", [name])), 2)
    known = zoo.rows("train", [name])
    data = zoo.training_set(known, others[:BEGUN_WITH])
    before = fit_model(data, choose_strategy(way), seed=seed)
    clean = others[BEGUN_WITH:]
    dirty = rng.permutation(np.concatenate([clean, hidden]))
    found: dict[str, Any] = {"hidden": len(hidden), "clean": len(clean), "test": len(test)}

    def nobody(features: Any, *_: Any) -> np.ndarray:
        return np.zeros(len(features["last"]), dtype=bool)

    for which, rows, suspects in (
        ("clean stream", clean, None),
        ("set aside", dirty, TypicalOfAClass()),
        ("learned from", dirty, nobody),
    ):
        batches = (zoo.take(rows[i : i + 64]) for i in range(0, len(rows), 64))
        options = {"target": None, "seed": seed, "suspects": suspects}
        mined = mine_embeddings(batches, data, before, Effort(first=256), **options)
        scores = mined.model.strategy.score(zoo.take(test)).other_score
        found[which] = int((scores > mined.model.threshold).sum())
        if which == "set aside":
            keys = {int(key) for key in keys_of(zoo.take(hidden))}
            suspected = [image.key in keys for image in mined.quarantined]
            found["found"], found["wrongly"] = sum(suspected), len(suspected) - sum(suspected)
    return found


def suspects(zoo: Embedded) -> list[dict[str, Any]]:
    """Return what becomes of images of the class in the stream, summed over seeds."""
    rows = []
    for name in CLASSES:
        for way in STRATEGIES:
            runs = [contaminated(zoo, name, way, seed) for seed in range(HIDDEN_SEEDS)]
            row = {"class": name, "strategy": way, "seeds": HIDDEN_SEEDS}
            rows.append(row | {key: sum(run[key] for run in runs) for key in runs[0]})
            print(rows[-1], flush=True)
    return rows


def looked_again(zoo: Embedded, name: str, way: str, seed: int) -> dict[str, Any]:
    """Hide images as `contaminated` does; count those that are learned from, by how one looks."""
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.concatenate([zoo.rows("pool"), zoo.rows("other_near")]))
    hidden, test = np.array_split(rng.permutation(zoo.rows("test", [name])), 2)
    data = zoo.training_set(zoo.rows("train", [name]), others[:BEGUN_WITH])
    before = fit_model(data, choose_strategy(way), seed=seed)
    stream = rng.permutation(np.concatenate([others[BEGUN_WITH:], hidden]))
    keys = keys_of(zoo.take(hidden))
    found: dict[str, Any] = {"hidden": len(hidden), "test": len(test)}
    for which, suspects in (("at once", TypicalOfAClass()), ("at once and again", None)):
        batches = (zoo.take(stream[i : i + 64]) for i in range(0, len(stream), 64))
        start = time.process_time()
        options = {"target": None, "seed": seed, "suspects": suspects}
        mined = mine_embeddings(batches, data, before, Effort(first=256), **options)
        assert mined.memory is not None
        aside = np.array([image.key for image in mined.quarantined], dtype=np.uint64)
        scores = mined.model.strategy.score(zoo.take(test)).other_score
        found[which] = {
            "set aside": int(np.isin(keys, aside).sum()),
            "learned from": int(np.isin(keys, mined.memory.hard.keys).sum()),
            "wrongly": int((~np.isin(aside, keys)).sum()),
            "known rejected": int((scores > mined.model.threshold).sum()),
            "seconds": time.process_time() - start,
        }
    return found


def look_again(zoo: Embedded) -> list[dict[str, Any]]:
    """Return what a second look before each refit is good for, summed over seeds."""
    rows = []
    for name in CLASSES:
        for way in STRATEGIES:
            runs = [looked_again(zoo, name, way, seed) for seed in range(AGAIN_SEEDS)]
            row: dict[str, Any] = {"class": name, "strategy": way, "seeds": AGAIN_SEEDS}
            row |= {key: sum(run[key] for run in runs) for key in ("hidden", "test")}
            for which in ("at once", "at once and again"):
                row[which] = {k: sum(run[which][k] for run in runs) for k in runs[0][which]}
                row[which]["seconds"] = round(row[which]["seconds"], 1)
            rows.append(row)
            print(row, flush=True)
    return rows


class World:
    """A class, look-alikes that no first model has met, and other things."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def known(self, n: int) -> np.ndarray:
        """Return rows of the class."""
        return self.rng.normal(0, 1, (n, WIDTH)) + 6 * np.eye(WIDTH)[0]

    def alike(self, n: int) -> np.ndarray:
        """Return rows beside the class."""
        return self.known(n) + 4 * np.eye(WIDTH)[1]

    def far(self, n: int) -> np.ndarray:
        """Return rows far from the class."""
        return self.rng.normal(0, 1.5, (n, WIDTH)) + 6 * np.eye(WIDTH)[2]

    def stream(self, shares: tuple[float, float], size: int = 128) -> Iterator[np.ndarray]:
        """Yield batches without end, with these shares of the class and of look-alikes."""
        known, alike = shares
        while True:
            u = self.rng.random((size, 1))
            rows = np.where(u < known + alike, self.alike(size), self.far(size))
            yield np.where(u < known, self.known(size), rows)


#: Shares of known images and look-alikes in the stream, the target, and what that is like.
WORLDS: dict[str, tuple[tuple[float, float], float]] = {
    "can be learned": ((0.0, 0.05), 0.02),
    "can hardly be reached": ((0.01, 0.05), 0.02),
    "can't be reached": ((0.02, 0.0), 0.018),
}


def covered(shares: tuple[float, float], target: float, seed: int) -> dict[str, Any]:
    """Mine a simulated stream, and compare the bound with what the model really accepts."""
    world = World(seed)
    y = np.r_[np.zeros(60, np.int64), np.full(40, -1)]
    data = TrainingSet({"last": np.vstack([world.known(60), world.far(40)])}, y, ("known",))
    model = fit_model(data, choose_strategy("sigmoid"))
    effort = Effort(images=8_000, refits=6, first=64)
    options = {"target": target, "hardest": 60, "uniform": 60, "suspects": TypicalOfAClass()}
    mined = mine_embeddings(world.stream(shares), data, model, effort, **options)
    known, alike = shares
    fresh, n = World(10**6 + seed), 20_000
    parts: list[tuple[float, Callable[[int], np.ndarray]]] = [
        (known, fresh.known),
        (alike, fresh.alike),
        (1 - known - alike, fresh.far),
    ]
    truth = sum(share * accepted(mined.model, draw(n)) for share, draw in parts if share)
    last = mined.stages[-1]
    return {
        "truth": truth,
        "bound": last.bound,
        "images": last.images,
        "reached": mined.reached,
        "refits": len(mined.stages) - 1,
    }


def accepted(model: Model, rows: np.ndarray) -> float:
    """Return the share of rows that a model gives a class."""
    return float((model.strategy.score({"last": rows}).other_score <= model.threshold).mean())


def coverage() -> list[dict[str, Any]]:
    """Return how often the bound at the moment of stopping was right, over seeded runs."""
    rows = []
    for name, (shares, target) in WORLDS.items():
        start = time.perf_counter()
        runs = [covered(shares, target, seed) for seed in range(RUNS)]
        right = sum(run["truth"] <= run["bound"] for run in runs)
        row: dict[str, Any] = {"world": name, "runs": RUNS, "target": target}
        row |= {"share known": shares[0], "share alike": shares[1]}
        row |= {"right": right, "interval": [round(x, 4) for x in interval(right, RUNS)]}
        row["said to be reached"] = sum(run["reached"] for run in runs)
        row["wrongly"] = sum(run["reached"] and run["truth"] > target for run in runs)
        for figure in ("truth", "bound", "images", "refits"):
            row[f"median {figure}"] = float(np.median([run[figure] for run in runs]))
        row["seconds"] = round(time.perf_counter() - start, 1)
        rows.append(row)
        print(row, flush=True)
    return rows


def coverage_table(rows: list[dict[str, Any]]) -> str:
    """Return how often the bound was right, as Markdown."""
    lines = [
        "| stream | target | bound was right | target said to be reached | wrongly |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["interval"]
        right = f"{row['right']} of {row['runs']} runs [{100 * low:.1f} %, {100 * high:.1f} %]"
        lines.append(
            f"| {row['world']} | {100 * row['target']:.1f} % | {right} | "
            f"{row['said to be reached']} | {row['wrongly']} |"
        )
    return "\n".join(lines) + "\n"


def zoo_table(rows: list[dict[str, Any]]) -> str:
    """Return what is accepted of held-out halves of streams, as Markdown."""
    lines = [
        "| class | stream | strategy | negatives | held out | before | random | mined "
        "| mined less random |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        at = row["95% kept"]
        low, high = at["mined less random"]
        counts = " | ".join(f"{at[which]:.2f}" for which in ("before", "random", "mined"))
        lines.append(
            f"| {row['class']} | {row['stream']} | {row['strategy']} | {row['negatives']:.0f} | "
            f"{row['held_out']:,} | {counts} | [{low:.2f}, {high:.2f}] |"
        )
    return "\n".join(lines) + "\n"


def suspects_table(rows: list[dict[str, Any]]) -> str:
    """Return what becomes of images of the class in the stream, as Markdown."""
    lines = [
        "| class | strategy | found of those hidden | others set aside | known rejected: clean "
        "stream | hidden, set aside | hidden, learned from |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lost = " | ".join(
            f"{100 * row[which] / row['test']:.1f} %"
            for which in ("clean stream", "set aside", "learned from")
        )
        lines.append(
            f"| {row['class']} | {row['strategy']} | {100 * row['found'] / row['hidden']:.0f} % | "
            f"{100 * row['wrongly'] / row['clean']:.2f} % | {lost} |"
        )
    return "\n".join(lines) + "\n"


def few_table(rows: list[dict[str, Any]]) -> str:
    """Return what a handful of negatives is good for, random or mined, as Markdown."""
    named = " | ".join(f"{100 * share:g} %" for share in FEW_SHARES)
    lines = [
        f"| stream | strategy | negatives | own threshold | {named} |",
        "|---|---|---|---|" + "---|" * len(FEW_SHARES),
    ]
    for row in rows:
        cells = []
        for figure in ("own threshold", *map(kept_at, FEW_SHARES)):
            at = row[figure]
            cell = f"{at['random']:.1f} → {at['mined']:.1f}"
            low, high = at.get("ratio interval", (None, None))
            if "ratio" in at and low is not None:
                upper = "∞" if high is None else f"{high:.2f}"
                cell += f" ({at['ratio']:.2f} [{low:.2f}, {upper}])"
            cells.append(cell)
        lines.append(
            f"| {row['stream']} | {row['strategy']} | {row['negatives']:.0f} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines) + "\n"


def again_table(rows: list[dict[str, Any]]) -> str:
    """Return what a second look is good for, as Markdown."""
    lines = [
        "| class | strategy | hidden | set aside at once | and again | learned from: at once "
        "| and again | others set aside: at once | and again |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        looks = row["at once"], row["at once and again"]
        figures = ("set aside", "learned from", "wrongly")
        cells = [str(look[figure]) for figure in figures for look in looks]
        lines.append(
            f"| {row['class']} | {row['strategy']} | {row['hidden']} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"


TABLES = {
    "coverage": coverage_table,
    "zoo": zoo_table,
    "few": few_table,
    "suspects": suspects_table,
    "again": again_table,
}


def documents() -> Sections:
    """Return what is shown of the last result."""
    found = json.loads(RESULTS.read_text("utf-8"))
    return {DOCS / "mining.md": {name: table(found[name]) for name, table in TABLES.items()}}


def main() -> None:
    """Measure what is asked for, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path, nargs="?")
    parser.add_argument("--part", choices=tuple(TABLES))
    add_flag(parser, documents)
    arguments = parser.parse_args()
    wanted = [arguments.part] if arguments.part else list(TABLES)
    if arguments.zoo is None and wanted != ["coverage"]:
        parser.error("give the folder of the zoo")
    made: dict[str, Any] = {}
    if "coverage" in wanted:
        made["coverage"] = coverage()
    if wanted != ["coverage"]:
        zoo = Embedded.load(arguments.zoo, ("train", "test", "other_near", "pool"))
        made |= {"zoo": measure(zoo)} if "zoo" in wanted else {}
        made |= {"few": measure_few(zoo)} if "few" in wanted else {}
        made |= {"again": look_again(zoo)} if "again" in wanted else {}
        made |= {"suspects": suspects(zoo)} if "suspects" in wanted else {}
    found = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    found |= made
    found["versions"] = versions()
    save(RESULTS, found)


if __name__ == "__main__":
    main()
