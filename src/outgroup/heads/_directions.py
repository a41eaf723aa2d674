"""The few directions in which embeddings vary most, and coefficients measured along them.

A step that is safe along the directions in which the data vary most is small, and then a fit takes
many to get on along all others. With each of these few directions measured in units of its own
curvature, the same solution is reached in half to a quarter of the steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Directions that are found, and rounds of the power iteration that finds them.
RANK, ROUNDS = 64, 3

#: Second derivative of a loss in a logit, as it is on the way: 1/4 at the start, less at the end.
CURVATURE = 0.1


class Directions:
    """The directions of largest weighted variance of rows.

    Parameters
    ----------
    Z : ndarray of shape (n, d), floating
        Rows, of mean about zero.
    weights : ndarray of shape (n, m), float64
        Weight of each row in each output, not all zero.

    References
    ----------
    N. Halko, P. G. Martinsson and J. A. Tropp, Finding Structure with Randomness, SIAM Review 53
    (2011), 217-288.
    """

    def __init__(self, Z: NDArray[Any], weights: Array) -> None:
        rank = min(RANK, *Z.shape)
        basis = np.random.default_rng(0).normal(size=(Z.shape[1], rank))
        row_weights = (weights.sum(axis=1, keepdims=True) / weights.sum()).astype(Z.dtype)
        for _ in range(ROUNDS):
            basis = np.linalg.qr(basis)[0]
            found = Z @ basis.astype(Z.dtype)
            basis = (Z.T @ (row_weights * found)).astype(np.float64)
        self.basis, self.variance, _ = np.linalg.svd(basis, full_matrices=False)

    def curvature(self, strength: float) -> float:
        """Return about the second derivative along each new coordinate, where it is largest."""
        return float(CURVATURE * self.variance[-1] + strength)

    def lengths(self, strength: float) -> Array:
        """Return the length of a unit of each new coordinate, 1 in all other directions."""
        result: Array = np.sqrt(self.curvature(strength) / (CURVATURE * self.variance + strength))
        return result

    def stretched(self, coef: Array, lengths: Array) -> Array:
        """Return a copy of (K, d + 1) coefficients with the part along each direction scaled."""
        result = coef.copy()
        result[:, :-1] += ((coef[:, :-1] @ self.basis) * (lengths - 1.0)) @ self.basis.T
        return result
