"""Score how much images look like one of the classes, by models that have not seen them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outgroup._numeric import centre_and_scale, standardised, unit_rows
from outgroup.calibration import assign_folds
from outgroup.detectors.gaussian import Mahalanobis
from outgroup.heads import one_thread

Array = NDArray[np.float64]

#: Applies a function to chunks, and yields the results in their order. The first argument returns
#: the function; each worker calls it once. See `Engine.map`.
Map: TypeAlias = Callable[[Callable[[], Callable[[Any], Any]], Iterable[Any]], Iterator[Any]]

#: Nearest known images of each image.
NEIGHBOURS = 5

#: Folds of known images and of negatives.
FOLDS = 5

#: Largest number of negatives that the linear model learns from.
LEARNED = 6_000

#: The linear model does not learn from negatives of the pool that are nearer to the classes than
#: this share of the known images.
IN_DOUBT = 0.99

#: Penalty of the squared coefficients of standardised columns; the weights of all rows add up to 1.
STRENGTH = 0.3

#: Rows that are scored at once.
BLOCK = 2048


@dataclass(frozen=True)
class Likeness:
    """How much each of n images looks like a class.

    Parameters
    ----------
    other_score : ndarray of shape (n,), float64
        Higher = more other; infinite if most of the nearest known images are of another class.
    neighbours : ndarray of shape (n, k), int64
        The nearest known images, as rows among the known ones, nearest first.
    distances : ndarray of shape (n, k), float32
        Cosine distance to each.
    """

    label: NDArray[np.int64]
    other_score: Array
    neighbours: NDArray[np.int64]
    distances: NDArray[np.float32]


def map_here(make: Callable[[], Callable[[Any], Any]], chunks: Iterable[Any], /) -> Iterator[Any]:
    """Apply a function to chunks in this process."""
    return map(make(), chunks)


def compare_with_classes(
    known: NDArray[Any],
    y: NDArray[np.int64],
    verified: NDArray[Any],
    pool: NDArray[Any],
    units: tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None],
    seed: int = 0,
    mapped: Map = map_here,
) -> tuple[Likeness, Likeness, Likeness]:
    """Score known images, verified negatives and a pool by models that have not seen the image.

    The score joins three: the Mahalanobis distance to the classes, the mean distance to the nearest
    known images, and a linear model of the classes against the negatives. The linear model does not
    learn from images of the pool with a small Mahalanobis distance, because images of a class among
    its negatives would teach it to reject that class. Each score is standardised by the held-out
    scores of known images, and their softplus is added, as in the strategy ``blend``.

    Parameters
    ----------
    pool : ndarray of shape (N, d), floating
        Embeddings of a pool; N may be 0. It may be a memory map, which is read in blocks.
    units : tuple of three (ndarray or None)
        The groups of known images, verified negatives and the pool, which are never split; None if
        each image stands alone.
    """
    rows, maps = (known, verified, pool), (map_here, map_here, mapped)
    strata = (y, np.zeros(len(verified)), np.zeros(len(pool)))
    folds = [assign_folds(strata[i], FOLDS, units[i], seed) for i in range(3)]
    own = np.arange(len(known)) if units[0] is None else units[0]
    with one_thread():
        shape = Mahalanobis()
        shapes = [shape.cross_fit(known, y, folds[0])]
        shape.fit(known, y)
        for i in (1, 2):
            parts = _by_blocks(maps[i], shape.other_score, rows[i])
            shapes.append(np.concatenate([np.empty(0), *parts]))
        k = _n_neighbours(own)
        nearest = partial(_nearest, unit_rows(known).astype(_floats(known[:0]).dtype), own, k)
        near = []
        for i in range(3):
            columns = (rows[i], own) if i == 0 else (rows[i],)
            pairs = [*_by_blocks(maps[i], nearest, *columns)]
            empty = np.empty((0, k), np.int64), np.empty((0, k), np.float32)
            near.append(tuple(map(np.concatenate, zip(empty, *pairs, strict=True))))
        doubted = shapes[2] <= np.quantile(shapes[0], IN_DOUBT)
        linear = _linear_scores(rows, y, folds, ~doubted, seed, maps)
    members = [shapes, [distances.mean(axis=1) for _, distances in near]]
    labels = [y[neighbours[:, 0]] for neighbours, _ in near]
    if linear is not None:
        members.append([-scores.max(axis=1) for scores in linear])
        labels = [scores.argmax(axis=1) for scores in linear]
    standards = [centre_and_scale(member[0]) for member in members]
    found = []
    for i, (neighbours, distances) in enumerate(near):
        other_score = np.zeros(len(labels[i]))
        for member, standard in zip(members, standards, strict=True):
            other_score += np.logaddexp(0.0, standardised(member[i], standard))
        agreeing = (y[neighbours] == labels[i][:, np.newaxis]).mean(axis=1)
        other_score[agreeing <= 0.5] = np.inf
        found.append(Likeness(labels[i], other_score, neighbours, distances))
    return found[0], found[1], found[2]


def _linear_scores(
    rows: tuple[NDArray[Any], ...],
    y: NDArray[np.int64],
    folds: list[NDArray[np.int64]],
    clear: NDArray[np.bool_],
    seed: int,
    maps: tuple[Map, ...],
) -> list[Array] | None:
    """Return the (n, K) scores of the linear model; None for one class and no negatives."""
    known, verified, pool = rows
    learned = np.flatnonzero(clear)
    room = max(LEARNED - len(verified), LEARNED // 2)
    if len(learned) > room:
        learned = np.sort(np.random.default_rng(seed).choice(learned, room, replace=False))
    n_negatives = len(verified) + len(learned)
    if not n_negatives and y.max() == 0:
        return None
    model = LinearModels(
        np.concatenate([_floats(known), _floats(verified), _floats(pool[learned])]),
        np.concatenate([y, np.full(n_negatives, -1)]),
        np.concatenate([folds[0], folds[1], folds[2][learned]]),
    )
    empty = np.empty((0, int(y.max()) + 1))
    return [
        np.concatenate([empty, *_by_blocks(maps[i], model.scores, rows[i], folds[i])])
        for i in range(3)
    ]


class LinearModels:
    """Least squares of each class against the rest, by one model for each fold.

    All classes together weigh as much as all negatives (-1 in `y`), and each class the same. A Gram
    matrix for each fold is enough: the model without a fold solves the sum of the others.
    """

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], folds: NDArray[np.int64]) -> None:
        from scipy.linalg import cho_factor, cho_solve  # slow to import; prediction does without

        n_classes, d = int(y.max()) + 1, X.shape[1]
        self.mean = X.mean(axis=0, dtype=np.float64)
        scale = np.sqrt(np.maximum(X.var(axis=0, dtype=np.float64), 0.0))
        typical = float(np.sqrt((scale**2).mean())) or 1.0
        self.scale = np.where(scale > 1e-3 * typical, scale, typical)
        root = np.sqrt(_row_weights(y)).astype(np.float32)[:, np.newaxis]
        targets = np.where(y[:, np.newaxis] == np.arange(n_classes), root, -root)
        grams = np.zeros((FOLDS, d + 1, d + 1))
        products = np.zeros((FOLDS, d + 1, n_classes))
        for fold in range(FOLDS):
            rows = folds == fold
            Z = self._standardised(X[rows]) * root[rows]
            grams[fold], products[fold] = Z.T @ Z, Z.T @ targets[rows]
        gram, product = grams.sum(axis=0), products.sum(axis=0)
        penalty = np.full(d + 1, STRENGTH)
        penalty[-1] = 1e-9  # of the intercept
        self.coef = np.empty((FOLDS, d + 1, n_classes))
        for fold in range(FOLDS):
            rest = gram - grams[fold]
            rest.flat[:: d + 2] += penalty
            solved = cho_factor(rest, lower=True, overwrite_a=True, check_finite=False)
            self.coef[fold] = cho_solve(solved, product - products[fold], check_finite=False)

    def scores(self, X: NDArray[Any], folds: NDArray[np.int64]) -> Array:
        """Return the (n, K) scores of rows, each by the model of its fold."""
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


def _row_weights(y: NDArray[np.int64]) -> Array:
    """Return weights that add up to 1.

    >>> _row_weights(np.array([0, 0, 1, -1]))
    array([0.125, 0.125, 0.25 , 0.5  ])
    """
    present, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    n_classes = int((present >= 0).sum())
    shares = np.where(present < 0, 0.5, 0.5 / n_classes)
    weights: Array = shares[index] / counts[index]
    weights /= weights.sum()
    return weights


def _n_neighbours(own: NDArray[Any]) -> int:
    """Return how many neighbours of other units every known image has, `NEIGHBOURS` at most."""
    largest = int(np.unique(own, return_counts=True)[1].max())
    return max(1, min(NEIGHBOURS, len(own) - largest))


def _nearest(
    bank: NDArray[Any],
    own: NDArray[Any],
    k: int,
    rows: NDArray[Any],
    units: NDArray[Any] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest rows of the bank and their distances; not those of the same unit."""
    cosines = unit_rows(rows).astype(rows.dtype) @ bank.T
    if units is not None:
        cosines[units[:, np.newaxis] == own] = -np.inf
    nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(cosines, nearest, axis=1)
    order = np.lexsort((nearest, -values), axis=1)
    far = np.maximum(1.0 - np.take_along_axis(values, order, axis=1), 0.0)
    return np.take_along_axis(nearest, order, axis=1), far.astype(np.float32)


@dataclass(frozen=True)
class BlockFunction:
    """Makes a function of blocks of columns, which can be sent to another process."""

    function: Callable[..., Any]

    def __call__(self) -> Callable[[tuple[NDArray[Any], ...]], Any]:
        """Return the function."""
        return self._apply

    def _apply(self, block: tuple[NDArray[Any], ...]) -> Any:
        with one_thread():  # the last bits of a sum depend on the number of threads
            return self.function(_floats(block[0]), *block[1:])


def _by_blocks(on: Map, function: Callable[..., Any], *columns: NDArray[Any]) -> Iterator[Any]:
    """Yield the results of a function for `BLOCK` rows of the columns at a time."""
    rows = blocks(len(columns[0]))
    return on(
        BlockFunction(function), (tuple(np.asarray(one[some]) for one in columns) for some in rows)
    )


def blocks(n: int) -> Iterator[slice]:
    """Yield slices that cover n rows, `BLOCK` at a time."""
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _floats(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows in single precision at least; those of a pool may be half precision."""
    return rows if rows.dtype.itemsize >= 4 else rows.astype(np.float32)
