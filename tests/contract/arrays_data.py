"""Small made embeddings: kinds of rows, each around a direction of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

D = 12
NAMES = np.array(["cat", "dog", "giraffe"])


def rows(kinds: Any, seed: int) -> NDArray[np.float64]:
    """Return a row of D numbers for each kind, which is a number below D."""
    noise = np.random.default_rng(seed).normal(size=(len(kinds), D))
    return 3.5 * np.eye(D)[np.asarray(kinds)] + noise * np.linspace(0.7, 1.4, D)


def world(n: int = 80, classes: int = 3, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return embeddings and names of `n` rows of each class."""
    kinds = np.repeat(np.arange(classes), n)
    return rows(kinds, seed), NAMES[kinds]


def negatives(n: int = 60, seed: int = 1) -> NDArray[np.float64]:
    """Return `n` rows of each of two kinds that are no class."""
    return rows(np.repeat([4, 5], n), seed)


def new() -> NDArray[np.float64]:
    """Return 14 rows: of each class, between two of them, of other kinds, nothing, and far away."""
    centres = 3.5 * np.eye(D)
    between = [2.2 * (np.eye(D)[0] + np.eye(D)[1]), 2.2 * (np.eye(D)[1] + np.eye(D)[2])]
    odd = [*between, np.zeros(D), 9 * centres[0], 9 * centres[6] + centres[7]]
    return np.vstack([rows([0, 0, 1, 1, 2, 2, 4, 5, 6], seed=2), np.array(odd)])


def labels_world(n: int = 200, seed: int = 10) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return `n` embeddings and a matrix that says which of three labels each has, if any."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, 3)) < 0.35).astype(np.int64)
    return rng.normal(size=(n, D)) * np.linspace(0.7, 1.4, D) + 4.0 * Y @ np.eye(3, D), Y


def columns_world(n: int = 200, seed: int = 20) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return `n` embeddings and their animals, which may be none, and their sizes."""
    rng = np.random.default_rng(seed)
    animal, size = rng.integers(0, 4, n), rng.integers(0, 3, n)
    X = rng.normal(size=(n, D)) * np.linspace(0.7, 1.4, D)
    X += 4.0 * np.eye(D)[animal] + 4.0 * np.eye(D)[4 + size]
    animals = np.array([*NAMES, None], dtype=object)[animal]
    return X, np.stack([animals, np.array([100, 5, 20], dtype=object)[size]], axis=1)


def partly_wrong(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels of which each seventh row has those of another row.

    In float32 a head that can be as sure as it likes has scores that depend on the last bits.
    """
    result = labels.copy()
    result[3::7] = np.roll(labels[3::7], 1, axis=0)
    return result


def new_of_several(first: int, second: int) -> NDArray[np.float64]:
    """Return 12 rows: of `first` and `second`, of each, both, others, nothing, and far away."""
    eye = 4.0 * np.eye(D)
    noise = np.random.default_rng(30).normal(size=(8, D)) * np.linspace(0.7, 1.4, D)
    kinds = np.array([[first, second], [first, 9], [9, second], [first, first]] * 2)
    made = eye[kinds[:, 0]] + np.where(kinds[:, 1:] == kinds[:, :1], 0.0, eye[kinds[:, 1]]) + noise
    odd = [np.zeros(D), 3 * eye[8], 3 * eye[first], (eye[first] + eye[second]) / 2]
    return np.vstack([made, odd])
