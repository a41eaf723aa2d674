"""What is kept from every strategy, so that it meets unknowns it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup.calibration import HeldOut
from outgroup.selection.unknowns import LEFT_OUT, NEGATIVES, SYNTHETIC, Unknowns
from outgroup.strategies import FoldedRows
from outgroup.training_set import TrainingSet, deal

#: With more classes than this, they are left out in this many sets and not one by one.
MAX_SETS = 5

#: Folders of a collection from which on the images of one folder count as one draw.
MIN_FOLDERS = 5


@dataclass(frozen=True)
class Scenario:
    """Training rows of which some are unknown to whatever learns from the others.

    Parameters
    ----------
    name : str
        What is unknown, in words.
    rows : FoldedRows
        All rows, those that may not be learned from `UNSEEN`.
    asked : ndarray of shape (n_asked,), int64
        Rows whose answers count, as unknown images.
    unknowns : Unknowns
        What these are.
    units : ndarray of shape (n,), str, or None
        What a bound on known images counts; see `TrainingSet.units`.
    """

    name: str
    rows: FoldedRows
    asked: NDArray[np.int64]
    unknowns: Unknowns
    units: NDArray[np.str_] | None

    def known(self, other_score: NDArray[np.float64]) -> HeldOut:
        """Return the held-out scores of known images."""
        known = self.rows.known
        return HeldOut(other_score[known], None if self.units is None else self.units[known])


def scenarios(data: TrainingSet, n_folds: int, seed: int) -> Iterator[Scenario]:
    """Yield the ways to meet the unknown that these data allow.

    First all classes are known: negatives are held out by folder wherever there are two, and the
    probes are never learned from. Then, where two classes remain, each class is left out in turn,
    or each of `MAX_SETS` sets of classes; but not where the network was tuned on them.

    Parameters
    ----------
    data : TrainingSet
        Embeddings and labels.
    n_folds, seed : int
        As for `fit_model`.
    """
    folds = deal(data, n_folds, seed, min_folders=2)
    yield _all_known(data, folds)
    if data.tuned:
        return
    for left_out in _sets(len(data.classes), seed):
        yield _without(data, folds, left_out)


def _all_known(data: TrainingSet, folds: NDArray[np.int64]) -> Scenario:
    """Return the scenario in which only negatives of other folders, and probes, are unknown."""
    n = len(data.y)
    counts = [len(probe["last"]) for probe in data.probes.values()]
    features = {
        layer: np.vstack([values, *(probe[layer] for probe in data.probes.values())])
        for layer, values in data.features.items()
        if counts  # without probes nothing need be copied
    }
    extra = (0, sum(counts))
    rows = FoldedRows(
        features or data.features,
        np.pad(data.y, extra, constant_values=UNSEEN),
        np.pad(folds, extra),
        data.ungrouped,
    )
    units = None if data.units is None else np.concatenate([data.units, _numbered(extra[1])])
    negatives = np.flatnonzero(data.y == OTHER)
    probes = np.repeat(np.array(list(data.probes), dtype=str), counts)
    kind = np.full(extra[1], SYNTHETIC)
    unknowns = (
        negatives_of(data, negatives, folds),
        Unknowns(kind, probes, _numbered(extra[1]), kind),
    )
    asked = np.concatenate([negatives, np.arange(n, n + extra[1])])
    return Scenario("all classes known", rows, asked, Unknowns.concatenate(unknowns), units)


def negatives_of(data: TrainingSet, rows: NDArray[np.int64], folds: NDArray[np.int64]) -> Unknowns:
    """Describe negatives: one source a collection, and those held out together one block."""
    collections = np.full(len(data.y), "negatives")
    if data.collections is not None:
        collections = np.array(data.collections)
    cluster = _numbered(len(data.y)) if data.units is None else data.units.copy()
    if data.origins is not None:
        origins = np.array(data.origins)
        for name in np.unique(collections[rows]):
            of_name = rows[collections[rows] == name]
            if len(np.unique(origins[of_name])) >= MIN_FOLDERS:
                cluster = np.where(collections == name, origins, cluster)
    block = [f"{collections[i]}, fold {folds[i]}" for i in rows]
    return Unknowns(
        np.full(len(rows), NEGATIVES), collections[rows], cluster[rows], np.array(block, dtype=str)
    )


def _sets(n_classes: int, seed: int) -> list[list[int]]:
    """Return which classes to leave out together: always so that two remain."""
    if n_classes < 3:
        return []
    order = np.random.default_rng(seed).permutation(n_classes)
    parts = np.array_split(order, min(n_classes, MAX_SETS))
    return sorted(sorted(int(k) for k in part) for part in parts)


def _without(data: TrainingSet, folds: NDArray[np.int64], left_out: list[int]) -> Scenario:
    """Return the scenario in which some classes are unknown."""
    kept = [k for k in range(len(data.classes)) if k not in left_out]
    index = np.full(len(data.classes), UNSEEN)
    index[kept] = np.arange(len(kept))
    y = np.where(data.y >= 0, index[np.maximum(data.y, 0)], data.y)
    asked = np.flatnonzero(y == UNSEEN)
    names = np.array(data.classes)[data.y[asked]]
    unknowns = Unknowns(
        kind=np.full(len(asked), LEFT_OUT),
        source=names,
        cluster=names,
        block=np.full(len(asked), f"classes {left_out}"),
    )
    name = "without " + ", ".join(data.classes[k] for k in left_out)
    rows = FoldedRows(data.features, y, folds, data.ungrouped)
    return Scenario(name, rows, asked, unknowns, data.units)


def _numbered(n: int) -> NDArray[np.str_]:
    return np.array([f"image {i}" for i in range(n)], dtype=str)
