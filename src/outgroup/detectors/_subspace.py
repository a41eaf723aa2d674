"""Principal subspaces, for `residual` and `vim`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._numeric import whole_number

#: Share of the squared lengths that the principal directions hold if their number is not given.
EXPLAINED = 0.9


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
