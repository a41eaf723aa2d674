"""Unknown images made from training data: left-out classes, held-out negatives, garbage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup._component import OTHER, UNSEEN
from outgroup.calibration import HeldOut
from outgroup.selection.unknowns import LEFT_OUT, NEGATIVES, SYNTHETIC, Unknowns
from outgroup.strategies import FoldedRows
from outgroup.training_set import TrainingSet

#: Number of sets in which classes are left out if there are more classes than this.
MAX_SETS = 5

#: Folders of a collection from which on the images of one folder count as one draw.
MIN_FOLDERS = 5

#: Images that a comparison looks at, at most, and images of a class or of a collection of negatives
#: that are kept if it has them.
MAX_ROWS, LEAST = 6_000, 30


@dataclass(frozen=True)
class Scenario:
    """Training rows of which some are unknown to whatever learns from the others.

    Parameters
    ----------
    rows : FoldedRows
        All rows; those that may not be learned from are `UNSEEN`.
    asked : ndarray of shape (n_asked,), int64
        Rows that count as unknown images.
    units : ndarray of shape (n,), str, or None
        What a bound on known images counts; see `TrainingSet.units`.
    """

    name: str
    rows: FoldedRows
    asked: NDArray[np.int64]
    unknowns: Unknowns
    units: NDArray[np.str_] | None

    def known(
        self,
        other_scores: NDArray[np.float64],
        output: int = 0,
        among: NDArray[np.bool_] | None = None,
    ) -> HeldOut:
        """Return the held-out scores of known images of one output, of all rows or `among` some."""
        known = self.rows.targets[:, output] >= 0
        known = known if among is None else known & among
        units = None if self.units is None else self.units[known]
        return HeldOut(other_scores[known, output], units)


def scenarios(data: TrainingSet, n_folds: int, seed: int) -> Iterator[Scenario]:
    """Yield the scenarios that these data allow.

    First all classes are known: negatives are held out by folder wherever there are two, and the
    probes are never learned from. Then, where two classes remain, each class is left out in turn,
    or each of `MAX_SETS` sets of classes; but not where the network was tuned on them.
    """
    folds = data.folds(n_folds, seed, min_folders=2)
    yield _all_known(data, folds)
    if data.tuned:
        return
    for left_out in _sets(len(data.classes), seed):
        found = _without(data, folds, left_out)
        if found is not None:
            yield found


def negatives_of(data: TrainingSet, rows: NDArray[np.int64], folds: NDArray[np.int64]) -> Unknowns:
    """Describe negatives: one source a collection, and those held out together one block."""
    n = len(data.targets)
    collections = np.full(n, "negatives")
    if data.collections is not None:
        collections = np.array(data.collections)
    cluster = _numbered(n) if data.units is None else data.units.copy()
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


def thinned(data: TrainingSet, max_rows: int = MAX_ROWS, seed: int = 0) -> TrainingSet:
    """Return about `max_rows` of the rows, drawn by class and by collection of negatives.

    Every class and collection keeps the same share of its rows, but at least `LEAST`.
    """
    n = len(data.targets)
    if n <= max_rows:
        return data
    collections = [""] * n if data.collections is None else data.collections
    strata = [
        data.classes[k] if k >= 0 else f"\0{collection}"
        for k, collection in zip(data.strata, collections, strict=True)
    ]
    rng = np.random.default_rng(seed)
    names, index = np.unique(np.array(strata), return_inverse=True)
    kept = []
    for i in range(len(names)):
        rows = np.flatnonzero(index == i)
        size = min(len(rows), max(LEAST, round(len(rows) * max_rows / n)))
        kept.append(rng.choice(rows, size, replace=False))
    return data.subset(np.sort(np.concatenate(kept)))


def _all_known(data: TrainingSet, folds: NDArray[np.int64]) -> Scenario:
    """Return the scenario in which only negatives of other folders, and probes, are unknown."""
    n = len(data.targets)
    counts = [len(probe["last"]) for probe in data.probes.values()]
    n_probes = sum(counts)
    features, targets = data.features, data.targets
    if n_probes:
        probes = [*data.probes.values()]
        features = {
            layer: np.vstack([values, *(probe[layer] for probe in probes)])
            for layer, values in data.features.items()
        }
        targets = np.pad(targets, ((0, n_probes), (0, 0)), constant_values=UNSEEN)
    rows = FoldedRows(features, targets, np.pad(folds, (0, n_probes)), data.ungrouped)
    units = None if data.units is None else np.concatenate([data.units, _numbered(n_probes)])
    negatives = np.flatnonzero(data.negative)
    names = np.repeat(np.array(list(data.probes), dtype=str), counts)
    kind = np.full(n_probes, SYNTHETIC)
    unknowns = (
        negatives_of(data, negatives, folds),
        Unknowns(kind, names, _numbered(n_probes), kind),
    )
    asked = np.concatenate([negatives, np.arange(n, n + n_probes)])
    return Scenario("all classes known", rows, asked, Unknowns.concatenate(unknowns), units)


def _sets(n_classes: int, seed: int) -> list[list[int]]:
    """Return which classes to leave out together, so that two always remain."""
    if n_classes < 3:
        return []
    order = np.random.default_rng(seed).permutation(n_classes)
    parts = np.array_split(order, min(n_classes, MAX_SETS))
    return sorted(sorted(int(k) for k in part) for part in parts)


def _without(data: TrainingSet, folds: NDArray[np.int64], left_out: list[int]) -> Scenario | None:
    """Return the scenario in which some classes are unknown; None if too little is left to learn.

    Of labels, images with a left-out label are not learned from, and those without another label
    are the unknown ones.
    """
    kept = [k for k in range(len(data.classes)) if k not in left_out]
    if data.schema.is_multi_label:
        has = data.targets == 0
        unseen = has[:, left_out].any(axis=1)
        targets = np.where(unseen[:, np.newaxis], UNSEEN, data.targets[:, kept])
        asked = np.flatnonzero(unseen & ~has[:, kept].any(axis=1))
        in_folds = [np.unique(folds[y == value]) for y in targets.T for value in (0, OTHER)]
        if not len(asked) or min(map(len, in_folds)) < 2:
            return None
        names = np.array(data.schema.texts(data.targets[asked]), dtype=str)
    else:
        index = np.full(len(data.classes), UNSEEN)
        index[kept] = np.arange(len(kept))
        targets = np.where(data.y >= 0, index[np.maximum(data.y, 0)], data.y)
        asked = np.flatnonzero(targets == UNSEEN)
        names = np.array(data.classes)[data.y[asked]]
    block = np.full(len(asked), f"classes {left_out}")
    unknowns = Unknowns(np.full(len(asked), LEFT_OUT), names, names, block)
    name = "without " + ", ".join(data.classes[k] for k in left_out)
    rows = FoldedRows(data.features, targets, folds, data.ungrouped)
    return Scenario(name, rows, asked, unknowns, data.units)


def _numbered(n: int) -> NDArray[np.str_]:
    return np.array([f"image {i}" for i in range(n)], dtype=str)
