from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

World = tuple[dict[str, np.ndarray], np.ndarray]


def labelled_world(n: int = 200, none: int = 60, seed: int = 0, d: int = 12) -> World:
    """Three labels that add up in twelve dimensions, and images of none of them, elsewhere."""
    rng = np.random.default_rng(seed)
    Y = np.zeros((n + none, 3), dtype=np.int64)
    Y[:n] = rng.random((n, 3)) < 0.35
    bare = np.flatnonzero(Y[:n].sum(axis=1) == 0)
    Y[bare, rng.integers(0, 3, len(bare))] = 1
    X = rng.normal(size=(n + none, d)) + 6 * Y @ np.eye(3, d)
    X[n:] += 5 * np.eye(d)[3 + np.arange(none) % 2]
    return {"last": X.astype(np.float32)}, Y


def far_away(n: int = 300, seed: int = 9, d: int = 12) -> dict[str, np.ndarray]:
    """Rows far from everything, on all sides."""
    directions = np.random.default_rng(seed).normal(size=(n, d))
    return {"last": 40 * directions / np.linalg.norm(directions, axis=1, keepdims=True)}


@pytest.fixture(scope="session")
def world() -> Callable[..., World]:
    return labelled_world


@pytest.fixture(scope="session")
def far() -> Callable[..., dict[str, np.ndarray]]:
    return far_away
