"""Negatives that look like the known classes, and how many of them a pool is likely to hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration.certificate import percent
from outgroup.contamination._readout import blocks
from outgroup.contamination.cut import INNER, cut_level
from outgroup.contamination.levels import Levels
from outgroup.contamination.mapped import Map, map_here
from outgroup.contamination.share import Count, Share, estimate_share
from outgroup.contamination.views import Views, look
from outgroup.errors import InfeasibleTargetError, InvalidDataError
from outgroup.images import ImageSource
from outgroup.neighbours import Neighbour
from outgroup.training_set import TrainingSet, units_in

#: Negatives that somebody has looked at are named only if they lie as far inside a class as this
#: share of its own images does not: look-alikes are meant to look like it.
SURE = INNER


@dataclass(frozen=True)
class Suspect:
    """A negative that looks like a known class.

    Parameters
    ----------
    row : int
        Its row among the negatives of its kind.
    label : str
        The class that it seems to show.
    score : float
        Share of the known images of that class that look no more like it than this one does, by
        models that have not seen them; in (0, 1], higher = more like the class.
    nearest : tuple of Neighbour
        The nearest known images, nearest first.
    path : str or None
        Where it is from.
    load : callable or None
        Returns the image, where it is not at that path for certain, as those of a `Pool` are not.
    """

    row: int
    label: str
    score: float
    nearest: tuple[Neighbour, ...]
    path: str | None = None
    load: Callable[[], ImageSource] | None = field(default=None, repr=False, compare=False)

    @property
    def why(self) -> str:
        """The reason, in words."""
        same = sum(neighbour.label == self.label for neighbour in self.nearest)
        return (
            f"scored like {self.label!r} by models that never saw it ({percent(self.score)} of the "
            f"known images of {self.label!r} look no more like it), and {same} of its "
            f"{len(self.nearest)} nearest known images are {self.label!r}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "path": self.path,
            "row": self.row,
            "label": self.label,
            "score": round(self.score, 4),
            "why": self.why,
            "nearest": [neighbour.to_dict() for neighbour in self.nearest],
        }


@dataclass(frozen=True)
class Contamination:
    """What a pool holds of the known classes.

    Parameters
    ----------
    n_pool : int
        Images of the pool.
    suspects : tuple of Suspect
        Those of the pool that look like a class, most like it first.
    share : Share or None
        An estimate of how many show a class, whether suspected or not.
    no_share : str or None
        Why there is no estimate.
    doubted : tuple of Suspect
        Negatives that were vouched for and look like a class all the same.
    n_vouched : int
        How many were vouched for.
    """

    n_pool: int
    suspects: tuple[Suspect, ...]
    share: Share | None
    no_share: str | None
    doubted: tuple[Suspect, ...]
    n_vouched: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the suspects in the pool, sorted."""
        return np.sort(np.array([suspect.row for suspect in self.suspects], dtype=np.int64))


def find_suspects(
    known: TrainingSet,
    pool: NDArray[Any],
    pool_units: NDArray[Any] | None = None,
    pool_paths: Any = None,
    seed: int = 0,
    mapped: Map = map_here,
) -> Contamination:
    """Find images of the known classes among negatives that nobody has looked at.

    Parameters
    ----------
    known : TrainingSet
        Known images, and negatives that are vouched for, if there are any: these are learned from,
        and bound how often an image of no class is suspected.
    pool : ndarray of shape (N, d), floating
        Embeddings of the pool, of the layer "last"; it may be a memory map. Its rows should be in
        an order that does not depend on that of the files.
    pool_units : ndarray of shape (N,) or None
        The group of each, where some belong together; None: each stands alone.
    pool_paths : sequence of (str or None) or None
        Where they are from.
    seed : int, default=0
        Seed of the parts that images are dealt into.
    mapped : Map
        What applies models to blocks of the pool, such as the ``map`` of an engine.

    Returns
    -------
    Contamination

    Raises
    ------
    InvalidDataError
        If the pool's embeddings have another width than the known ones, or are not finite.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(60, 8)), np.arange(60) % 2
    >>> known = TrainingSet({"last": X + 9 * np.eye(8)[y]}, y, ("cat", "dog"))
    >>> pool = rng.normal(size=(100, 8)) + 9 * np.eye(8)[5]
    >>> pool[7] = X[0] + 9 * np.eye(8)[0] + 0.1  # a cat
    >>> found = find_suspects(known, pool)
    >>> [(suspect.row, suspect.label) for suspect in found.suspects]
    [(7, 'cat')]
    """
    is_known, last = known.y >= 0, known.features["last"]
    _check(pool, last)
    known_units, vouched_units = units_in(known, is_known), units_in(known, ~is_known)
    y = known.y[is_known]
    units = known_units, vouched_units, pool_units
    views = look(last[is_known], y, last[~is_known], pool, *units, seed, mapped)
    of_known, of_vouched, of_pool = views
    levels = Levels(of_known.other_score, of_known.label, _weights(known_units))
    at_known, at_vouched, at_pool = (levels(v.other_score, v.label) for v in views)
    chosen = np.zeros(len(pool), dtype=np.bool_)
    for k in range(len(known.classes)):
        of_class = of_pool.label == k
        chosen |= of_class & (at_pool > cut_level(at_pool[of_class]))
    kept = np.flatnonzero(is_known)

    def listed(rows: NDArray[np.int64], view: Views, at: NDArray[Any], paths: Any) -> Any:
        rows = rows[np.lexsort((rows, -at[rows]))]
        return tuple(_suspect(int(i), view, at, known, kept, paths) for i in rows)

    vouched_rows = np.flatnonzero(~is_known)
    vouched_paths = None if known.paths is None else [known.paths[i] for i in vouched_rows.tolist()]
    share, no_share = None, None
    try:
        look_alikes = _count(at_vouched, vouched_units, up=True) if len(vouched_rows) else None
        recognised = _count(at_known, known_units, up=False)
        n = _effective(y, of_pool.label[chosen], known_units)
        recognised = Count(recognised.k / recognised.n * n, n)
        share = estimate_share(_count(at_pool, pool_units, up=True), recognised, look_alikes)
    except InfeasibleTargetError as error:
        no_share = str(error)
    return Contamination(
        n_pool=len(pool),
        suspects=listed(np.flatnonzero(chosen), of_pool, at_pool, pool_paths),
        share=share,
        no_share=no_share,
        doubted=listed(np.flatnonzero(at_vouched > SURE), of_vouched, at_vouched, vouched_paths),
        n_vouched=len(vouched_rows),
    )


def _suspect(
    row: int, view: Views, at: NDArray[Any], known: TrainingSet, kept: NDArray[Any], paths: Any
) -> Suspect:
    nearest = tuple(
        Neighbour(
            path=None if known.paths is None else known.paths[int(kept[i])],
            label=known.classes[known.y[kept[i]]],
            distance=round(float(distance), 4),
            row=int(kept[i]),
        )
        for i, distance in zip(view.neighbours[row], view.distances[row], strict=True)
    )
    path = None if paths is None else paths[row]
    return Suspect(row, known.classes[view.label[row]], float(at[row]), nearest, path)


def _weights(units: NDArray[Any] | None) -> NDArray[np.float64] | None:
    """Return one over the size of each image's group, None where there are no groups."""
    if units is None:
        return None
    _, index, counts = np.unique(units, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / counts[index]
    return weights


def _count(levels: NDArray[np.float64], units: NDArray[Any] | None, up: bool) -> Count:
    """Count what lies in the inner half, in groups where there are groups."""
    weights = _weights(units)
    if weights is None:
        return Count(float((levels > INNER).sum()), float(len(levels)))
    k = float(weights[levels > INNER].sum())
    k = max(0.0, float(np.ceil(k - 1e-9) if up else np.floor(k + 1e-9)))  # and not -0.0
    return Count(k, float(round(weights.sum())))


def _effective(
    y: NDArray[np.int64], suspected: NDArray[np.int64], units: NDArray[Any] | None
) -> float:
    """Return how many known images the recognition of the suspects rests on.

    Each class is recognised at a rate that its own images tell, so that suspects which are all of a
    small class are counted by few.
    """
    n_classes = int(y.max()) + 1
    weights = np.ones(len(y)) if units is None else _weights(units)
    own = np.bincount(y, weights, minlength=n_classes)
    mix = np.bincount(suspected, minlength=n_classes).astype(np.float64)
    if not mix.any():
        return float(own.sum())
    mix /= mix.sum()
    return float(1.0 / (mix**2 / np.maximum(own, 1.0)).sum())


def _check(pool: NDArray[Any], last: NDArray[Any]) -> None:
    if pool.ndim != 2 or pool.shape[1] != last.shape[1]:
        raise InvalidDataError(
            f"The embeddings of the pool must have {last.shape[1]} columns, as those of the known "
            f"images. Got shape {pool.shape}. Were they made with another backbone?"
        )
    strange = sum(int((~np.isfinite(pool[some]).all(axis=1)).sum()) for some in blocks(len(pool)))
    if strange:
        raise InvalidDataError(
            f"The embeddings of the pool have NaN or infinite values in {strange} rows. Leave "
            "these rows out."
        )
