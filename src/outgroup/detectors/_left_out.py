"""Distances of known rows by models without them, in closed form.

A model is nearer to the rows it has learned from than to any others, and the more so the fewer
they are: with 80 % of the rows, as an out-of-fold model has them, new rows are farther away than
they will be from the final model, and a threshold made of such distances lies too high. So every
model measures how far the rows of its own are from it when they are left out, which takes no second
model: without one row a covariance changes by a matrix of rank one (Sherman and Morrison 1950).
Put in relation to what is typical of these, the scores of all models are on one scale. Where images
have no groups they are held-out scores themselves. (The mean variance that the covariance is shrunk
to is not that of the others alone: a matter of one part in n.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup.detectors._gaussian import BLOCK, ClassModel

Array = NDArray[np.float64]


def left_out_squares(model: ClassModel, X: Array, *shaped: Array) -> list[Array]:
    """Return squared distances of known rows from the means, each by a model without the row.

    Parameters
    ----------
    model : ClassModel
        Learned from the rows.
    X : ndarray of shape (n, d), float64
        These rows.
    *shaped : ndarray of shape (n, d), float64
        What is to be measured besides each row, by the same model.

    Returns
    -------
    list of ndarray of shape (n, K), float64
        Of the rows and of each of `shaped`; infinite where no mean is left, as that of a class with
        a single row.
    """
    metric, means, counts, fewer = model.metric, model.means, model.counts, model.without_one
    between = metric.squared(means, means)
    results = [np.empty((len(X), len(means))) for _ in range(1 + len(shaped))]
    for start in range(0, len(X), BLOCK):
        block = slice(start, start + BLOCK)
        own, x = model.index[block], X[block]
        at, others = np.arange(len(own)), np.maximum(counts[own] - 1.0, 1.0)
        white = metric.white(x)
        from_x = metric.squared_white(x, white, means)
        h = from_x[at, own]
        factor = model.weight * counts[own] / others
        factor /= np.maximum(1.0 - factor * h, 1e-12)
        for result, rows in zip(results, (X, *shaped), strict=True):
            squares, apart = from_x, np.zeros(len(x))
            if rows is not X:
                s = rows[block]
                white_s = metric.white(s)
                squares = metric.squared_white(s, white_s, means)
                apart = metric.lengths(x - s, white - white_s)
            # r' S^-1 (s - m_j) with r = x - m_own, from the distances between the four
            along = from_x + (squares[at, own] - apart)[:, np.newaxis] - between[own]
            along *= 0.5
            without = squares + factor[:, np.newaxis] * along**2
            # the mean of the others lies r / (n - 1) farther back
            mine = along[at, own]
            back = squares[at, own] + 2.0 * mine / others + h / others**2
            back += factor * (mine + h / others) ** 2
            without[at, own] = np.where(counts[own] > 1, back, np.inf)
            result[block] = fewer * np.maximum(without, 0.0)
    return results


def typical(values: Array, rounding: float = 1e-6) -> float:
    """Return the median of what is finite, 1 where there is none or it is but `rounding`.

    Examples
    --------
    >>> typical(np.array([1.0, 2.0, np.inf])), typical(np.full(3, 1e-9))
    (1.5, 1.0)
    """
    values = values[np.isfinite(values)]
    median = float(np.median(values)) if len(values) else 1.0
    return median if median > rounding else 1.0


def centre_and_scale(values: Array) -> Array:
    """Return the median and the median absolute deviation, 1 in place of a deviation of 0.

    Examples
    --------
    >>> centre_and_scale(np.array([1.0, 2.0, 3.0, 100.0, np.inf]))
    array([2.5, 1. ])
    """
    values = values[np.isfinite(values)]
    centre = float(np.median(values)) if len(values) else 0.0
    return np.array([centre, typical(np.abs(values - centre), 1e-9 * abs(centre))])
