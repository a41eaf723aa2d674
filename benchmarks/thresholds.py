"""Whether the threshold of every strategy keeps what it says, on images it was not fitted to.

For 50 seeded splits of the known images of the zoo (400 to train on, 371 new, and 800 of the
negatives), and for 50 simulated data sets (three Gaussian classes, 100 rows each, and 200
negatives; 20,000 new rows, so that the truth is known), each strategy is fitted as always and its
threshold held against new known images:

* the mean share of new known images that is kept, where 95 % are expected;
* the same for detectors whose held-out scores are those of five folds, and those of models without
  one row each, in 300 simulated data sets;
* how often the certificate's guarantee is kept. In a split of the zoo the share of new images is
  itself only counted on 371, so "kept" there means that the count does not contradict the guarantee
  (one-sided binomial test at 5 %); in the simulation it means that the true share is within it.

Run from the root of the repository, an hour on one core::

    OPENBLAS_NUM_THREADS=1 python benchmarks/thresholds.py ZOO

which writes ``benchmarks/results/thresholds.json``. ZOO is described in ``benchmarks/embedded.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from documents import save
from embedded import Embedded
from scipy.stats import binom
from setting import machine, versions

from outgroup.detectors import DETECTORS, FeatureDetector
from outgroup.model import fit_model
from outgroup.selection import LINEUP
from outgroup.strategies import FoldedRows, choose_strategy
from outgroup.training_set import TrainingSet

RESULTS = Path(__file__).parent / "results" / "thresholds.json"
N_NEGATIVES, N_FRESH = 800, 20_000
PARTS = ("train", "test", "other_near", "pool")

#: Training data, new known rows by layer, and whether their share is the truth.
Case = tuple[TrainingSet, dict[str, np.ndarray], bool]


def zoo_splits(zoo: Embedded, repeats: int) -> Iterator[Case]:
    """Split the known images anew, as many of each class as the zoo has for training."""
    known, train = np.r_[zoo.rows("train"), zoo.rows("test")], zoo.rows("train")
    negatives = np.r_[zoo.rows("other_near"), zoo.rows("pool")]
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        chosen = np.concatenate(
            [
                rng.permutation(known[zoo.kind[known] == name])[: (zoo.kind[train] == name).sum()]
                for name in np.unique(zoo.kind[train])
            ]
        )
        some = np.sort(rng.permutation(negatives)[:N_NEGATIVES])
        new = np.setdiff1d(known, chosen)
        yield zoo.training_set(np.sort(chosen), some), zoo.take(new), False


def simulated(repeats: int, d: int = 64) -> Iterator[Case]:
    """Draw Gaussian classes with a falling spectrum, and negatives of four other kinds."""
    spread = (1.0 + np.arange(d)) ** -0.5
    spread *= np.sqrt(d / (spread**2).sum())
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        means = rng.normal(size=(7, d))
        means = 4.0 * means / np.linalg.norm(means, axis=1, keepdims=True) + 0.5 * rng.normal(
            size=d
        )

        def draw(kind: np.ndarray) -> np.ndarray:
            noise = rng.normal(size=(len(kind), d)) * spread  # noqa: B023 (drawn at once)
            return (means[kind] + noise).astype(np.float32)  # noqa: B023

        kind = np.r_[np.repeat([0, 1, 2], 100), 3 + np.arange(200) % 4]
        labels = [str(k) if k < 3 else None for k in kind]
        data = TrainingSet.from_labels({"last": draw(kind)}, labels)
        yield data, {"last": draw(np.arange(N_FRESH) % 3)}, True


def measure(cases: Iterator[Case]) -> dict[str, dict[str, Any]]:
    """Fit every strategy to every case."""
    kept: dict[str, list[float]] = {name: [] for name in LINEUP}
    guaranteed: dict[str, list[bool]] = {name: [] for name in LINEUP}
    for number, (data, new, is_truth) in enumerate(cases):
        for name in LINEUP:
            strategy = choose_strategy(name)
            if not {*strategy.needs_layers} <= {*data.features}:
                continue
            model = fit_model(data, strategy)
            rejected = int((model.strategy.score(new).other_score > model.threshold).sum())
            n, bound = len(new["last"]), model.certificate.guarantees[0].bound
            kept[name].append(1.0 - rejected / n)
            contradicted = rejected / n > bound
            if not is_truth:
                contradicted = float(binom.sf(rejected - 1, n, bound)) < 0.05
            guaranteed[name].append(not contradicted)
        print(number, flush=True)
    return {
        name: {
            "n": len(kept[name]),
            "mean_kept": float(np.mean(kept[name])),
            "least_kept": float(np.min(kept[name])),
            "most_kept": float(np.max(kept[name])),
            "guarantee_kept": int(np.sum(guaranteed[name])),
        }
        for name in LINEUP
        if kept[name]
    }


def one_by_one(repeats: int) -> dict[str, dict[str, Any]]:
    """Compare thresholds from folds with those from rows that were left out one by one."""
    rejected: dict[str, list[list[float]]] = {
        name: []
        for name, cls in DETECTORS
        if issubclass(cls, FeatureDetector) and cls.leaves_out and cls.layer == "last"
    }
    bound = 0.0
    for data, new, _ in simulated(repeats):
        folds = data.folds(5, 0)
        for name, found in rejected.items():
            shares = []
            for alone in (False, True):
                rows = FoldedRows(data.features, data.y, folds, alone)
                model = fit_model(data, choose_strategy(f"detector:{name}"), rows=rows)
                shares.append(
                    float((model.strategy.score(new).other_score > model.threshold).mean())
                )
                bound = model.certificate.guarantees[0].bound
            found.append(shares)
    return {
        name: {
            "n": repeats,
            "bound": bound,
            **{
                way: {
                    "mean": float(s.mean()),
                    "sd": float(s.std(ddof=1)),
                    "broken": int((s > bound).sum()),
                }
                for way, s in zip(("folds", "one by one"), np.array(found).T, strict=True)
            },
        }
        for name, found in rejected.items()
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()
    zoo = Embedded.load(arguments.zoo, PARTS)
    found = {
        "machine": machine(),
        "versions": versions(),
        "zoo": measure(zoo_splits(zoo, arguments.repeats)),
        "simulated": measure(simulated(arguments.repeats)),
        "one by one": one_by_one(6 * arguments.repeats),
    }
    for world in ("zoo", "simulated"):
        print(f"\n{world}: kept on average (least, most), guarantee kept")
        for name, row in found[world].items():
            print(
                f"  {name:30s} {row['mean_kept']:.1%} ({row['least_kept']:.1%}, "
                f"{row['most_kept']:.1%})  {row['guarantee_kept']} of {row['n']}"
            )
    print("\nsimulated: rejected on average, standard deviation, guarantees broken")
    for name, row in found["one by one"].items():
        for way in ("folds", "one by one"):
            mean, sd, broken = (row[way][what] for what in ("mean", "sd", "broken"))
            print(f"  {name:22s} {way:10s} {mean:.1%} {sd:.1%} {broken} of {row['n']}")
    save(RESULTS, found)


if __name__ == "__main__":
    main()
