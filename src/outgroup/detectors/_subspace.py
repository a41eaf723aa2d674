"""Principal subspaces, for `residual` and `vim`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import whole_number
from outgroup.detectors._rows import spread_folds

#: Share of the squared lengths that the principal directions hold if their number is not given.
EXPLAINED = 0.9

#: Rows left out that say well enough how far new ones typically are.
ENOUGH = 1000


def valid_dimension(value: object) -> int | None:
    """Return the value of a parameter that is a number of directions or None, or raise."""
    # 0 is what `principal` chooses for rows that do not differ, and comes back from a saved model
    if value is None:
        return None
    return 0 if value == 0 else whole_number("dimension", value)


def principal(R: NDArray[np.float64], dimension: int | None) -> NDArray[np.float64]:
    """Return (d, D) orthonormal directions along which the rows (n, d) are longest.

    With a `dimension` of None as few as have `EXPLAINED` of the squared lengths; never more than
    the rows span, and none if all are zero.
    """
    size = float(np.abs(R).max(initial=0.0))
    R = R / size if size > 0 else R
    n, d = R.shape
    small = R @ R.T if n < d else R.T @ R
    values, vectors = np.linalg.eigh(small)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > 1e-12 * max(float(values[0]), 1e-300)).sum())
    if dimension is None:
        held = np.cumsum(values[:rank])
        dimension = int(np.searchsorted(held, EXPLAINED * held[-1])) + 1 if rank else 0
    vectors = vectors[:, : min(dimension, rank)]
    if n >= d:
        return np.ascontiguousarray(vectors)
    # (R' u) is long by the root of the eigenvalue; QR makes the directions orthonormal to the digit
    result: NDArray[np.float64] = np.linalg.qr(R.T @ vectors)[0]
    return result


def off_subspace(R: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the length of what is left of each row without its part in the subspace."""
    left = R - (R @ directions) @ directions.T
    result: NDArray[np.float64] = np.sqrt((left**2).sum(axis=1))
    return result


def left_out_lengths(
    R: NDArray[np.float64], dimension: int, folds: NDArray[np.int64], centred: bool
) -> NDArray[np.float64]:
    """Return `off_subspace` of rows by subspaces of the rows of other folds; NaN for fold -1.

    Parameters
    ----------
    R : ndarray of shape (n, d), float64
        Rows less their origin.
    dimension : int
        How many directions.
    folds : ndarray of shape (n,), int64
        The fold of each row; -1 is never left out.
    centred : bool
        Whether the origin is the mean of the rows, so that it moves with them.
    """
    n, d = R.shape
    result = np.full(n, np.nan)
    size = float(np.abs(R).max(initial=0.0))
    R = R / size if size > 0 else R
    few = n < 2 * d
    total = R @ R.T if few else R.T @ R
    for fold in range(folds.max(initial=-1) + 1):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if not few:
            origin = R[rest].mean(axis=0) if centred else np.zeros(d)
            rows = R[held] - origin
            scatter = total - R[held].T @ R[held] - len(rest) * np.outer(origin, origin)
            directions = np.linalg.eigh(scatter)[1][:, d - min(dimension, d) :]
            result[held] = off_subspace(rows, directions)
            continue
        # the same from the inner products of the rows alone
        inner, across = total[np.ix_(rest, rest)], total[np.ix_(held, rest)]
        own = np.diag(total)[held]
        if centred:
            mean = inner.mean(axis=0)
            to_mean, mean_mean = across.mean(axis=1), mean.mean()
            inner = inner - mean - mean[:, np.newaxis] + mean_mean
            across = across - mean - to_mean[:, np.newaxis] + mean_mean
            own = own - 2.0 * to_mean + mean_mean
        values, vectors = np.linalg.eigh(inner)
        kept = np.arange(len(values)) >= len(values) - dimension
        kept &= values > 1e-12 * max(float(values[-1]), 1e-300)
        along = (across @ vectors[:, kept]) ** 2 / values[kept]
        result[held] = np.sqrt(np.maximum(own - along.sum(axis=1), 0.0))
    return result * size


def folds_within(X: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the folds in which rows to be learned from are left out to see how far they are.

    Five, or as many as it takes for a thousand rows; the other rows are in fold -1.
    """
    folds = spread_folds(X, 5)
    return np.where(folds < max(1, np.ceil(5 * ENOUGH / len(X))), folds, -1)
