"""L-BFGS for many smooth problems side by side.

The sigmoids of fifty classes in five folds are 250 problems on the same rows. As one sum they share
a step and a memory of curvature that suit none of them, and take two to three times as many steps
as one alone. Here each has its own, all are evaluated by one call, and those that are done drop
out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Values (m,) and gradients (m, p) of the problems of these numbers (m,) at points (m, p).
Objective = Callable[[Array, NDArray[np.int64]], tuple[Array, Array]]

#: Pairs of steps and changes of the gradient that are remembered.
MEMORY = 10

#: Rounds at most, and the part of the decrease along the slope that a step must bring (Armijo).
ROUNDS, ENOUGH = 1000, 1e-4

#: A fall by less is none: of a minimum at 0 every value is a large part of the one before.
LEAST = 1e-100

#: Part of the problems at work that must be done before they are dropped: dropping copies.
DROPPED = 0.2


def minimise(objective: Objective, start: Array, tolerance: float, curvature: float) -> Array:
    """Return the minima of m problems.

    Parameters
    ----------
    objective : callable
        Takes points (m', p) and the numbers (m',) of their problems, returns values (m',) and
        gradients (m', p).
    start : ndarray of shape (m, p), float64
        Where each problem begins.
    tolerance : float
        A problem is done when a step lowers its value by no more than this part of it.
    curvature : float
        What second derivatives are taken for before any step has been made.

    Returns
    -------
    ndarray of shape (m, p), float64

    References
    ----------
    J. Nocedal and S. Wright, Numerical Optimization, Springer 2006, algorithms 7.4 and 7.5.

    Examples
    --------
    >>> centres = np.array([[1.0, 2.0], [0.0, -3.0]])
    >>> def squares(x, which):
    ...     apart = x - centres[which]
    ...     return 1 + (apart**2).sum(axis=1), 2 * apart
    >>> minimise(squares, np.zeros((2, 2)), 1e-8, 1.0).round(6)
    array([[ 1.,  2.],
           [ 0., -3.]])
    """
    result, at_work = start.copy(), np.arange(len(start))
    x = start
    value, gradient = objective(x, at_work)
    pairs: deque[tuple[Array, Array, Array]] = deque(maxlen=MEMORY)
    scale = np.full(len(x), 1.0 / curvature)
    step, direction, done = np.ones(len(x)), -gradient / curvature, np.zeros(len(x), dtype=np.bool_)
    for _ in range(ROUNDS):
        slope = _dot(gradient, direction)
        trial = x + step[:, np.newaxis] * direction
        new_value, new_gradient = objective(trial, at_work)
        good = (new_value <= value + ENOUGH * step * slope) & ~done
        # a convex function falls by no more than its slope says, so where that is little, it is all
        gain = np.where(good, value - new_value, -step * slope)
        done |= gain <= np.maximum(tolerance * np.abs(value), LEAST)

        moved = good[:, np.newaxis]
        s, g = np.where(moved, trial - x, 0.0), np.where(moved, new_gradient - gradient, 0.0)
        x, gradient, value = x + s, gradient + g, np.where(good, new_value, value)
        curved, size = _dot(s, g), _dot(g, g)
        usable = curved > 1e-10 * size
        scale = np.where(usable, curved / np.where(usable, size, 1.0), scale)
        pairs.append((s, g, np.where(usable, 1.0 / np.where(usable, curved, 1.0), 0.0)))

        if done.mean() >= DROPPED:
            result[at_work[done]] = x[done]
            left = ~done
            if not left.any():
                return result
            at_work, x, value, gradient = at_work[left], x[left], value[left], gradient[left]
            step, direction, good = step[left], direction[left], good[left]
            scale, done = scale[left], done[left]
            pairs = deque(((s[left], g[left], r[left]) for s, g, r in pairs), maxlen=MEMORY)
        direction = np.where(good[:, np.newaxis], _downhill(gradient, pairs, scale), direction)
        step = np.where(good, 1.0, 0.5 * step)
    result[at_work] = x
    return result


def _downhill(gradient: Array, pairs: deque[tuple[Array, Array, Array]], scale: Array) -> Array:
    """Return minus the gradient times the inverse of the curvature that the pairs have met."""
    q, shares = -gradient, []
    for s, g, inverse in reversed(pairs):
        shares.append(inverse * _dot(s, q))
        q -= shares[-1][:, np.newaxis] * g
    q *= scale[:, np.newaxis]
    for s, g, inverse in pairs:
        q += (shares.pop() - inverse * _dot(g, q))[:, np.newaxis] * s
    return q


def _dot(A: Array, B: Array) -> Array:
    result: Array = np.einsum("mp,mp->m", A, B)
    return result
