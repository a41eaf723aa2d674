"""The comparisons behind three choices of the design, on training images alone.

Usage: ``python benchmarks/choices.py ZOO`` with the folders of ``benchmarks/zoo.py``; five minutes.
It never opens ``test_unknown_*``: what is unknown here is a class that is left out of training, or
negatives of folders that are held out. Each figure is the share accepted at the threshold that
rejects 5 % of held-out known images, in percent, the mean over two ways to fold.

1. Which layers a head reads.
2. Whether one of the two scores of ``blend`` should weigh more.
3. Whether the shrinkage of the Mahalanobis distance is fixed before folds are made: the share of
   *new* known images (``test``) that is rejected where 5 % are expected.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outgroup.backbones import get_backbone
from outgroup.calibration import assign_folds
from outgroup.datasets import Samples, from_folder, from_images
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.heads.linear_sigmoid import LinearSigmoid
from outgroup.strategies.blend import centre_and_scale

RESULTS = Path(__file__).parent / "results" / "choices.json"
LAYERS = (("last",), ("last", "second_last"), ("last", "second_last", "logits"))
WEIGHTS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
N_FOLDS, SEEDS = 5, (0, 1)

#: (held-out other-scores of the training rows, final other-scores of the unknown rows)
Scored = tuple[np.ndarray, np.ndarray]


@dataclass
class Zoo:
    """Embeddings of all images, and which folder each is from."""

    layers: dict[str, np.ndarray]
    part: np.ndarray
    kind: np.ndarray

    @classmethod
    def load(cls, root: Path) -> Zoo:
        """Embed the parts that may be looked at."""
        parts = {
            "train": from_folder(root / "train"),
            "test": from_folder(root / "test"),
            "other_near": from_images(root / "other_near"),
            "pool": from_images(root / "pool"),
        }
        samples = Samples.concatenate(parts.values())
        embedder = Embedder(get_backbone("efficientnet-lite0"), cache=EmbeddingCache())
        kinds = [
            label or origin for label, origin in zip(samples.labels, samples.origins, strict=True)
        ]
        part = np.repeat(list(parts), [len(p) for p in parts.values()])
        return cls(embedder.embed(samples.sources).layers, part, np.array(kinds))

    def features(self, layers: tuple[str, ...]) -> np.ndarray:
        """Return some layers side by side."""
        return np.hstack([self.layers[name] for name in layers])


@dataclass
class Scenario:
    """Rows to train on (``y`` is -1 for negatives), and rows of an unknown kind."""

    rows: np.ndarray
    y: np.ndarray
    unknown: np.ndarray


def scenarios(zoo: Zoo) -> dict[str, Scenario]:
    """Leave out each class in turn, and each kind of negatives."""
    classes = sorted({*zoo.kind[zoo.part == "train"]})
    is_near, is_pool = zoo.part == "other_near", zoo.part == "pool"

    def make(known: list[str], negatives: np.ndarray, unknown: np.ndarray) -> Scenario:
        known_rows = np.flatnonzero((zoo.part == "train") & np.isin(zoo.kind, known))
        rows = np.r_[known_rows, np.flatnonzero(negatives)]
        y = np.full(len(rows), -1)
        y[: len(known_rows)] = np.searchsorted(known, zoo.kind[known_rows])
        return Scenario(rows, y, np.flatnonzero(unknown))

    found = {
        "unknown: look-alikes": make(classes, is_pool, is_near),
        "unknown: pool": make(classes, is_near, is_pool),
    }
    for name in classes:
        rest = [other for other in classes if other != name]
        left_out = (zoo.part == "train") & (zoo.kind == name)
        found[f"unknown: {name}"] = make(rest, is_near | is_pool, left_out)
        found[f"unknown: {name}, no negatives"] = make(rest, is_near & False, left_out)
    return found


def fold(zoo: Zoo, scenario: Scenario, seed: int) -> np.ndarray:
    """Deal known rows by class and negatives by folder."""
    known = scenario.y >= 0
    folds = np.empty(len(known), dtype=np.int64)
    folds[known] = assign_folds(scenario.y[known], N_FOLDS, seed=seed)
    if not known.all():
        kinds = zoo.kind[scenario.rows[~known]]
        folds[~known] = assign_folds(np.zeros(len(kinds)), N_FOLDS, kinds, seed)
    return folds


def threshold(known_scores: np.ndarray) -> float:
    """Return the threshold above which 5 % of new known scores are expected."""
    n = len(known_scores)
    k = max(0, math.floor(0.05 * (n + 1) + 1e-9) - 1)
    return float(np.sort(known_scores)[n - k - 1])


def sigmoid(zoo: Zoo, scenario: Scenario, folds: np.ndarray, layers: tuple[str, ...]) -> Scored:
    """Score by minus the largest logit of one-vs-rest sigmoids."""
    X, head = zoo.features(layers), LinearSigmoid()
    held_out = head.cross_fit(X[scenario.rows], scenario.y, folds)
    head.fit(X[scenario.rows], scenario.y)
    return -held_out.max(axis=1), -head.logits(X[scenario.unknown]).max(axis=1)


def distance(zoo: Zoo, scenario: Scenario, folds: np.ndarray) -> Scored:
    """Score by the Mahalanobis distance."""
    X, known, detector = zoo.layers["last"], scenario.y >= 0, Mahalanobis()
    held_out = detector.cross_fit(X[scenario.rows], scenario.y, folds)
    detector.fit(X[scenario.rows][known], scenario.y[known])
    return held_out, detector.other_score(X[scenario.unknown])


def blended(logits: Scored, distances: Scored, known: np.ndarray, weight: float) -> Scored:
    """Join both scores as `Blend` does, with a weight for the logits."""

    def softplus_of_z(scored: Scored) -> Scored:
        centre, scale = centre_and_scale(scored[0][known])
        held_out, unknown = (np.logaddexp(0.0, (s - centre) / scale) for s in scored)
        return held_out, unknown

    a, b = softplus_of_z(logits), softplus_of_z(distances)
    return weight * a[0] + b[0], weight * a[1] + b[1]


def accepted(scored: Scored, known: np.ndarray) -> float:
    """Return the share of unknown rows at or below the threshold, in percent."""
    return 100 * float(np.mean(scored[1] <= threshold(scored[0][known])))


def compare(zoo: Zoo) -> dict[str, Any]:
    """Return both tables of accepted unknowns."""
    by_layers: dict[str, dict[str, float]] = {}
    by_weight: dict[str, dict[str, float]] = {}
    for name, scenario in scenarios(zoo).items():
        known = scenario.y >= 0
        layers_found: dict[str, list[float]] = {}
        weights_found: dict[str, list[float]] = {}
        for seed in SEEDS:
            folds = fold(zoo, scenario, seed)
            distances = distance(zoo, scenario, folds)
            for layers in LAYERS:
                logits = sigmoid(zoo, scenario, folds, layers)
                layers_found.setdefault(" + ".join(layers), []).append(accepted(logits, known))
            for weight in WEIGHTS:  # `logits` is now that of all layers
                joined = blended(logits, distances, known, weight)
                weights_found.setdefault(str(weight), []).append(accepted(joined, known))
        by_layers[name], by_weight[name] = means(layers_found), means(weights_found)
        print(name, by_layers[name], by_weight[name], flush=True)
    return {"layers": by_layers, "weight of the logits": by_weight}


def means(found: dict[str, list[float]]) -> dict[str, float]:
    """Return the mean of each list."""
    return {name: round(float(np.mean(values)), 2) for name, values in found.items()}


def shrinkage(zoo: Zoo) -> dict[str, float]:
    """Return the share of new known images rejected, in percent, where 5 % are expected."""
    rows = np.flatnonzero(zoo.part == "train")
    y = np.unique(zoo.kind[rows], return_inverse=True)[1]
    X, new = zoo.layers["last"][rows], zoo.layers["last"][zoo.part == "test"]
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
            share = 100 * float(np.mean(final > threshold(held_out)))
            found.setdefault(name, []).append(share)
    return means(found)


def main() -> None:
    """Compare, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zoo", type=Path)
    zoo = Zoo.load(parser.parse_args().zoo)
    report = {"shrinkage": shrinkage(zoo), **compare(zoo)}
    RESULTS.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(json.dumps(report["shrinkage"]))


if __name__ == "__main__":
    main()
