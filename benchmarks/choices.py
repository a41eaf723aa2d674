"""The comparisons behind six choices of the design, on training images alone.

Usage: ``python benchmarks/choices.py ZOO`` (see ``benchmarks/embedded.py``); some minutes. It never
opens ``test_unknown_*``: what is unknown here is a class that is left out of training, or negatives
that are not learned from. Each figure is the share accepted at the threshold that rejects 5 % of
held-out known images, in percent, the mean over two ways to fold.

1. Which layers a head reads.
2. Which detectors ``blend`` holds beside its head.
3. How much the head should count beside each detector; also with handwritten digits (every second
   one of scikit-learn's), of which two are negatives: whether these look-alikes are rejected, when
   more of them come, and what becomes of digits that were never there.
4. Whether the shrinkage of the Mahalanobis distance is fixed before folds are made: the share of
   *new* known images (``test``) that is rejected where 5 % are expected.
5. What two more detectors do where a class has few images: three to five kinds of animals drawn at
   random are known, all others unknown. The threshold is that which keeps 95 % of *new* known
   images, because the few that there are lay another one by luck. With sixty images a class the
   kinds are cat, dog and giraffe.
6. How many images a class needs for its own centre and its own scale to weigh as much as those of
   all known images: for the same animals, and for the scenarios of the others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from documents import save
from embedded import Embedded
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from outgroup._component import OTHER, UNSEEN
from outgroup.calibration import HeldOut, assign_folds, expected_threshold
from outgroup.detectors import FeatureDetector
from outgroup.detectors.answers import AnswerOdds
from outgroup.detectors.gaussian import Mahalanobis, RelativeMahalanobis
from outgroup.detectors.logits import MaxLogit
from outgroup.detectors.neighbours import KNearestNeighbours
from outgroup.heads.linear import LinearSigmoid
from outgroup.strategies import FoldedRows
from outgroup.strategies.blend import BACKGROUND, TAUGHT
from outgroup.strategies.standardise import (
    CENTRE_PRIOR,
    SCALE_PRIOR,
    class_scales,
    standardised,
)

RESULTS = Path(__file__).parent / "results" / "choices.json"
PARTS = ("train", "test", "other_near", "pool")
N_FOLDS, SEEDS = 5, (0, 1)
LAYERS = (("last",), ("last", "second_last"), ("last", "second_last", "logits"))
WEIGHTS = (0.5, 1.0, 1.5, 2.0, 4.0)
DIGIT_SPLITS = 36

FEW, FEW_SPLITS, FEW_NEGATIVES = (10, 15, 20, 30, 60), 24, 600
PRESENT = (CENTRE_PRIOR, SCALE_PRIOR)
PRIORS = ((0, 0), (20, 60), PRESENT, (200, 600), (np.inf, np.inf))

#: Detectors by name: what they are, and the layer they look at.
DETECTORS_ON: dict[str, tuple[Callable[[], FeatureDetector], str]] = {
    "Mahalanobis, last": (Mahalanobis, "last"),
    "Mahalanobis, second last": (Mahalanobis, "second_last"),
    "Mahalanobis, logits": (Mahalanobis, "logits"),
    "neighbour, last": (KNearestNeighbours, "last"),
    "neighbour, second last": (KNearestNeighbours, "second_last"),
    "neighbour, logits": (KNearestNeighbours, "logits"),
    "answers": (AnswerOdds, "logits"),
    "relative": (partial(RelativeMahalanobis, n_background=BACKGROUND), "last"),
    "relative to all negatives": (RelativeMahalanobis, "last"),
}
CHOSEN = (
    "Mahalanobis, last",
    "neighbour, last",
    "Mahalanobis, second last",
    "neighbour, logits",
)
MEMBERS = (
    CHOSEN[:1],
    CHOSEN[:2],
    (CHOSEN[0], CHOSEN[2]),
    (CHOSEN[0], CHOSEN[3]),
    (CHOSEN[0], CHOSEN[2], CHOSEN[3]),
    CHOSEN,
    (CHOSEN[0], CHOSEN[2], "Mahalanobis, logits"),
    ("neighbour, last", "neighbour, second last", "neighbour, logits"),
    (*CHOSEN, "answers"),
    (*CHOSEN, "relative"),
)

Table = dict[str, dict[str, float]]


@dataclass
class Scenario:
    """Rows in folds, and which of them are asked about as unknown images."""

    rows: FoldedRows
    asked: np.ndarray


def scenarios(zoo: Embedded, seed: int) -> dict[str, Scenario]:
    """Leave out each class in turn, and each kind of negatives."""
    train, near, pool = (zoo.rows(part) for part in ("train", "other_near", "pool"))
    classes = sorted({*zoo.kind[train]})
    nothing = np.array([], dtype=np.int64)

    def made(left_out: str | None, negatives: np.ndarray, unknown: np.ndarray) -> Scenario:
        kept = [name for name in classes if name != left_out]
        known = train[zoo.kind[train] != left_out]
        rows = np.concatenate([known, negatives, unknown])
        y = np.full(len(rows), UNSEEN)
        y[: len(known)] = np.searchsorted(kept, zoo.kind[known])
        y[len(known) : len(known) + len(negatives)] = OTHER
        folds = np.full(len(rows), -1)
        folds[y >= 0] = assign_folds(y[y >= 0], N_FOLDS, seed=seed)
        if len(negatives):
            kinds = zoo.kind[negatives]
            folds[y == OTHER] = assign_folds(np.zeros(len(kinds)), N_FOLDS, kinds, seed)
        return Scenario(FoldedRows(zoo.take(rows), y, folds, one_by_one=True), y == UNSEEN)

    found = {
        "unknown: look-alikes": made(None, pool, near),
        "unknown: pool": made(None, near, pool),
        "unknown: look-alikes, no negatives": made(None, nothing, near),
        "unknown: pool, no negatives": made(None, nothing, pool),
    }
    for name in classes:
        left_out = zoo.rows("train", [name])
        both = np.concatenate([near, pool])
        found[f"unknown: {name}"] = made(name, both, left_out)
        found[f"unknown: {name}, no negatives"] = made(name, nothing, left_out)
    return found


def accepted(scenario: Scenario, other_score: np.ndarray) -> float:
    """Return the share of unknown rows at or below the threshold, in percent."""
    known = HeldOut(other_score[scenario.rows.known])
    threshold, _ = expected_threshold(known, 0.05)
    return 100 * float(np.mean(other_score[scenario.asked] <= threshold))


def blended(
    scenario: Scenario,
    logits: np.ndarray,
    names: tuple[str, ...],
    weight: float,
    priors: tuple[float, float] = PRESENT,
) -> np.ndarray:
    """Join the head's confidence and detectors as `Blend` does."""
    score = np.zeros(len(logits))
    members = [(weight, MaxLogit().other_score(logits))]
    known = scenario.rows.known
    for name in names:
        detector, layer = DETECTORS_ON[name]
        members.append((1.0, scenario.rows.other_scores(detector(), layer)))
    for share, values in members:
        scales = class_scales(values[known], scenario.rows.y[known], logits.shape[1], priors)
        score += share * np.logaddexp(0.0, standardised(values, logits, *scales))
    return score


def compare(zoo: Embedded) -> dict[str, Table]:
    """Return the tables of accepted unknowns."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for seed in SEEDS:
        for name, scenario in scenarios(zoo, seed).items():

            def note(table: str, choice: str, score: np.ndarray) -> None:
                share = accepted(scenario, score)  # noqa: B023 (called at once)
                cells = found.setdefault(table, {}).setdefault(name, {})  # noqa: B023
                cells.setdefault(choice, []).append(share)

            for layers in LAYERS:
                logits = scenario.rows.logits(LinearSigmoid(), layers)
                note("layers", " + ".join(layers), MaxLogit().other_score(logits))
            for names in MEMBERS:  # `logits` are now those of all layers
                joined = blended(scenario, logits, names, 1.0)
                note("detectors in blend", " + ".join(names), joined)
            for weight in WEIGHTS:
                joined = blended(scenario, logits, CHOSEN, weight)
                note("weight of the head", str(weight), joined)
            taught = TAUGHT if scenario.rows.has_others else 1.0
            for priors in PRIORS:
                joined = blended(scenario, logits, CHOSEN, taught, priors)
                note("images that a class's own scale takes", str(priors), joined)
            print(seed, name, flush=True)
    return {
        table: {name: means(cells) for name, cells in rows.items()} for table, rows in found.items()
    }


def digits() -> Table:
    """Return what is accepted of digits by the weight of the head, mean over random divisions.

    Three to six digits are known, 15 to 40 images of each, as many of two others are negatives.
    """
    X, number = load_digits(return_X_y=True)
    X, number = X[::2].astype(np.float32), number[::2]
    found: dict[str, dict[str, list[float]]] = {}
    for seed in range(DIGIT_SPLITS):
        rng = np.random.default_rng(seed)
        order, n_known, each = rng.permutation(10), 3 + seed % 4, (15, 25, 40)[seed % 3]
        known, negative = order[:n_known], order[n_known : n_known + 2]
        y, asked = np.full(len(X), UNSEEN), ~np.isin(number, order[: n_known + 2])
        for digit in (*known, *negative):
            rows = rng.permutation(np.flatnonzero(number == digit))[:each]
            y[rows] = OTHER if digit in negative else np.flatnonzero(known == digit)[0]
        folds = np.full(len(X), -1)
        folds[y >= 0] = assign_folds(y[y >= 0], N_FOLDS, seed=seed)
        folds[y == OTHER] = assign_folds(np.zeros(2 * each), N_FOLDS, seed=seed)
        rows = FoldedRows({"last": X}, y, folds, one_by_one=True)
        more = (y == UNSEEN) & np.isin(number, negative)
        logits = rows.logits(LinearSigmoid())
        for name, unknown in {"more of the negatives": more, "digits never seen": asked}.items():
            scenario = Scenario(rows, unknown)
            for weight in WEIGHTS:
                score = blended(scenario, logits, CHOSEN[:2], weight)
                cells = found.setdefault(name, {}).setdefault(str(weight), [])
                cells.append(accepted(scenario, score))
    return {name: means(cells) for name, cells in found.items()}


def few_images(zoo: Embedded) -> dict[str, Table]:
    """Return what is accepted of other animals by what blend holds, the mean over random splits."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for each in FEW:
        size = f"{each} images"
        for seed in range(FEW_SPLITS):
            for negatives in ("none", "pool"):
                scenario, new = few_known(zoo, each, seed, FEW_NEGATIVES * (negatives == "pool"))
                logits = scenario.rows.logits(LinearSigmoid())
                weight = TAUGHT if scenario.rows.has_others else 1.0
                for names in ((), ("answers",), ("relative",), ("relative to all negatives",)):
                    cells = found.setdefault(f"few images, negatives: {negatives}", {})
                    score = blended(scenario, logits, (*CHOSEN, *names), weight)
                    share = accepted_of(score, scenario.asked, new)
                    what = " + ".join(("distances", *names))
                    cells.setdefault(size, {}).setdefault(what, []).append(share)
                for priors in PRIORS:
                    cells = found.setdefault(f"own scale, few images, negatives: {negatives}", {})
                    score = blended(scenario, logits, CHOSEN, weight, priors)
                    share = accepted_of(score, scenario.asked, new)
                    cells.setdefault(size, {}).setdefault(str(priors), []).append(share)
        print({name: means(rows[size]) for name, rows in found.items()}, flush=True)
    return {
        table: {name: means(cells) for name, cells in rows.items()} for table, rows in found.items()
    }


def accepted_of(
    score: NDArray[np.float64], asked: NDArray[np.bool_], new: NDArray[np.bool_]
) -> float:
    """Return the share accepted, in percent, where 95 % of new known images are kept."""
    return 100 * float(np.mean(score[asked] <= np.quantile(score[new], 0.95)))


def few_known(
    zoo: Embedded, each: int, seed: int, n_others: int
) -> tuple[Scenario, NDArray[np.bool_]]:
    """Return a scenario of few images of some kinds of animals, and which rows are new ones."""
    rng = np.random.default_rng([each, seed])
    animals = np.concatenate([zoo.rows("train"), zoo.rows("other_near")])
    kinds, counts = np.unique(zoo.kind[animals], return_counts=True)
    enough = kinds[counts >= each + 10]
    known = rng.choice(enough, min(3 + seed % 3, len(enough)), replace=False)
    shuffled = [rng.permutation(animals[zoo.kind[animals] == kind]) for kind in known]
    others = rng.permutation(zoo.rows("pool"))[:n_others]
    new = np.concatenate([rows[each:] for rows in shuffled])
    unknown = animals[~np.isin(zoo.kind[animals], known)]
    rows = np.concatenate([*(rows[:each] for rows in shuffled), others, new, unknown])
    y = np.full(len(rows), UNSEEN)
    n_known = each * len(known)
    y[:n_known] = np.repeat(np.arange(len(known)), each)
    y[n_known : n_known + n_others] = OTHER
    folds = np.full(len(rows), -1)
    folds[y >= 0] = assign_folds(y[y >= 0], N_FOLDS, seed=seed)
    if n_others:
        kinds_of_others = zoo.kind[others]
        folds[y == OTHER] = assign_folds(np.zeros(n_others), N_FOLDS, kinds_of_others, seed)
    index = np.arange(len(rows))
    asked = index >= len(rows) - len(unknown)
    folded = FoldedRows(zoo.take(rows), y, folds, one_by_one=True)
    return Scenario(folded, asked), (y == UNSEEN) & ~asked


def means(found: dict[str, list[float]]) -> dict[str, float]:
    """Return the mean of each list."""
    return {name: round(float(np.mean(values)), 2) for name, values in found.items()}


def shrinkage(zoo: Embedded) -> dict[str, float]:
    """Return the share of new known images rejected, in percent, where 5 % are expected."""
    rows = zoo.rows("train")
    y = np.unique(zoo.kind[rows], return_inverse=True)[1]
    X, new = zoo.layers["last"][rows], zoo.layers["last"][zoo.rows("test")]
    makers: dict[str, Callable[[Mahalanobis], Mahalanobis]] = {
        "fixed before folds are made": lambda tuned: tuned.frozen(),
        "of each fold's own": lambda tuned: Mahalanobis(),
    }
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        folds = assign_folds(y, N_FOLDS, seed=seed)
        tuned = Mahalanobis()
        tuned.tune(X, y)
        final = tuned.frozen().fit(X, y).other_score(new)
        for name, make in makers.items():
            held_out = np.empty(len(rows))
            for f in range(N_FOLDS):
                out = folds == f
                held_out[out] = make(tuned).fit(X[~out], y[~out]).other_score(X[out])
            threshold, _ = expected_threshold(HeldOut(held_out), 0.05)
            found.setdefault(name, []).append(100 * float(np.mean(final > threshold)))
    return means(found)


def main() -> None:
    """Compare, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    zoo = Embedded.load(parser.parse_args().zoo, PARTS)
    report = {
        "shrinkage": shrinkage(zoo),
        **compare(zoo),
        "weight of the head, digits": digits(),
        **few_images(zoo),
    }
    save(RESULTS, report)
    for table, rows in report.items():
        print(table, json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
