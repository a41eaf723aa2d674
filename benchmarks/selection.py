"""Whether the comparison of strategies is honest, and what it chooses the best.

In each split every strategy is compared on training images alone, then fitted, and measured on test
images: unknowns of kinds that were in no training data. The table sets the share of unknowns that
the comparison expected beside the true one, the correlation of the order of strategies (as expected
from classes left out and negatives held out, and in truth on look-alikes; a strategy with a fixed
threshold accepts by another rule, and is in no order), and how many points what ``auto`` takes is
behind the best strategy in hindsight: each by its own threshold, which few images lay by luck as
much as by the strategy, and all at 95 % of the *test* images kept. The means are given by family of
splits, and several labels an image are among them by the result of ``multilabel.py``.

Run from the root of the repository, seven minutes on two cores::

    python benchmarks/selection.py ZOO

which writes ``benchmarks/results/selection.json``; ``--documents`` puts its table into
``docs/choosing.md``, and does nothing else. ZOO is described in ``benchmarks/embedded.py``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from documents import DOCS, Sections, add_flag, save
from embedded import Embedded
from scipy.stats import spearmanr
from setting import machine, versions
from sklearn.datasets import load_digits

from outgroup.errors import OutgroupError
from outgroup.evaluation import Rate
from outgroup.model import fit_model
from outgroup.selection import (
    AUTO_LINEUP,
    LINEUP,
    StrategyResult,
    compare_strategies,
    select_strategy,
)
from outgroup.selection.unknowns import LEFT_OUT, NEGATIVES
from outgroup.strategies import choose_strategy
from outgroup.training_set import TrainingSet

RESULTS = Path(__file__).parent / "results" / "selection.json"
LABELS = RESULTS.with_name("multilabel.json")
CLASSES = ("cat", "dog", "giraffe")
FEW = 15


#: Share of the test's known images that are kept where all strategies keep the same.
KEPT = 0.95


@dataclass
class Split:
    """Training data, and test images by layer: known ones, and unknown ones by kind."""

    name: str
    data: TrainingSet
    known: dict[str, np.ndarray]
    unknown: dict[str, dict[str, np.ndarray]]


def splits(zoo: Embedded) -> Iterator[Split]:
    """Yield all splits; what is unknown in the test is in no training data."""
    none = np.array([], dtype=np.int64)
    near, pool = zoo.rows("other_near"), zoo.rows("pool")
    train, test = zoo.rows("train"), zoo.take(zoo.rows("test"))
    unknown = {name: zoo.take(zoo.rows(f"test_unknown_{name}")) for name in ("near", "far")}
    yield Split(
        "zoo, look-alikes and pool",
        zoo.training_set(train, np.concatenate([near, pool])),
        test,
        unknown,
    )
    yield Split("zoo, no negatives", zoo.training_set(train, none), test, unknown)

    few = np.concatenate([zoo.rows("train", [name])[:FEW] for name in CLASSES])
    yield Split(f"zoo, {FEW} images a class, pool", zoo.training_set(few, pool), test, unknown)
    yield Split(
        f"zoo, {FEW} images a class, no negatives", zoo.training_set(few, none), test, unknown
    )

    kinds = sorted({*zoo.kind[near]})
    known, left = kinds[::2], kinds[1::2]
    of_known = [zoo.rows("other_near", [kind]) for kind in known]
    half = np.concatenate([rows[::2] for rows in of_known])
    rest = zoo.take(np.concatenate([rows[1::2] for rows in of_known]))
    others = {
        "near": zoo.take(np.concatenate([train, zoo.rows("other_near", left)])),
        "far": unknown["far"],
    }
    yield Split("other animals, pool", zoo.training_set(half, pool), rest, others)
    yield Split("other animals, no negatives", zoo.training_set(half, none), rest, others)

    yield from some_animals(zoo)
    yield from one_class(zoo)
    yield from digits()


def some_animals(zoo: Embedded) -> Iterator[Split]:
    """Yield splits of a few images of a few kinds of animals; the other kinds are unknown.

    Nothing of it is in ``test_unknown_*``, so that rules of choice may be made by these.
    """
    rows = {name: zoo.rows("train", [name]) for name in CLASSES}
    near = zoo.rows("other_near")
    rows |= {str(kind): zoo.rows("other_near", [kind]) for kind in sorted({*zoo.kind[near]})}
    for i, (n_classes, n_images) in enumerate([(3, 15), (4, 20), (5, 15), (3, 20)]):
        rng = np.random.default_rng(i)
        known = rng.choice(list(rows), n_classes, replace=False)
        shuffled = [rng.permutation(rows[name]) for name in known]
        train = np.concatenate([part[:n_images] for part in shuffled])
        test = zoo.take(np.concatenate([part[n_images:] for part in shuffled]))
        left = {
            "near": zoo.take(np.concatenate([rows[name] for name in rows if name not in known]))
        }
        pool = rng.choice(zoo.rows("pool"), 600, replace=False)
        for name, negatives in (("no negatives", pool[:0]), ("pool", pool)):
            yield Split(
                f"{n_images} images of {', '.join(sorted(known))}, {name}",
                zoo.training_set(train, negatives),
                test,
                left,
            )


def one_class(zoo: Embedded) -> Iterator[Split]:
    """Yield splits with one class alone, for which the other two are look-alikes as well."""
    none = np.array([], dtype=np.int64)
    near, far = zoo.rows("test_unknown_near"), zoo.rows("test_unknown_far")
    for name in CLASSES:
        others = [zoo.rows("test", [other]) for other in CLASSES if other != name]
        unknown = {"near": zoo.take(np.concatenate([*others, near])), "far": zoo.take(far)}
        train, test = zoo.rows("train", [name]), zoo.take(zoo.rows("test", [name]))
        for said, negatives in (("no negatives", none), ("pool", zoo.rows("pool"))):
            yield Split(f"{name} alone, {said}", zoo.training_set(train, negatives), test, unknown)


def digits() -> Iterator[Split]:
    """Yield splits in which two digits are unknown, each pair in turn; two more are negatives."""
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    even = np.arange(len(y)) % 2 == 0
    for first in range(0, 10, 2):
        unknown = np.isin(y, (first, first + 1))
        negative = np.isin(y, ((first + 2) % 10, (first + 3) % 10))
        known = ~unknown & ~negative
        for name, used in (("no negatives", known), ("two as negatives", ~unknown)):
            rows = np.flatnonzero(even & used)
            data = TrainingSet.from_labels(
                {"last": X[rows]},
                [None if negative[i] else str(y[i]) for i in rows],
                origins=[str(y[i]) for i in rows],
            )
            yield Split(
                f"digits, {first} and {first + 1} unknown, {name}",
                data,
                {"last": X[~even & known]},
                {"near": {"last": X[unknown]}},
            )


def expected_near(result: StrategyResult) -> float | None:
    """Return the share of look-alikes that the comparison expects: that of all but garbage."""
    shares = [result.of_kind(kind) for kind in (LEFT_OUT, NEGATIVES)]
    there = [share for share in shares if share is not None]
    return float(np.mean(there)) if there else None


def correlation(expected: list[float | None], true: list[float]) -> float | None:
    """Return the rank correlation, None if nothing or the same was expected of all."""
    if None in expected or len({*expected}) == 1:
        return None
    return float(spearmanr(expected, true).statistic)


def measure(split: Split) -> dict[str, Any]:
    """Compare, fit and measure every strategy on one split."""
    start = time.perf_counter()
    compared = compare_strategies(split.data, LINEUP)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    strategy, chosen, _ = select_strategy("auto", split.data)
    auto_seconds = time.perf_counter() - start
    rows = []
    for result in compared.results:
        if result.problem is not None:
            continue
        try:
            model = fit_model(split.data, choose_strategy(result.name))
        except OutgroupError as error:
            rows.append({"name": result.name, "problem": str(error)})
            continue
        scores = model.strategy.score(split.known).other_score
        of_unknown = {
            kind: model.strategy.score(features).other_score
            for kind, features in split.unknown.items()
        }
        true = {kind: found <= model.threshold for kind, found in of_unknown.items()}
        at_equal = np.quantile(scores, KEPT)
        rows.append(
            {
                "name": result.name,
                "expected_accepted": result.accepted,
                "expected_near_accepted": expected_near(result),
                "standard_error": result.standard_error,
                "known_rejected": Rate(
                    int((scores > model.threshold).sum()), len(scores)
                ).to_dict(),
                **{
                    f"{kind}_accepted": Rate(int(a.sum()), len(a)).to_dict()
                    for kind, a in true.items()
                },
                "true_accepted": float(np.mean([a.mean() for a in true.values()])),
                "accepted_at_equal_known": float(
                    np.mean([(found <= at_equal).mean() for found in of_unknown.values()])
                ),
            }
        )
    able = [row for row in rows if "problem" not in row]
    budgeted = [row for row in able if choose_strategy(row["name"]).fixed_threshold is None]
    expected = [row["expected_near_accepted"] for row in budgeted]
    near = [row["near_accepted"]["value"] for row in budgeted]
    true_accepted = {row["name"]: row["true_accepted"] for row in budgeted}
    at_equal = {row["name"]: row["accepted_at_equal_known"] for row in budgeted}
    # of one class nothing is compared: there is a strategy for it
    picked = strategy.name if chosen is None else chosen.choice.name
    best = min(true_accepted, key=lambda name: true_accepted[name])
    return {
        "split": split.name,
        "auto": picked,
        "auto_expected": None if chosen is None else chosen.choice.accepted,
        "auto_true": true_accepted[picked],
        "best": best,
        "best_true": true_accepted[best],
        "points_behind": 100 * (true_accepted[picked] - true_accepted[best]),
        "points_behind_at_equal_known": 100 * (at_equal[picked] - min(at_equal.values())),
        "spearman_near": correlation(expected, near),
        "compare_seconds": seconds,
        "auto_seconds": auto_seconds,
        "strategies": rows,
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return splits as rows of a table, as Markdown."""
    lines = [
        "| data | auto takes | expected | true | best in hindsight | true | rank correlation |",
        "|---|---|---|---|---|---|---|",
    ]
    for split in results:
        expected, order = split["auto_expected"], split["spearman_near"]
        lines.append(
            f"| {split['split'].replace('caltech_', '').replace('web_', '')} | {split['auto']} "
            f"| {'none' if expected is None else f'{expected:.1%}'} | {split['auto_true']:.1%} "
            f"| {split['best']} | {split['best_true']:.1%} "
            f"| {'none' if order is None else f'{order:.2f}'} |"
        )
    return "\n".join(lines) + "\n"


def family(split: dict[str, Any]) -> str:
    """Return what a split is one of."""
    if split["split"].startswith("digits"):
        return "digits as pixels, without a network"
    return "one class" if " alone, " in split["split"] else "several classes of images"


def behind(split: dict[str, Any], figure: str) -> float:
    """Return how many points what `auto` takes is behind the best of those that it chooses from."""
    found = {row["name"]: row.get(figure) for row in split["strategies"]}
    lineup = (*AUTO_LINEUP, split["auto"])
    best = min(found[name] for name in lineup if found.get(name) is not None)
    return 100 * float(found[split["auto"]] - best)


def behind_with_labels() -> list[float]:
    """Return the same of several labels an image, where "auto" is "blend", by its own script."""
    rows = json.loads(LABELS.read_text("utf-8"))["results"]
    given: dict[str, dict[str, float]] = {}
    for row in rows:
        shares = [row["by_origin"][name]["value"] for name in ("unknown near", "unknown far")]
        given.setdefault(row["negatives"], {})[row["strategy"]] = 100 * float(np.mean(shares))
    budgeted = [
        {
            name: share
            for name, share in by.items()
            if choose_strategy(name, labels=True).fixed_threshold is None
        }
        for by in given.values()
    ]
    return [by["blend"] - min(by.values()) for by in budgeted]


def summary(results: list[dict[str, Any]]) -> str:
    """Return how far `auto` is behind the best in hindsight, by family of splits, as Markdown."""
    rows: dict[str, list[list[float]]] = {}
    for split in results:
        own, equal = split["points_behind"], split["points_behind_at_equal_known"]
        among = (behind(split, "true_accepted"), behind(split, "accepted_at_equal_known"))
        rows.setdefault(family(split), []).append([own, equal, *among])
    labels = behind_with_labels()
    rows["several labels an image"] = [[points, np.nan, points, np.nan] for points in labels]
    rows["all"] = [row for family_rows in rows.values() for row in family_rows]
    lines = [
        "| splits | number | behind the best, own thresholds | where 95 % are kept "
        "| behind the best to choose from | where 95 % are kept |",
        "|---|---|---|---|---|---|",
    ]
    for name, points in rows.items():
        there = [[x for x in column if not np.isnan(x)] for column in zip(*points, strict=True)]
        means = [f"{np.mean(column):.1f}" if column else "" for column in there]
        lines.append(f"| {name} | {len(points)} | {' | '.join(means)} |")
    return "\n".join(lines) + "\n"


def documents() -> Sections:
    """Return what is shown of the last result."""
    results = json.loads(RESULTS.read_text("utf-8"))["results"]
    means = "\nPoints that the choice of `auto` is behind the best in hindsight, on average:\n\n"
    means += summary(results)
    return {DOCS / "choosing.md": {"selection": table(results) + means}}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    add_flag(parser, documents)
    arguments = parser.parse_args()
    zoo = Embedded.load(arguments.zoo)
    found = {"machine": machine(), "versions": versions(), "results": []}
    for split in splits(zoo):
        result = measure(split)
        found["results"].append(result)
        print(
            f"\n{split.name}: auto takes {result['auto']}, best is {result['best']}, "
            f"{result['points_behind']:.1f} points behind, "
            f"Spearman {result['spearman_near'] or float('nan'):.2f}, "
            f"{result['compare_seconds']:.0f} s, auto {result['auto_seconds']:.0f} s"
        )
        for row in result["strategies"]:
            if "problem" in row:
                print(f"    {row['name']}: {row['problem']}")
                continue
            print(
                "   ",
                row["name"].ljust(30),
                *(
                    f"{name} {100 * (v['value'] if isinstance(v, dict) else v):.1f}"
                    for name, v in row.items()
                    if name != "name" and v is not None
                ),
                flush=True,
            )
    for name in ("points_behind", "points_behind_at_equal_known"):
        found[f"mean_{name}"] = float(np.mean([result[name] for result in found["results"]]))
        print(f"\nOn average {found[f'mean_{name}']:.2f} {name.replace('_', ' ')}.")
    save(RESULTS, found)


if __name__ == "__main__":
    main()
