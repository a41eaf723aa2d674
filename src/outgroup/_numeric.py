"""Numerics and checks of arguments that several packages share, safe for any finite numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError

Array = NDArray[np.float64]

#: Where `bounded` clips: squares of such values, and their sums, are still finite in float64.
LARGEST = 1e75


def bounded(X: NDArray[Any]) -> Array:
    """Return the values in float64, clipped at +-1e75 so that their squares do not overflow."""
    return np.clip(np.asarray(X, dtype=np.float64), -LARGEST, LARGEST)


def unit_rows(X: NDArray[Any]) -> Array:
    """Return the rows scaled to length 1, in float64; a row of zeros stays zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    X = np.asarray(X, dtype=np.float64)
    largest = np.abs(X).max(axis=1, initial=0.0, keepdims=True)
    X = X / np.where(largest > 0, largest, 1.0)  # squares of very small or large values are lost
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1.0)


def squared_distances(A: Array, B: Array) -> Array:
    """Return the squared Euclidean distances (n, m) of rows (n, d) from rows (m, d).

    Rounding may make them slightly negative.
    """
    squares: Array = (A**2).sum(axis=1)[:, np.newaxis] + (B**2).sum(axis=1)
    return squares - 2.0 * A @ B.T


def log_sum_exp(logits: Array) -> Array:
    """Return log(sum(exp(row))) of each row."""
    largest: Array = logits.max(axis=1)
    return largest + log_sum_exp_above_max(logits)


def log_sum_exp_above_max(logits: Array) -> Array:
    """Return ``log_sum_exp(logits) - logits.max(axis=1)``, in full precision where it is tiny.

    >>> log_sum_exp_above_max(np.array([[40.0, 0.0], [50.0, 0.0]]))
    array([4.24835426e-18, 1.92874985e-22])
    """
    rest = np.exp(logits - logits.max(axis=1, keepdims=True))
    rest[np.arange(len(rest)), logits.argmax(axis=1)] = 0.0  # the term that is exactly 1
    total: Array = rest.sum(axis=1)
    return np.log1p(total)


def log_softmax(logits: NDArray[Any]) -> Array:
    """Return the logarithm of the softmax of each row, finite for any finite logits."""
    values = bounded(logits)
    return values - log_sum_exp(values)[:, np.newaxis]


def median_and_mad(values: Array) -> tuple[Array, Array]:
    """Return the median along the first axis, and the median absolute deviation from it."""
    centre = np.median(values, axis=0)
    return centre, np.median(np.abs(values - centre), axis=0)


def median_or_one(values: Array, rounding: float = 1e-6) -> float:
    """Return the median of the finite values; 1 if there are none, or if it is only `rounding`.

    >>> median_or_one(np.array([1.0, 2.0, np.inf])), median_or_one(np.full(3, 1e-9))
    (1.5, 1.0)
    """
    values = values[np.isfinite(values)]
    median = float(np.median(values)) if len(values) else 1.0
    return median if median > rounding else 1.0


def centre_and_scale(values: Array) -> Array:
    """Return median and median absolute deviation of the finite values, in an array.

    A deviation that is only rounding is replaced by 1.

    >>> centre_and_scale(np.array([1.0, 2.0, 4.0, 100.0, np.inf]))
    array([3. , 1.5])
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return np.array([0.0, 1.0])
    centre, deviation = median_and_mad(values)
    return np.array([centre, deviation if deviation > 1e-9 * abs(centre) else 1.0])


def standardised(values: Array, standard: Array) -> Array:
    """Return the values less the centre, over the scale, as given by `centre_and_scale`."""
    return (values - float(standard[0])) / float(standard[1])


def row_order(X: Array) -> NDArray[np.int64]:
    """Return indices that sort the rows by their bytes, so that the given order does not matter."""
    X = np.ascontiguousarray(X + 0.0)  # -0.0 becomes 0.0
    keys = X.view(f"V{X.shape[1] * X.itemsize}").ravel()
    return np.argsort(keys, kind="stable")


def require(fine: bool, name: str, allowed: str, value: object) -> None:
    """Raise `InvalidParameterError` unless the value of the argument is fine."""
    if not fine:
        raise InvalidParameterError(f"Invalid `{name}`: must be {allowed}, got {value!r}.")


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Return the value of an argument that must be a whole number from `least` up."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    require(whole and value >= least, name, f"a whole number from {least} up", value)
    return int(value)
