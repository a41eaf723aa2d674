"""Arithmetic that several detectors share, safe for any finite numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidParameterError

#: Where `bounded` cuts: its square is a number still, whitened by the least variance or not.
LARGEST = 1e75


def bounded(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return float64 rows with values cut at +-1e75, so that no square of theirs overflows.

    Examples
    --------
    >>> bounded(np.array([[0.5, -1e200]]))
    array([[ 5.e-01, -1.e+75]])
    """
    result: NDArray[np.float64] = np.clip(np.asarray(X, dtype=np.float64), -LARGEST, LARGEST)
    return result


def unit_rows(X: NDArray[Any]) -> NDArray[np.float64]:
    """Return rows scaled to length 1, in float64; a zero row stays zero.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    X = np.asarray(X, dtype=np.float64)
    largest = np.abs(X).max(axis=1, initial=0.0, keepdims=True)
    X = X / np.where(largest > 0, largest, 1.0)  # squares of very large or small values are lost
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1.0)


def log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(sum(exp(row))) of each row, safe for any finite logits."""
    result: NDArray[np.float64] = logits.max(axis=1) + log_sum_exp_above_max(logits)
    return result


def log_sum_exp_above_max(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``log_sum_exp(logits) - logits.max(axis=1)`` with all its digits where it is tiny.

    Examples
    --------
    >>> log_sum_exp_above_max(np.array([[40.0, 0.0], [50.0, 0.0]]))
    array([4.24835426e-18, 1.92874985e-22])
    """
    rest = np.exp(logits - logits.max(axis=1, keepdims=True))
    rest[np.arange(len(rest)), logits.argmax(axis=1)] = 0.0  # the one that is exactly 1
    result: NDArray[np.float64] = np.log1p(rest.sum(axis=1))
    return result


def whole_number(name: str, value: object) -> int:
    """Return the value of a parameter that counts, or raise what says how it should be."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InvalidParameterError(
            f"The {name!r} parameter must be a whole number from 1 up. Got {value!r} instead."
        )
    return int(value)


def share(name: str, value: float) -> float:
    """Return the value of a parameter that is a share, or raise what says how it should be."""
    if not 0.0 < value < 1.0:
        raise InvalidParameterError(
            f"The {name!r} parameter must be between 0 and 1. Got {value!r} instead."
        )
    return value
