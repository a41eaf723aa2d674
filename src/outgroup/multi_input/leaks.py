"""Warn of columns that tell more than they should: the label, or the group of a row."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from outgroup.calibration import assign_folds
from outgroup.calibration.bounds import interval
from outgroup.calibration.certificate import percent
from outgroup.errors import DataWarning
from outgroup.multi_input.inputs import Inputs
from outgroup.multi_input.row_scoring import distances_to_nearest
from outgroup.multi_input.row_table import missing
from outgroup.multi_input.training_rows import TrainingRows

#: A column is suspicious if it alone gets right this share of what guessing the commonest class
#: gets wrong, and more than guessing does with 99.9 % confidence.
SKILL, CONFIDENCE = 0.3, 0.998

#: Neighbours that vote, and folds that are held out in turn.
NEIGHBOURS, FOLDS = 3, 5

#: A column of so few different values names kinds, such as sensors, and no scenes.
FEW = 20


def warn_of_leaks(inputs: Inputs, data: TrainingRows) -> None:
    """Warn (`DataWarning`) of columns that tell the label or the group suspiciously well.

    Each column alone predicts the class of known rows from the rows with the nearest values: with a
    random split, with groups kept together, and with equal values kept together as well. A column
    that is good at the first and not at the last tells the scene rather than the class.
    """
    for message in leaks(inputs, data):
        warnings.warn(message, DataWarning, stacklevel=3)


def leaks(inputs: Inputs, data: TrainingRows) -> Iterator[str]:
    """Yield a message for each leak; of several labels none is looked for."""
    if data.schema.is_multi_label:
        return
    grouped = len(np.unique(data.units[data.known])) < data.known.sum()
    guess = np.bincount(data.targets[data.known, 0]).max() / data.known.sum()
    for column, cells in zip(inputs.table, data.cells.columns, strict=True):
        rows = data.known & ~missing(cells)
        y, units, values = data.targets[rows, 0], data.units[rows], _as_numbers(cells[rows])
        n_values = len(np.unique(values))
        if len(y) < 4 * FOLDS or n_values < 2:
            continue
        apart = _right(values, y, assign_folds(y, FOLDS))
        whole = _right(values, y, assign_folds(y, FOLDS, units))
        scene = whole
        if n_values > FEW:
            scene = _right(values, y, assign_folds(y, FOLDS, _linked(units, values)))
        if _suspicious(scene, guess):
            held_out = "rows that were held out with their group" if grouped else "held-out rows"
            yield (
                f"{column.name!r} alone predicts the class of {percent(scene.mean())} of "
                f"{held_out}, where guessing gets {percent(guess)}. If it "
                "is not known before the answer is, leave it out; if it is, this is no leak."
            )
        elif _suspicious(whole, guess) or (not grouped and _suspicious(apart, guess)):
            found = whole if grouped else apart
            yield (
                f"{column.name!r} alone predicts the class of {percent(found.mean())} of held-out "
                f"rows as long as rows of the same value are split, and of {percent(scene.mean())} "
                f"when they are not (guessing: {percent(guess)}): it tells which scene a row is "
                f"of. Keep its values together: groups={column.name!r}."
            )
        elif grouped and n_values > FEW:
            _, group, sizes = np.unique(units, return_inverse=True, return_counts=True)
            same = _nearest_in_group(values, units)[sizes[group] > 1]
            if interval(float(same.sum()), len(same), CONFIDENCE)[0] >= 0.5:
                yield (
                    f"{column.name!r} tells the group of a row: for {percent(same.mean())} of the "
                    "rows in groups, the row with the nearest value is of the same one. Rows of "
                    "one group are kept together, so that held-out figures are right (alone it "
                    f"would be right for {percent(apart.mean())} of rows if groups were split, and "
                    f"is for {percent(whole.mean())} as they are not; guessing: "
                    f"{percent(guess)}); never split them at random."
                )


def _suspicious(right: NDArray[np.bool_], guess: float) -> bool:
    low = interval(float(right.sum()), len(right), CONFIDENCE)[0]
    return low > guess and right.mean() - guess >= SKILL * (1.0 - guess)


def _right(
    values: NDArray[np.float64], y: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return for which rows (n,) most of the nearest rows in other folds, ties included, agree."""
    right = np.zeros(len(y), dtype=bool)
    one_hot = np.eye(int(y.max()) + 1)
    for fold in np.unique(folds):
        train, test = folds != fold, np.flatnonzero(folds == fold)
        if not train.any():
            continue
        order = np.argsort(values[train], kind="stable")
        known = values[train][order]
        votes = np.cumsum(np.pad(one_hot[y[train][order]], ((1, 0), (0, 0))), axis=0)
        reach = distances_to_nearest(values[test], known, min(NEIGHBOURS, len(known)))[:, -1]
        first = np.searchsorted(known, values[test] - reach, side="left")
        last = np.searchsorted(known, values[test] + reach, side="right")
        right[test] = np.argmax(votes[last] - votes[first], axis=1) == y[test]
    return right


def _nearest_in_group(values: NDArray[np.float64], units: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return of which rows one of the rows with the nearest value is of the same group."""
    order = np.lexsort((units, values))
    gaps, same = np.diff(values[order]), units[order][1:] == units[order][:-1]
    before, after = np.append(np.inf, gaps), np.append(gaps, np.inf)
    found = np.empty(len(values), dtype=bool)
    found[order] = (np.append(False, same) & (before <= after)) | (
        np.append(same, False) & (after <= before)
    )
    return found


def _linked(units: NDArray[np.str_], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return one number for all rows that are linked by groups and values."""
    one, two = (np.unique(names, return_inverse=True)[1] for names in (units, values))
    n_units, n = one.max() + 1, one.max() + two.max() + 2
    graph = coo_array((np.ones(len(one)), (one, n_units + two)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1][one], dtype=np.int64)


def _as_numbers(cells: NDArray[Any]) -> NDArray[np.float64]:
    """Return numbers as they are, and for each name the number of it."""
    numbers = np.unique(cells, return_inverse=True)[1] if cells.dtype == object else cells
    return np.asarray(numbers, dtype=np.float64)
