"""What each side of the inputs is worth: images alone, the table alone, both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError
from outgroup.multi_input.declarations import Inputs
from outgroup.multi_input.fitting import HeldOutRows, fit_inputs
from outgroup.multi_input.plans import Preset
from outgroup.multi_input.rowset import RowSet

#: Resamples of units that an interval rests on.
RESAMPLES = 2000

#: A probability is at least this in a logarithm.
LEAST = 1e-7


@dataclass(frozen=True)
class Figure:
    """A mean over rows, with a 95 % interval over resampled units.

    Parameters
    ----------
    value, low, high : float
        The mean, and its interval.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class AblationRow:
    """Held-out figures of one choice of inputs.

    Parameters
    ----------
    inputs : str
        "both", "images" or "table".
    log_loss, accuracy : Figure
        Of known rows that the networks had not seen; over several labels, means over labels too.
    worse : Figure
        Its log loss less that of both, row by row.
    """

    inputs: str
    log_loss: Figure
    accuracy: Figure
    worse: Figure


@dataclass(frozen=True)
class Ablation:
    """Figures of both, images alone and the table alone; printed, a table."""

    rows: tuple[AblationRow, ...]
    n: int
    n_units: int

    def __str__(self) -> str:
        lines = [f"{'inputs':8}{'log loss':24}{'accuracy':24}log loss more than both"]
        lines += [
            f"{row.inputs:8}{row.log_loss!s:24}{row.accuracy!s:24}"
            + ("" if row.inputs == "both" else str(row.worse))
            for row in self.rows
        ]
        groups = "" if self.n_units == self.n else f" in {self.n_units} groups"
        return "\n".join([*lines, f"{self.n} held-out rows{groups}"])


def ablate(
    data: RowSet,
    inputs: Inputs,
    preset: Preset,
    target: str,
    seed: int,
    both: HeldOutRows | None = None,
    progress: bool | None = None,
) -> Ablation:
    """Train on images alone and on the table alone, in the same folds, and compare.

    Parameters
    ----------
    data, inputs, preset, target, seed
        As for `fit_inputs`.
    both : HeldOutRows or None
        What was held out when both were learned from; None: they are learned from here.
    progress : bool or None
        As for `fit_inputs`.

    Raises
    ------
    InvalidDataError
        If there are no images, or there is no table.
    """
    if not inputs.images or not inputs.table:
        raise InvalidDataError(
            "There is nothing to compare: the inputs are images or a table alone."
        )
    if both is None:
        both = fit_inputs(data, inputs, preset, target, None, seed, progress, "both")[1]
    found = {"both": both}
    for name, kept in (("images", inputs.images), ("table", inputs.table)):
        own = narrowed(data, inputs, [one.name for one in kept])
        found[name] = fit_inputs(*own, preset, target, None, seed, progress, f"{name} alone")[1]
    losses = {name: row_losses(one) for name, one in found.items()}
    _, unit = np.unique(both.units[known_rows(both)], return_inverse=True)
    rows = []
    for name, (loss, right) in losses.items():
        worse = loss - losses["both"][0]
        rows.append(AblationRow(name, *(figure(values, unit) for values in (loss, right, worse))))
    return Ablation(tuple(rows), len(unit), int(unit.max()) + 1)


def known_rows(held: HeldOutRows) -> NDArray[np.bool_]:
    """Return which held-out rows have a class or a label."""
    known: NDArray[np.bool_] = held.Y >= 0 if held.Y.ndim == 1 else (held.Y == 1).any(axis=1)
    return known


def row_losses(held: HeldOutRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log loss and whether it is right of each known row, (m,) each."""
    rows = known_rows(held)
    P, Y = np.clip(held.probabilities[rows], LEAST, 1 - LEAST), held.Y[rows]
    if Y.ndim == 1:
        at = np.arange(len(Y))
        return -np.log(P[at, Y]), (P.argmax(axis=1) == Y).astype(np.float64)
    there = Y >= 0
    loss = np.where(there, -np.log(np.where(Y == 1, P, 1 - P)), np.nan)
    right = np.where(there, (P > 0.5) == (Y == 1), np.nan)
    return np.nanmean(loss, axis=1), np.nanmean(right, axis=1)


def figure(values: NDArray[Any], unit: NDArray[np.int64], seed: int = 0) -> Figure:
    """Return the mean of values (m,), and its percentile interval over resampled units.

    Examples
    --------
    >>> figure(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0, 0, 1, 1]))
    Figure(value=0.5, low=0.5, high=0.5)
    """
    sums = np.bincount(unit, weights=values)
    counts = np.bincount(unit)
    draws = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Figure(float(np.mean(values)), float(low), float(high))


def narrowed(data: RowSet, inputs: Inputs, names: Collection[str]) -> tuple[RowSet, Inputs]:
    """Return rows and declaration with some of the inputs alone; rows are dealt as before."""
    images = [i for i, bands in enumerate(inputs.images) if bands.name in names]
    columns = [i for i, column in enumerate(inputs.table) if column.name in names]
    cells = replace(
        data.cells,
        images=tuple(data.cells.images[i] for i in images),
        present=data.cells.present[:, images],
        columns=tuple(data.cells.columns[i] for i in columns),
    )
    own = Inputs(
        [inputs.images[i] for i in images], [inputs.table[i] for i in columns], inputs.fusion
    )
    return replace(data, cells=cells), own
