"""Find negatives that look like a class, and set a cut for each class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from outgroup.calibration import HeldOut
from outgroup.calibration.certificate import percent
from outgroup.contamination.scores import Likeness, Map, blocks, compare_with_classes, map_here
from outgroup.contamination.share import Count, Share, estimate_share
from outgroup.errors import InfeasibleTargetError, InvalidDataError
from outgroup.images import ImageSource
from outgroup.predictions import Neighbour
from outgroup.training_set import TrainingSet

#: Above this level, images that look like a class are taken to show it: half of its images do.
INNER = 0.5

#: Ends of the zones below `INNER`. Below the last, known images look like no class themselves.
ZONES = (0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03)

#: A zone is cut off if a test at this level shows that most of its images are not of the class.
RISK = 0.05

#: Number of negatives that a warning names.
NAMED = 3


@dataclass(frozen=True)
class Suspect:
    """A negative that looks like a known class.

    Parameters
    ----------
    row : int
        Its row in the pool, or among the verified negatives.
    score : float
        Its level: the share of held-out known images of that class that look no more like it;
        in (0, 1], higher = more like the class.
    load : callable or None
        Returns the image, if it may not be at its path, such as an image of a `Pool`.
    """

    row: int
    label: str
    score: float
    nearest: tuple[Neighbour, ...]
    path: str | None = None
    load: Callable[[], ImageSource] | None = field(default=None, repr=False, compare=False)

    @property
    def why(self) -> str:
        """The reason in words."""
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
    """Images of a pool, and verified negatives, that look like a class.

    Parameters
    ----------
    share : Share or None
        Estimated share of the pool's images that show a class, suspects or not.
    no_share : str or None
        Why there is no estimate.
    doubted : tuple of Suspect
        Verified negatives that look like a class.
    """

    n_pool: int
    suspects: tuple[Suspect, ...]
    share: Share | None
    no_share: str | None
    doubted: tuple[Suspect, ...]
    n_verified: int

    @property
    def warnings(self) -> list[str]:
        """A message on verified negatives that look like a class, if there are any."""
        if not self.doubted:
            return []
        n, named = len(self.doubted), self.doubted[:NAMED]
        listed = ", ".join(f"{one.path or f'row {one.row}'} ({one.label})" for one in named)
        more = f" and {n - len(named)} more" if n > len(named) else ""
        return [
            f"{n} of the {self.n_verified} verified negatives look like your classes to models "
            f"that have not learned from them: {listed}{more}. If they show a class, take them "
            "out; if not, they are the most useful ones."
        ]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the suspects in the pool, sorted, (n,)."""
        return np.sort(np.array([suspect.row for suspect in self.suspects], dtype=np.int64))


def find_suspects(
    known: TrainingSet,
    pool: NDArray[Any],
    pool_units: NDArray[Any] | None = None,
    pool_paths: Any = None,
    seed: int = 0,
    mapped: Map = map_here,
) -> Contamination:
    """Find images of a pool that look like one of the classes.

    Parameters
    ----------
    known : TrainingSet
        Known images, and verified negatives if there are any: the models learn from these, and
        they bound how often an image of no class is a suspect.
    pool : ndarray of shape (N, d), floating
        Embeddings of the pool, of the layer "last"; it may be a memory map. The order of its rows
        should not depend on the order of the files.
    pool_units : ndarray of shape (N,) or None
        The group of each; None if each image stands alone.
    mapped : Map
        Applies models to blocks of the pool, such as the ``map`` of an engine.
    """
    is_known, last = known.y >= 0, known.features["last"]
    _check(pool, last)
    units = known.units_of(is_known), known.units_of(~is_known), pool_units
    y, verified = known.y[is_known], last[~is_known]
    likeness = compare_with_classes(last[is_known], y, verified, pool, units, seed, mapped)
    of_known, of_verified, of_pool = likeness
    weights = _weights(units[0], len(y))
    at_known, at_verified, at_pool = (class_levels(one, of_known, weights) for one in likeness)
    chosen = np.zeros(len(pool), dtype=np.bool_)
    for k in range(len(known.classes)):
        of_class = of_pool.label == k
        chosen |= of_class & (at_pool > cut_level(at_pool[of_class]))
    known_rows, verified_rows = np.flatnonzero(is_known), np.flatnonzero(~is_known)
    verified_paths = (
        None if known.paths is None else [known.paths[i] for i in verified_rows.tolist()]
    )
    share, no_share = None, None
    try:
        look_alikes = _count(at_verified, units[1], up=True) if len(verified) else None
        recognised = _count(at_known, units[0], up=False)
        n = _effective_n(y, of_pool.label[chosen], weights)
        recognised = Count(recognised.k / recognised.n * n, n)
        share = estimate_share(_count(at_pool, units[2], up=True), recognised, look_alikes)
    except InfeasibleTargetError as error:
        no_share = str(error)
    return Contamination(
        n_pool=len(pool),
        suspects=_suspects(chosen, of_pool, at_pool, known, known_rows, pool_paths),
        share=share,
        no_share=no_share,
        doubted=_suspects(
            at_verified > INNER, of_verified, at_verified, known, known_rows, verified_paths
        ),
        n_verified=len(verified),
    )


def class_levels(
    images: Likeness, known: Likeness, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of held-out known images of the same class that look no more like it, (n,).

    Levels of images of a class are spread evenly from 0 to 1; an image that is farther out than all
    known images has 0. They are conformal p-values of "this image shows the class", for one class
    at a time (Bates et al. 2023, Annals of Statistics 51, 149-178). `weights` are those of the
    known images.
    """
    found = np.zeros(len(images.label))
    for k in np.unique(known.label):
        rows = (images.label == k) & np.isfinite(images.other_score)
        of_class = np.flatnonzero(known.label == k)
        order = of_class[np.argsort(known.other_score[of_class], kind="stable")]
        above = np.cumsum(weights[order][::-1])[::-1] / weights[order].sum()
        place = np.searchsorted(known.other_score[order], images.other_score[rows], side="left")
        found[rows] = np.append(above, 0.0)[place]
    return found


def cut_level(levels: NDArray[np.float64]) -> float:
    """Return the level above which images that look like a class are suspects.

    Levels of images of the class are spread evenly, and anything else is the rarer the higher the
    level. So the number of images above `INNER` tells how many images of the class to expect in
    each zone below (Storey 2002). The cut is where the first zone begins that holds significantly
    more than twice as many, by the binomial test of two counts.

    References
    ----------
    J. D. Storey, A Direct Approach to False Discovery Rates, J. R. Stat. Soc. B 64 (2002), 479-498.
    J. Przyborowski and H. Wilenski, Homogeneity of Results in Testing Samples from Poisson Series,
    Biometrika 31 (1940), 313-323.
    """
    inside, inner = int((levels > INNER).sum()), INNER
    for outer in ZONES:
        found = int(((levels > outer) & (levels <= inner)).sum())
        twice = 2.0 * (inner - outer)
        share = twice / (twice + 1.0 - INNER)
        # P(at least `found` of all) if the zone is just twice as dense as above `INNER`
        if found and betainc(found, inside + 1, share) < RISK:
            return inner
        inner = outer
    return inner


def _suspects(
    chosen: NDArray[np.bool_],
    likeness: Likeness,
    level: NDArray[np.float64],
    known: TrainingSet,
    known_rows: NDArray[np.int64],
    paths: Any,
) -> tuple[Suspect, ...]:
    """Return the chosen images, the most certain first."""

    def neighbour(i: int, distance: float) -> Neighbour:
        path = None if known.paths is None else known.paths[i]
        return Neighbour(path, known.classes[known.y[i]], round(distance, 4), row=i)

    found = []
    for row in sorted(np.flatnonzero(chosen).tolist(), key=lambda row: (-level[row], row)):
        near = known_rows[likeness.neighbours[row]].tolist()
        nearest = tuple(map(neighbour, near, likeness.distances[row].tolist()))
        label = known.classes[likeness.label[row]]
        path = None if paths is None else paths[row]
        found.append(Suspect(row, label, float(level[row]), nearest, path))
    return tuple(found)


def _weights(units: NDArray[Any] | None, n: int) -> NDArray[np.float64]:
    """Return one over the size of each image's group, (n,)."""
    if units is None:
        return np.ones(n)
    _, index, counts = np.unique(units, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / counts[index]
    return weights


def _count(levels: NDArray[np.float64], units: NDArray[Any] | None, up: bool) -> Count:
    """Count the units above `INNER`, rounding parts of groups up or down."""
    if not len(levels):
        return Count(0, 0)
    held_out = HeldOut(levels, units)
    k = held_out.rejected(INNER) if up else held_out.n - held_out.accepted(INNER)
    return Count(k, held_out.n)


def _effective_n(
    y: NDArray[np.int64], suspected: NDArray[np.int64], weights: NDArray[np.float64]
) -> float:
    """Return how many known images the rate of recognising the suspects rests on.

    Each class is recognised at its own rate, so that suspects of a small class rest on few images.
    """
    n_classes = int(y.max()) + 1
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
            f"images, got shape {pool.shape}. Were they made with another backbone?"
        )
    strange = sum(int((~np.isfinite(pool[some]).all(axis=1)).sum()) for some in blocks(len(pool)))
    if strange:
        raise InvalidDataError(
            f"The embeddings of the pool have NaN or infinite values in {strange} rows. Leave "
            "these rows out."
        )
