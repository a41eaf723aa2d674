"""Least squares, one class against the rest, each row scored by a model that has not seen it.

One pass over the rows gives a Gram matrix for each fold; the model without a fold is the solution
for the sum of the others. No row is read twice, and rows that are only scored are never held.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Weight of the squared norm of the coefficients of standardised columns, where the weights of all
#: rows add up to one. From 0.1 to 1 nothing changes on held-out training images of the zoo.
STRENGTH = 0.3

#: Rows that are multiplied at once.
BLOCK = 2048


class Readout:
    """A linear score for each class, as many models as folds.

    Parameters
    ----------
    X : ndarray of shape (n, d), floating
        Rows that are learned from.
    y : ndarray of shape (n,), int64
        Class indices, -1 for negatives. All classes together weigh as much as all negatives, and
        each class the same.
    folds : ndarray of shape (n,), int64
        From 0; the model of a fold has not seen its rows.
    n_folds : int
        How many there are.
    """

    def __init__(
        self, X: NDArray[Any], y: NDArray[np.int64], folds: NDArray[np.int64], n_folds: int
    ) -> None:
        from scipy.linalg import cho_factor, cho_solve  # slow to import; prediction does without

        n_classes, d = int(y.max()) + 1, X.shape[1]
        self.mean = X.mean(axis=0, dtype=np.float64)
        scale = np.sqrt(np.maximum(X.var(axis=0, dtype=np.float64), 0.0))
        typical = float(np.sqrt((scale**2).mean())) or 1.0
        self.scale = np.where(scale > 1e-3 * typical, scale, typical)
        weights = _weights(y)
        grams = np.zeros((n_folds, d + 1, d + 1))
        products = np.zeros((n_folds, d + 1, n_classes))
        for fold in range(n_folds):
            rows = np.flatnonzero(folds == fold)
            for start in range(0, len(rows), BLOCK):
                some = rows[start : start + BLOCK]
                root = np.sqrt(weights[some]).astype(np.float32)[:, np.newaxis]
                Z = self._standardised(X[some]) * root
                targets = np.where(y[some, np.newaxis] == np.arange(n_classes), root, -root)
                grams[fold] += Z.T @ Z
                products[fold] += Z.T @ targets
        gram, product = grams.sum(axis=0), products.sum(axis=0)
        penalty = np.full(d + 1, STRENGTH)
        penalty[-1] = 1e-9  # the intercept, which is not held back
        self.coef = np.empty((n_folds, d + 1, n_classes))
        for fold in range(n_folds):
            rest = gram - grams[fold]
            rest.flat[:: d + 2] += penalty
            solved = cho_factor(rest, lower=True, overwrite_a=True, check_finite=False)
            self.coef[fold] = cho_solve(solved, product - products[fold], check_finite=False)

    def scores(self, X: NDArray[Any], folds: NDArray[np.int64]) -> Array:
        """Return (n, K) scores of a block of rows, each by the model of its fold."""
        Z = self._standardised(X)
        found = np.empty((len(X), self.coef.shape[2]))
        for fold in np.unique(folds):
            rows = folds == fold
            found[rows] = Z[rows] @ self.coef[fold].astype(np.float32)
        return found

    def _standardised(self, X: NDArray[Any]) -> NDArray[np.float32]:
        Z = np.ones((len(X), X.shape[1] + 1), dtype=np.float32)
        Z[:, :-1] = (X - self.mean) / self.scale
        return Z


def blocks(n: int) -> Iterable[slice]:
    """Yield slices that cover n rows, of `BLOCK` rows each."""
    for start in range(0, n, BLOCK):
        yield slice(start, start + BLOCK)


def _weights(y: NDArray[np.int64]) -> Array:
    """Return weights that add up to one: the classes alike, the negatives as much as all of them.

    Examples
    --------
    >>> _weights(np.array([0, 0, 1, -1]))
    array([0.125, 0.125, 0.25 , 0.5  ])
    """
    present, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    n_classes = int((present >= 0).sum())
    shares = np.where(present < 0, 0.5, 0.5 / n_classes)
    weights: Array = shares[index] / counts[index]
    weights /= weights.sum()
    return weights
