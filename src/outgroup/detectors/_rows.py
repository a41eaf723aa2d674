"""Rows in an order of their own, for solvers whose answer depends on the order they come in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def in_order(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows sorted by their bytes: the same for every order of the same rows.

    Examples
    --------
    >>> one, two = np.array([[1.0, 2.0], [1.0, 3.0]]), np.array([[1.0, 3.0], [1.0, 2.0]])
    >>> bool((in_order(one) == in_order(two)).all())
    True
    """
    return X[order(X)]


def order(X: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices of the rows in the order of their bytes."""
    X = np.ascontiguousarray(X + 0.0)  # -0.0 is 0.0
    keys = X.view(f"V{X.shape[1] * X.itemsize}").ravel()
    return np.argsort(keys, kind="stable")


def spread_folds(X: NDArray[np.float64], n_folds: int) -> NDArray[np.int64]:
    """Return a fold for each row that depends on the rows and not on the order they come in.

    Examples
    --------
    >>> X = np.array([[3.0], [1.0], [2.0], [5.0]])
    >>> bool((spread_folds(X[::-1], 2) == spread_folds(X, 2)[::-1]).all())
    True
    """
    folds = np.empty(len(X), dtype=np.int64)
    folds[order(X)] = np.arange(len(X)) % n_folds
    return folds
