"""Which negatives of a pool to learn from: near ones, far ones and synthetic ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.pool.far_rows import FarRows
from outgroup.pool.near_rows import NearRows

NEAR, FAR = "near", "far"


class Chunk(NamedTuple):
    """Some rows of a pool.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Numbers by which the pool knows its rows; each comes once.
    features : ndarray of shape (m, d), float16 or float32
        Embeddings.
    sources : sequence of m str
        The collection each row is of.
    quarantined : ndarray of shape (m,), bool, or None
        Rows that may be of a known class and are not to be drawn.
    """

    rows: NDArray[np.int64]
    features: NDArray[Any]
    sources: Sequence[str]
    quarantined: NDArray[np.bool_] | None = None


class Counts(NamedTuple):
    """How many negatives of each kind."""

    near: int
    far: int
    synthetic: int


@dataclass(frozen=True)
class Drawn:
    """Rows that were drawn, each once.

    Parameters
    ----------
    rows : ndarray of shape (k,), int64
        Near ones first, in the order they were chosen, then far ones.
    why : tuple of k str
        "near" or "far".
    missing : int
        How many fewer than were asked for, because the pool has no more.
    """

    rows: NDArray[np.int64]
    why: tuple[str, ...]
    missing: int


def shares(n: int, near: float = 0.5, far: float = 0.4, synthetic: float = 0.1) -> Counts:
    """Return how many negatives of each kind make up n.

    Parameters
    ----------
    n : int
        How many in all.
    near, far, synthetic : float
        Shares; they add up to 1.

    Returns
    -------
    Counts
        What rounding leaves over goes to the largest remainders.

    Raises
    ------
    InvalidParameterError
        If a number is out of range, or the shares don't add up.

    Examples
    --------
    >>> shares(25)
    Counts(near=13, far=10, synthetic=2)
    >>> shares(10, near=0.8)
    Traceback (most recent call last):
    outgroup.errors.InvalidParameterError: The 'near', 'far' and 'synthetic' parameters must add up
    to 1. Got 0.8 + 0.4 + 0.1 instead. Give all three.
    """
    _whole(n=n)
    given = {"near": near, "far": far, "synthetic": synthetic}
    for name, share in given.items():
        real = isinstance(share, (int, float, np.number)) and not isinstance(share, bool)
        if not real or not 0.0 <= share <= 1.0:
            raise InvalidParameterError(
                f"The {name!r} parameter must be a share from 0 to 1. Got {share!r} instead."
            )
    if abs(sum(given.values()) - 1.0) > 1e-6:
        said = " + ".join(f"{share:g}" for share in given.values())
        raise InvalidParameterError(
            "The 'near', 'far' and 'synthetic' parameters must add up to 1. "
            f"Got {said} instead. Give all three."
        )
    exact = [round(n * float(share), 6) for share in given.values()]
    counts = [int(part) for part in exact]
    order = sorted(range(3), key=lambda k: counts[k] - exact[k])  # largest remainder first
    for k in order[: n - sum(counts)]:
        counts[k] += 1
    return Counts(*counts)


def draw(
    chunks: Iterable[Chunk],
    known: ArrayLike | None = None,
    *,
    near: int,
    far: int,
    seed: int = 0,
    exclude: Iterable[str] = (),
    exclude_rows: ArrayLike = (),
) -> Drawn:
    """Draw rows of a pool that is read once, in any order and in chunks of any size.

    Far rows are drawn first: each source gives as many as any other, as far as it lasts, and the
    sample of a source is a uniform one. Near rows are the nearest to any known row among the rest
    (by the cosine), passed over if they are too much like one that was chosen; see
    `outgroup.pool.near_rows.spread`. Memory grows with what is drawn and not with the pool.

    Parameters
    ----------
    chunks : iterable of Chunk
        The pool.
    known : array-like of shape (k, d) or None
        Embeddings of images of the known classes; needed for near rows.
    near, far : int
        How many of each; see `shares`.
    seed : int, default=0
        The same seed gives the same rows of the same pool.
    exclude : iterable of str
        Sources that are left out.
    exclude_rows : array-like of int
        Rows that are left out, beside those in quarantine.

    Returns
    -------
    Drawn

    Raises
    ------
    InvalidParameterError
        If an argument can't be used as given.
    InvalidDataError
        If chunks don't fit together or to the known rows, or a row comes twice.

    Warns
    -----
    DataWarning
        If the pool has fewer rows than are asked for; all of them are drawn then.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pool = Chunk(np.arange(100), rng.normal(size=(100, 8)), ["web"] * 90 + ["car"] * 10)
    >>> drawn = draw([pool], rng.normal(size=(5, 8)), near=2, far=4)
    >>> drawn.why
    ('near', 'near', 'far', 'far', 'far', 'far')
    >>> sorted(pool.sources[row] for row in drawn.rows[2:])
    ['car', 'car', 'web', 'web']
    """
    _whole(near=near, far=far, seed=seed)
    left_out = _sources(exclude)
    gone = _row_numbers(exclude_rows)
    far_rows = FarRows(far, seed)
    near_rows = NearRows(near, _known(known), seed) if near else None
    for chunk in chunks:
        rows, features, sources = _allowed(chunk, left_out, gone)
        far_rows.add(rows, sources)
        if near_rows is not None and near_rows.add(rows, features):
            near_rows.thin(far_rows.candidates())
    taken = far_rows.rows()
    nearest = np.empty(0, np.int64) if near_rows is None else near_rows.rows(taken)
    drawn = np.concatenate([nearest, taken])
    if len(np.unique(drawn)) < len(drawn):
        raise InvalidDataError("The pool has rows that came twice; each must have its own number.")
    missing = near + far - len(drawn)
    if missing:
        warnings.warn(
            f"The pool has {len(drawn):,} rows that may be drawn, {missing:,} fewer than were "
            "asked for; all of them were taken. Add images to it, or draw fewer.",
            DataWarning,
            stacklevel=2,
        )
    return Drawn(drawn, (NEAR,) * len(nearest) + (FAR,) * len(taken), missing)


def _allowed(
    chunk: Chunk, left_out: frozenset[str], gone: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.object_]]:
    """Return rows, features and sources of what may be drawn."""
    rows, features = np.asarray(chunk.rows), np.asarray(chunk.features)
    sources = np.asarray(chunk.sources, dtype=object)
    hidden = np.zeros(len(rows), bool) if chunk.quarantined is None else chunk.quarantined
    lengths = [len(rows), len(features), len(sources), len(hidden)]
    if rows.dtype.kind not in "iu" or len(set(lengths)) > 1:
        raise InvalidDataError(
            "A chunk of a pool must hold whole numbers of rows, and as many features, sources and "
            f"quarantine marks. Got {rows.dtype} and {', '.join(map(str, lengths))}."
        )
    rows = rows.astype(np.int64)
    allowed = ~np.asarray(hidden, dtype=bool) & ~np.isin(rows, gone)
    if left_out:
        allowed &= np.array([source not in left_out for source in sources], dtype=bool)
    if allowed.all():
        return rows, features, sources
    return rows[allowed], features[allowed], sources[allowed]


def _known(known: ArrayLike | None) -> NDArray[Any]:
    array = np.empty((0, 0)) if known is None else np.asarray(known)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        got = "None" if known is None else f"{array.dtype} of shape {array.shape}"
        raise InvalidParameterError(
            "The 'known' parameter must be embeddings of known images, shape (k, d), where near "
            f"negatives are drawn. Got {got} instead. Give them, or draw far ones only."
        )
    return array


def _sources(exclude: Iterable[str]) -> frozenset[str]:
    names = [] if isinstance(exclude, str) else list(exclude)
    if isinstance(exclude, str) or not all(isinstance(name, str) for name in names):
        raise InvalidParameterError(
            f"The 'exclude' parameter must be a list of names of sources. Got {exclude!r} instead."
        )
    return frozenset(names)


def _row_numbers(rows: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(rows)
    if array.size and array.dtype.kind not in "iu":
        raise InvalidParameterError(
            f"The 'exclude_rows' parameter must be whole numbers. Got {array.dtype} instead."
        )
    return array.astype(np.int64)


def _whole(**numbers: object) -> None:
    for name, value in numbers.items():
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < 0:  # type: ignore[operator]
            raise InvalidParameterError(
                f"The {name!r} parameter must be a whole number from 0 up. Got {value!r} instead."
            )
