"""How much each image looks like one of the classes, by models that have not seen it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import assign_folds
from outgroup.contamination._readout import Readout, blocks
from outgroup.contamination.mapped import (
    LinearScores,
    Map,
    Nearest,
    ShapeScores,
    directions,
    floats,
    map_here,
)
from outgroup.detectors.mahalanobis import Mahalanobis
from outgroup.heads import one_thread

Array = NDArray[np.float64]

#: Known images that each image is compared with one by one.
NEIGHBOURS = 5

#: Parts that known images and negatives are dealt into; each is scored by models of the others.
PARTS = 5

#: Negatives that are learned from at most; beyond that more of them teach nothing new.
LEARNED = 6_000

#: A negative that is nearer to the classes than this share of known images is not learned from.
IN_DOUBT = 0.99


@dataclass(frozen=True)
class Views:
    """What three views say of n images.

    Parameters
    ----------
    label : ndarray of shape (n,), int64
        The class that a linear model which has not seen the image takes it for.
    other_score : ndarray of shape (n,), float64
        How much it looks like none of the classes, all views joined; infinite where the nearest
        known images are mostly of another class than `label`.
    neighbours : ndarray of shape (n, k), int64
        The nearest known images, as rows among the known ones, nearest first.
    distances : ndarray of shape (n, k), float32
        One less the cosine to each.
    """

    label: NDArray[np.int64]
    other_score: Array
    neighbours: NDArray[np.int64]
    distances: NDArray[np.float32]


def look(
    known: NDArray[Any],
    y: NDArray[np.int64],
    vouched: NDArray[Any],
    pool: NDArray[Any],
    known_units: NDArray[Any] | None = None,
    vouched_units: NDArray[Any] | None = None,
    pool_units: NDArray[Any] | None = None,
    seed: int = 0,
    mapped: Map = map_here,
) -> tuple[Views, Views, Views]:
    """Look at every image by models that have not seen it.

    The views are the distance from the shape of the classes, the distance to the nearest known
    images, and a linear model of the classes against all negatives but the image's own part. What
    the first takes for known by a wide margin is not learned from by the last, so that images of
    the classes among the negatives don't teach it to reject them. Each view is standardised by what
    held-out known images get, and the softplus of each is added, as in the strategy ``blend``.

    Parameters
    ----------
    known : ndarray of shape (n, d), floating
        Embeddings of known images.
    y : ndarray of shape (n,), int64
        Their class indices.
    vouched : ndarray of shape (m, d), floating
        Embeddings of negatives that somebody has looked at; maybe none.
    pool : ndarray of shape (N, d), floating
        Embeddings of negatives that nobody has looked at; maybe none. It may be a memory map: it is
        read in blocks, and at most `LEARNED` rows are held.
    known_units, vouched_units, pool_units : ndarray or None
        The group of each; None: each image stands alone. Groups are never split.
    seed : int, default=0
        Seed of the parts.
    mapped : Map
        What applies models to blocks of the pool.

    Returns
    -------
    known, vouched, pool : Views
    """
    parts = [
        assign_folds(labels, PARTS, units, seed)
        for labels, units in (
            (y, known_units),
            (np.zeros(len(vouched)), vouched_units),
            (np.zeros(len(pool)), pool_units),
        )
    ]
    with one_thread():
        shape = Mahalanobis()
        shapes = [shape.cross_fit(known, y, parts[0])]
        shape.fit(known, y)
        shapes += [
            _joined(on(ShapeScores(shape), _blocks(rows)))
            for on, rows in ((map_here, vouched), (mapped, pool))
        ]
        own = np.arange(len(known)) if known_units is None else known_units
        near = [
            _nearest(known, known, own, own),
            _nearest(vouched, known, None, own),
            _nearest(pool, known, None, own, mapped),
        ]
        doubted = shapes[2] <= np.quantile(shapes[0], IN_DOUBT)
        linear = _linear((known, vouched, pool), y, parts, ~doubted, seed, mapped)
    centred = [_standards(shapes[0]), _standards(near[0][1].mean(axis=1))]
    if linear is not None:
        centred.append(_standards(-linear[0].max(axis=1)))
    views = []
    for i, (rows, distances) in enumerate(near):
        labels = y[rows]
        members = [shapes[i], distances.mean(axis=1)]
        taken = labels[:, 0] if linear is None else linear[i].argmax(axis=1)
        if linear is not None:
            members.append(-linear[i].max(axis=1))
        other_score = np.zeros(len(rows))
        for member, (centre, scale) in zip(members, centred, strict=True):
            other_score += np.logaddexp(0.0, (member - centre) / scale)
        agreeing = (labels == taken[:, np.newaxis]).mean(axis=1)
        other_score[agreeing <= 0.5] = np.inf
        views.append(Views(taken, other_score, rows, distances))
    return views[0], views[1], views[2]


def _linear(
    rows: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    y: NDArray[np.int64],
    parts: list[NDArray[np.int64]],
    clear: NDArray[np.bool_],
    seed: int,
    mapped: Map,
) -> list[Array] | None:
    """Return the scores of the linear view, None if there is nothing to tell apart."""
    rng = np.random.default_rng(seed)
    vouched = np.arange(len(rows[1]))
    pool = np.flatnonzero(clear)
    room = max(LEARNED - len(vouched), LEARNED // 2)
    if len(pool) > room:
        pool = np.sort(rng.choice(pool, room, replace=False))
    if not len(vouched) + len(pool) and y.max() == 0:
        return None
    learned = np.concatenate([floats(part) for part in (rows[0], rows[1], rows[2][pool])])
    targets = np.concatenate([y, np.full(len(vouched) + len(pool), -1)])
    readout = Readout(learned, targets, np.concatenate([*parts[:2], parts[2][pool]]), PARTS)
    return [
        _joined(on(LinearScores(readout), _blocks(part, folds)), int(y.max()) + 1)
        for on, part, folds in zip((map_here, map_here, mapped), rows, parts, strict=True)
    ]


def _nearest(
    rows: NDArray[Any],
    known: NDArray[Any],
    units: NDArray[Any] | None,
    own: NDArray[Any],
    mapped: Map = map_here,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest known rows and their distances, nearest first.

    Where `units` are given, the rows are the known ones themselves, and a row of the same unit is
    no neighbour: there may be fewer than `NEIGHBOURS`, so all get as many as the worst has.
    """
    k = min(NEIGHBOURS, len(known))
    if len(known) > 1:
        largest = int(np.unique(own, return_counts=True)[1].max())
        k = max(1, min(k, len(known) - largest))
    found = np.empty((len(rows), k), dtype=np.int64)
    distances = np.empty((len(rows), k), dtype=np.float32)
    near = Nearest(directions(floats(known)), own, k)
    given = _blocks(rows) if units is None else _blocks(rows, units)
    for some, (nearest, far) in zip(blocks(len(rows)), mapped(near, given), strict=True):
        found[some], distances[some] = nearest, far
    return found, np.maximum(distances, 0.0)


def _blocks(*columns: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield some rows of each array at a time."""
    for some in blocks(len(columns[0])):
        yield tuple(np.asarray(column[some]) for column in columns)


def _joined(parts: Iterable[Array], width: int | None = None) -> Array:
    """Return the rows of all blocks, none at all included."""
    empty = np.empty((0,) if width is None else (0, width))
    return np.concatenate([empty, *parts])


def _standards(scores: Array) -> tuple[float, float]:
    centre = float(np.median(scores))
    return centre, float(np.median(np.abs(scores - centre))) or 1.0
