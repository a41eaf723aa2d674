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
    X = np.ascontiguousarray(X + 0.0)  # -0.0 is 0.0
    keys = X.view(f"V{X.shape[1] * X.itemsize}").ravel()
    return X[np.argsort(keys, kind="stable")]
