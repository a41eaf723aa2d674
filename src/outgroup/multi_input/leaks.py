"""Warning of a column that says more than it should: the label, or which group a row is of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import assign_folds
from outgroup.calibration.bounds import interval
from outgroup.calibration.certificate import percent
from outgroup.errors import DataWarning
from outgroup.multi_input.columns import distances_to_nearest
from outgroup.multi_input.declarations import Inputs
from outgroup.multi_input.rowset import RowSet

#: A column is suspicious if it alone gets right at least this share of what guessing the commonest
#: class gets wrong, and more than guessing does with 99.9 % confidence.
SKILL, CONFIDENCE = 0.3, 0.998

#: A column tells the group if the row with the nearest value is of the same group this often.
SAME_GROUP = 0.5

#: Neighbours that vote; few, as a scene has few rows.
NEIGHBOURS = 3

FOLDS = 5

#: A column of this many different values or fewer names kinds, such as sensors, and no scenes.
FEW = 20


def warn_of_leaks(inputs: Inputs, data: RowSet) -> None:
    """Warn (`DataWarning`) of columns that tell the label or the group suspiciously well.

    Each column alone predicts the label of known rows from the rows with the nearest values, once
    with rows dealt into folds at random, once with groups kept whole, and once with equal values
    kept together as well. A column that is good at the first and not at the last knows its scene
    rather than its class.
    """
    for message in leaks(inputs, data):
        warnings.warn(message, DataWarning, stacklevel=3)


def leaks(inputs: Inputs, data: RowSet) -> Iterator[str]:
    """Yield a message for each leak."""
    if data.Y.ndim != 1:
        return
    known = data.known
    y, units = data.Y[known], data.units[known]
    n = len(y)
    grouped = len(np.unique(units)) < n
    guess = np.bincount(y).max() / n
    for column, cells in zip(inputs.table, data.cells.columns, strict=True):
        values = _as_values(cells)[known]
        there = ~np.isnan(values)
        if there.sum() < 4 * FOLDS or len(np.unique(values[there])) < 2:
            continue
        rows, own = y[there], units[there]
        apart = _right(values[there], rows, assign_folds(rows, FOLDS))
        whole = _right(values[there], rows, assign_folds(rows, FOLDS, own))
        scene = whole
        if len(np.unique(values[there])) > FEW:  # of few values none stands for a scene
            linked = _joined(own, values[there])
            scene = _right(values[there], rows, assign_folds(rows, FOLDS, linked))
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
        elif grouped:
            yield from _tells_group(column.name, values[there], own, apart, whole, guess)


def _tells_group(
    name: str,
    values: NDArray[np.float64],
    units: NDArray[np.str_],
    apart: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    guess: float,
) -> Iterator[str]:
    if len(np.unique(values)) <= FEW:
        return
    several = np.isin(
        units, [u for u, c in zip(*np.unique(units, return_counts=True), strict=True) if c > 1]
    )
    if not several.any():
        return
    same = _same_group(values, units)[several]
    low = interval(float(same.sum()), len(same), CONFIDENCE)[0]
    if low < SAME_GROUP:
        return
    yield (
        f"{name!r} tells the group of a row: for {percent(same.mean())} of the rows in groups, the "
        f"row with the nearest value is of the same one. Rows of one group are kept together, so "
        f"that held-out figures are right (alone it would be right for {percent(apart.mean())} of "
        f"rows if groups were split, and is for {percent(whole.mean())} as they are not; guessing: "
        f"{percent(guess)}); never split them at random."
    )


def _suspicious(right: NDArray[np.bool_], guess: float) -> bool:
    low = interval(float(right.sum()), len(right), CONFIDENCE)[0]
    return low > guess and right.mean() - guess >= SKILL * (1.0 - guess)


def _right(
    values: NDArray[np.float64], y: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return of which rows the class is that of most rows with the nearest values in other folds.

    All rows that are as near as the third nearest vote, so that the order of rows is no matter.
    """
    right = np.zeros(len(y), dtype=bool)
    n_classes = int(y.max()) + 1
    for fold in np.unique(folds):
        train, test = folds != fold, np.flatnonzero(folds == fold)
        if not train.any():
            continue
        order = np.argsort(values[train], kind="stable")
        known, classes = values[train][order], y[train][order]
        votes = np.concatenate(
            [np.zeros((1, n_classes)), np.cumsum(np.eye(n_classes)[classes], axis=0)]
        )
        nearest = distances_to_nearest(values[test], known, min(NEIGHBOURS, len(known)))
        reach = nearest[:, -1]
        first = np.searchsorted(known, values[test] - reach, side="left")
        last = np.searchsorted(known, values[test] + reach, side="right")
        right[test] = np.argmax(votes[last] - votes[first], axis=1) == y[test]
    return right


def _same_group(values: NDArray[np.float64], units: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return of which rows one of the rows with the nearest value is of the same group."""
    order = np.lexsort((units, values))
    sorted_values, sorted_units = values[order], units[order]
    found = np.zeros(len(values), dtype=bool)
    for at in range(len(order)):
        gaps = [
            abs(sorted_values[other] - sorted_values[at])
            for other in (at - 1, at + 1)
            if 0 <= other < len(order)
        ]
        found[order[at]] = any(
            sorted_units[other] == sorted_units[at]
            for other in (at - 1, at + 1)
            if 0 <= other < len(order)
            and abs(sorted_values[other] - sorted_values[at]) <= min(gaps)
        )
    return found


def _joined(units: NDArray[np.str_], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return one number for all rows that are linked by a group or by a value."""
    _, a = np.unique(units, return_inverse=True)
    _, b = np.unique(values, return_inverse=True)
    joined = a.astype(np.int64)
    while True:  # each pass takes the least number over a value, then over a group
        before = joined
        for key in (b, a):
            least = np.full(int(key.max()) + 1, np.iinfo(np.int64).max)
            np.minimum.at(least, key, joined)
            joined = least[key]
        if (joined == before).all():
            return joined


def _as_values(cells: Any) -> NDArray[np.float64]:
    """Return numbers as they are, and names as the number of each; NaN where missing."""
    if not isinstance(cells, tuple):
        result: NDArray[np.float64] = cells
        return result
    names = {name: float(i) for i, name in enumerate(sorted({c for c in cells if c is not None}))}
    return np.array([np.nan if cell is None else names[cell] for cell in cells])
