"""Dealing rows out: some to calibrate with, the others to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import assign_folds
from outgroup.errors import InvalidDataError
from outgroup.multi_input.rowset import RowSet

#: One part in so many is kept from all networks; the threshold comes from it alone.
PARTS = 5

#: What is left is dealt into so many folds; each network learns from all of them but one.
FOLDS = 8


@dataclass(frozen=True, eq=False)
class Deal:
    """Who may look at which rows; groups are whole in all of it.

    Parameters
    ----------
    kept : ndarray of shape (k,), int64
        Rows that nothing is learned from: they calibrate what all networks say together.
    folds : ndarray of shape (n,), int64
        The fold of each of the other rows; -1 for those that are kept.
    members : tuple of int
        The fold that each network does not learn from.
    """

    kept: NDArray[np.int64]
    folds: NDArray[np.int64]
    members: tuple[int, ...]

    @property
    def used(self) -> NDArray[np.int64]:
        """Rows that are not kept."""
        return np.flatnonzero(self.folds >= 0)

    def learned(self, member: int) -> NDArray[np.int64]:
        """Return the rows that the network without a fold learns from."""
        return np.flatnonzero((self.folds >= 0) & (self.folds != member))

    def held_out(self, member: int) -> NDArray[np.int64]:
        """Return the rows of that fold, which this network alone has not seen."""
        return np.flatnonzero(self.folds == member)


def deal_rows(data: RowSet, members: int, seed: int) -> Deal:
    """Deal rows out for networks, classes and labels spread as evenly as groups allow.

    Raises
    ------
    InvalidDataError
        If a class or label has too few rows or groups to be everywhere.
    """
    parts = assign_folds(data.strata, PARTS, data.units, seed)
    counts = np.array([_marks(data)[parts == part].sum(axis=0) for part in range(PARTS)])
    # of labels alone, and so no look at scores: the part with most rows of the rarest class
    kept = parts == int(np.argmax(counts.min(axis=1)))
    rest = np.flatnonzero(~kept)
    folds = np.full(len(data), -1)
    if len(rest):
        folds[rest] = assign_folds(data.strata[rest], FOLDS, data.units[rest], seed)
    there = [fold for fold in range(FOLDS) if (folds == fold).any()]
    deal = Deal(np.flatnonzero(kept), folds, tuple(there[:members]))
    _check(data, deal)
    return deal


def _marks(data: RowSet) -> NDArray[np.bool_]:
    """Return (n, K): which rows are of each class, or have each label."""
    if data.Y.ndim == 2:
        there: NDArray[np.bool_] = data.Y == 1
        return there
    marks: NDArray[np.bool_] = np.equal.outer(data.Y, np.arange(len(data.classes)))
    return marks


def _check(data: RowSet, deal: Deal) -> None:
    marks = _marks(data)
    shares = [deal.kept, *(deal.learned(member) for member in deal.members)]
    for name, own in zip(data.classes, marks.T, strict=True):
        n_units = len(np.unique(data.units[own]))
        # a class of few rows that calibrates nothing is carried by the others; a label is not
        needed = shares if data.Y.ndim == 2 else shares[1:]
        if not deal.members or any(not own[rows].any() for rows in needed):
            raise InvalidDataError(
                f"Class {name!r} has {n_units} different rows or groups that can be read, too few "
                "to learn from some and calibrate with others. Add rows (some 30 make a good "
                "model), or leave the class out."
            )
