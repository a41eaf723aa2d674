"""L-BFGS for many smooth problems side by side, and a preconditioner for linear models.

The sigmoids of fifty classes in five folds are 250 problems on the same rows. As one sum they would
share a step size and take two to three times as many steps as one alone. Here each problem has its
own step and memory, one call evaluates all, and finished problems are dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import Array

#: Take points (m, p) and the numbers (m,) of their problems; return values (m,) and gradients.
Objective = Callable[[Array, NDArray[np.int64]], tuple[Array, Array]]

#: Pairs of steps and gradient changes that are remembered.
MEMORY = 10

#: Number of preconditioned directions, and of the power iterations that find them.
RANK, POWER_ITERATIONS = 64, 3

#: Assumed second derivative of the loss in a logit: 1/4 at the start, less towards the end.
CURVATURE = 0.1


def minimise(objective: Objective, start: Array, tolerance: float, curvature: float) -> Array:
    """Return the minima (m, p), float64, of m problems that start at the rows of `start`.

    `tolerance` is the share of its value by which a step must lower a problem that is not finished,
    `curvature` the second derivative assumed before the first step (J. Nocedal and S. Wright,
    Numerical Optimization, Springer 2006, algorithms 7.4 and 7.5).
    """
    result, active = start.copy(), np.arange(len(start))
    x = start
    value, gradient = objective(x, active)
    pairs: deque[tuple[Array, Array, Array]] = deque(maxlen=MEMORY)
    scale = np.full(len(x), 1.0 / curvature)
    step, direction, done = np.ones(len(x)), -gradient / curvature, np.zeros(len(x), dtype=np.bool_)
    for _ in range(1000):
        slope = _dot(gradient, direction)
        trial = x + step[:, np.newaxis] * direction
        new_value, new_gradient = objective(trial, active)
        good = (new_value <= value + 1e-4 * step * slope) & ~done  # Armijo's condition
        # A convex function falls by no more than its slope predicts.
        decrease = np.where(good, value - new_value, -step * slope)
        # Near a minimum of 0 every decrease is large in relative terms.
        done |= decrease <= np.maximum(tolerance * np.abs(value), 1e-100)

        moved = good[:, np.newaxis]
        s, g = np.where(moved, trial - x, 0.0), np.where(moved, new_gradient - gradient, 0.0)
        x, gradient, value = x + s, gradient + g, np.where(good, new_value, value)
        curved, size = _dot(s, g), _dot(g, g)
        usable = curved > 1e-10 * size
        scale = np.where(usable, curved / np.where(usable, size, 1.0), scale)
        pairs.append((s, g, np.where(usable, 1.0 / np.where(usable, curved, 1.0), 0.0)))

        if done.mean() >= 0.2:  # dropping finished problems copies arrays
            result[active[done]] = x[done]
            left = ~done
            if not left.any():
                return result
            active, x, value, gradient = active[left], x[left], value[left], gradient[left]
            step, direction, good = step[left], direction[left], good[left]
            scale, done = scale[left], done[left]
            pairs = deque(((s[left], g[left], r[left]) for s, g, r in pairs), maxlen=MEMORY)
        direction = np.where(good[:, np.newaxis], _downhill(gradient, pairs, scale), direction)
        step = np.where(good, 1.0, 0.5 * step)
    result[active] = x
    return result


class Preconditioner:
    """Rescale coefficients along the few directions in which the rows (n, d) vary most.

    A step that is safe along these directions is short for all others. Measured in units of its own
    curvature, each direction allows a longer step. Rows have a mean near zero; `weights` (n, m) are
    theirs in each output. N. Halko, P. G. Martinsson and J. A. Tropp, Finding Structure with
    Randomness, SIAM Review 53 (2011), 217-288.
    """

    def __init__(self, Z: NDArray[Any], weights: Array) -> None:
        rank = min(RANK, *Z.shape)
        basis = np.random.default_rng(0).normal(size=(Z.shape[1], rank))
        row_weights = (weights.sum(axis=1, keepdims=True) / weights.sum()).astype(Z.dtype)
        for _ in range(POWER_ITERATIONS):
            basis = np.linalg.qr(basis)[0]
            found = Z @ basis.astype(Z.dtype)
            basis = (Z.T @ (row_weights * found)).astype(np.float64)
        self.basis, self.variance, _ = np.linalg.svd(basis, full_matrices=False)

    def at(self, strength: float) -> tuple[Array, float]:
        """Return the unit of length along each direction, and the second derivative in it."""
        curvature = float(CURVATURE * self.variance[-1] + strength)
        lengths: Array = np.sqrt(curvature / (CURVATURE * self.variance + strength))
        return lengths, curvature

    def rescale(self, coef: Array, lengths: Array) -> Array:
        """Return (K, d + 1) coefficients with the part along each direction scaled."""
        result = coef.copy()
        result[:, :-1] += ((coef[:, :-1] @ self.basis) * (lengths - 1.0)) @ self.basis.T
        return result


def _downhill(gradient: Array, pairs: deque[tuple[Array, Array, Array]], scale: Array) -> Array:
    """Return minus the gradient times the inverse Hessian estimated from the pairs."""
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
