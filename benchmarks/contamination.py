"""Images of the known classes in a pool: how many are found, and what they cost if they are not.

Of the zoo's cats, dogs and giraffes for training 60 % are known, and some of the others are mixed
into the pool, so that they make up 0, 2, 5, 10 or 20 % of it; with larger shares the pool is
smaller, because there are no more of them. Look-alikes (``other_near``) are given beside the pool,
or are in it, where nobody has said what they are: then it counts, too, how many of them are set
aside with the suspects. Each seed is another draw.

What a model loses is the share of ``test``'s images that keep a class, and the right one, when the
threshold is where 5 % of ``test_unknown_near`` are accepted: with the pool as it is, with the
suspects set aside, and with the same pool without the images of the classes. Nothing is chosen by
these. Run from the root of the repository, on one core::

    OPENBLAS_NUM_THREADS=1 python benchmarks/contamination.py ZOO

which writes ``benchmarks/results/contamination.json``; ``--documents`` writes the tables of
the last result into ``docs/contamination.md``, and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from documents import DOCS, Sections, add_flag, save
from embedded import Embedded
from setting import machine, versions

from outgroup.calibration import assign_folds
from outgroup.calibration.bounds import interval
from outgroup.contamination import find_suspects
from outgroup.strategies import STRATEGIES, FoldedRows
from outgroup.training_set import TrainingSet

RESULTS = Path(__file__).parent / "results" / "contamination.json"
RATES = (0.0, 0.02, 0.05, 0.1, 0.2)
KEPT, ACCEPTED = 0.6, 0.05
PLACES = ("look-alikes beside the pool", "look-alikes in the pool")
#: Strategies that learn from the pool.
STRATEGIES_SHOWN = ("sigmoid", "blend", "positive-unlabelled")
WAYS = ("clean", "purged", "as it is")


class Draw:
    """What is known, hidden and in the pool, by one seed."""

    def __init__(self, zoo: Embedded, rate: float, place: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        known, hidden = [], []
        for kind in np.unique(zoo.kind[zoo.rows("train")]):
            rows = rng.permutation(zoo.rows("train", [kind]))
            cut = round(KEPT * len(rows))
            known.append(rows[:cut])
            hidden.append(rows[cut:])
        spare = rng.permutation(np.concatenate(hidden))
        near, things = zoo.rows("other_near"), rng.permutation(zoo.rows("pool"))
        self.known = np.sort(np.concatenate(known))
        self.verified = near if place == PLACES[0] else near[:0]
        in_pool = near if place == PLACES[1] else near[:0]
        room = len(things)
        if rate:
            room = min(room, int(len(spare) * (1 - rate) / rate) - len(in_pool))
        self.clean = np.concatenate([things[:room], in_pool])
        self.hidden = spare[: round(len(self.clean) * rate / (1 - rate))]
        self.pool = rng.permutation(np.concatenate([self.clean, self.hidden]))


def findings(zoo: Embedded, draw: Draw, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Return what is found, counted, and the pool without it."""
    known = zoo.training_set(draw.known, draw.verified)
    start = time.process_time()
    found = find_suspects(known, zoo.layers["last"][draw.pool], seed=seed)
    seconds = time.process_time() - start
    suspected = draw.pool[found.rows]
    near = np.intersect1d(draw.clean, zoo.rows("other_near"))
    truth = {str(row): str(zoo.kind[row]) for row in draw.hidden}
    right = sum(truth.get(str(draw.pool[s.row])) == s.label for s in found.suspects)
    share = found.share
    assert share is not None
    things = np.setdiff1d(draw.clean, near)
    row = {
        "seed": seed,
        "hidden": len(draw.hidden),
        "hidden_found": len(np.intersect1d(draw.hidden, suspected)),
        "named_right": right,
        "clean": len(draw.clean),
        "clean_set_aside": len(np.intersect1d(draw.clean, suspected)),
        "things_set_aside": len(np.intersect1d(things, suspected)),
        "look_alikes": len(near),
        "look_alikes_set_aside": len(np.intersect1d(near, suspected)),
        "true_share": len(draw.hidden) / len(draw.pool),
        "share": share.value,
        "interval": [share.low, share.high],
        "processor_seconds": round(seconds, 3),
    }
    return row, np.setdiff1d(draw.pool, suspected)


def kept_share(zoo: Embedded, draw: Draw, pool: np.ndarray, name: str, seed: int) -> float:
    """Return the share of known test images that get their class at equal near acceptance."""
    data: TrainingSet = zoo.training_set(draw.known, np.concatenate([draw.verified, pool]))
    strategy = STRATEGIES.get(name)()
    strategy.cross_fit(FoldedRows(data.features, data.y, assign_folds(data.y, 5, None, seed)))
    strategy.fit(data.features, data.y)
    test = zoo.rows("test")
    near = strategy.score(zoo.take(zoo.rows("test_unknown_near"))).other_score
    threshold = np.quantile(near, ACCEPTED)
    classes, other = strategy.score(zoo.take(test))
    right = np.array(data.classes)[classes.argmax(axis=1)] == zoo.kind[test]
    return float((right & (other <= threshold)).mean())


def measure(zoo: Embedded, seeds: int, model_seeds: int) -> list[dict[str, Any]]:
    """Return a row for each place of the look-alikes, share and seed."""
    rows = []
    for place in PLACES:
        for rate in RATES:
            for seed in range(seeds):
                draw = Draw(zoo, rate, place, seed)
                row, purged = findings(zoo, draw, seed)
                row = {"place": place, "rate": rate, **row}
                if rate and place == PLACES[0] and seed < model_seeds:
                    pools = dict(zip(WAYS, (draw.clean, purged, draw.pool), strict=True))
                    row["kept"] = {
                        name: {way: kept_share(zoo, draw, pools[way], name, seed) for way in WAYS}
                        for name in STRATEGIES_SHOWN
                    }
                rows.append(row)
            print(place, rate, sum(r["hidden_found"] for r in rows[-seeds:]), flush=True)
    return rows


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return counts over all seeds with their intervals, and means with standard errors."""
    found = []
    for place in PLACES:
        for rate in RATES:
            some = [row for row in rows if (row["place"], row["rate"]) == (place, rate)]
            one: dict[str, Any] = {"place": place, "rate": rate, "seeds": len(some)}
            for name, k, n in (
                ("found", "hidden_found", "hidden"),
                ("clean set aside", "clean_set_aside", "clean"),
                ("look-alikes set aside", "look_alikes_set_aside", "look_alikes"),
            ):
                total, of = sum(row[k] for row in some), sum(row[n] for row in some)
                if of:
                    one[name] = {"value": total / of, "k": total, "n": of}
                    one[name]["interval"] = list(interval(total, of))
            one["true share"] = some[0]["true_share"]
            one["share"] = float(np.mean([row["share"] for row in some]))
            low, high = np.mean([row["interval"] for row in some], axis=0)
            one["mean interval"] = [float(low), float(high)]
            one["covered"] = sum(
                row["interval"][0] <= row["true_share"] <= row["interval"][1] for row in some
            )
            with_models = [row["kept"] for row in some if "kept" in row]
            if with_models:
                one["kept"] = {
                    name: {way: _mean([kept[name][way] for kept in with_models]) for way in WAYS}
                    | {
                        f"{way} less clean": _mean(
                            [kept[name][way] - kept[name]["clean"] for kept in with_models]
                        )
                        for way in WAYS[1:]
                    }
                    for name in STRATEGIES_SHOWN
                }
            found.append(one)
    return found


def _mean(values: list[float]) -> dict[str, float]:
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "standard_error": float(error)}


def tables(results: list[dict[str, Any]]) -> dict[str, str]:
    """Return the tables of the document by the name of their marks, as Markdown."""
    finding = [
        "| look-alikes | images of the classes in the pool | of these found | other images set "
        "aside | look-alikes set aside | estimated share | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in results:
        cells = [one["place"].split("look-alikes ")[1], f"{100 * one['true share']:.0f} %"]
        names = ("found", "clean set aside", "look-alikes set aside")
        cells += [_rate(one[name]) if name in one else "" for name in names]
        low, high = one["mean interval"]
        cells += [f"{100 * one['share']:.1f} %", f"{100 * low:.1f} to {100 * high:.1f} %"]
        finding.append(f"| {' | '.join(cells)} |")
    keeping = [
        "| strategy | images of the classes in the pool | clean pool | suspects set aside | "
        "pool as it is |",
        "|---|---|---|---|---|",
    ]
    for name in STRATEGIES_SHOWN:
        for one in results:
            if "kept" in one:
                kept = one["kept"][name]
                cells = [name, f"{100 * one['rate']:.0f} %", f"{100 * kept['clean']['mean']:.1f} %"]
                cells += [_change(kept[way], kept[f"{way} less clean"]) for way in WAYS[1:]]
                keeping.append(f"| {' | '.join(cells)} |")
    return {"finding": "\n".join(finding) + "\n", "keeping": "\n".join(keeping) + "\n"}


def _rate(rate: dict[str, Any]) -> str:
    low, high = rate["interval"]
    return f"{100 * rate['value']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _change(kept: dict[str, float], less: dict[str, float]) -> str:
    mean, error = 100 * less["mean"], 100 * less["standard_error"]
    return f"{100 * kept['mean']:.1f} % ({mean:+.1f} ± {error:.1f})"


def documents() -> Sections:
    """Return what is shown of the last result."""
    results = json.loads(RESULTS.read_text("utf-8"))["results"]
    return {DOCS / "contamination.md": tables(results)}


def main() -> None:
    """Measure, or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--model-seeds", type=int, default=3)
    add_flag(parser, documents)
    arguments = parser.parse_args()
    start, busy = time.perf_counter(), time.process_time()
    zoo = Embedded.load(arguments.zoo, ("train", "test", "other_near", "pool", "test_unknown_near"))
    rows = measure(zoo, arguments.seeds, arguments.model_seeds)
    found = {
        "results": summary(rows),
        "rows": rows,
        "seconds": round(time.perf_counter() - start),
        "processor_seconds": round(time.process_time() - busy),
        "versions": versions(),
        "machine": machine(),
    }
    save(RESULTS, found)


if __name__ == "__main__":
    main()
