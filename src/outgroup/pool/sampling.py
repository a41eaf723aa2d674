"""Draw negatives from a pool: near the known classes, from every source, and synthetic ones."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from outgroup.data import from_images
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.errors import DataWarning, InvalidDataError, InvalidParameterError
from outgroup.images import ImageSource
from outgroup.pool.reader import PoolReader
from outgroup.pool.records import invalid, is_whole
from outgroup.pool.reservoirs import FarReservoir, NearReservoir
from outgroup.synthetic import draw as draw_synthetic

NEAR, FAR = "near", "far"


class Chunk(NamedTuple):
    """Rows of a pool, each once, with their embeddings (m, d) and sources."""

    rows: NDArray[np.int64]
    features: NDArray[Any]
    sources: Sequence[str]


class KindCounts(NamedTuple):
    """How many negatives of each kind."""

    near: int
    far: int
    synthetic: int


class Drawn(NamedTuple):
    """Rows that were drawn, near ones first, why ("near" or "far"), and how many are missing."""

    rows: NDArray[np.int64]
    why: tuple[str, ...]
    missing: int


@dataclass(frozen=True, eq=False)
class Sample:
    """Negatives drawn from a pool."""

    pool: PoolReader
    rows: NDArray[np.int64]  #: (k,), near ones first, then far ones
    why: tuple[str, ...]  #: "near" or "far"
    synthetic: NDArray[np.uint8] = field(repr=False)  #: (m, 224, 224, 3)
    missing: int = 0  #: how many fewer than asked for

    def __len__(self) -> int:
        """Return the number of negatives, synthetic ones included."""
        return len(self.rows) + len(self.synthetic)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        kinds = Counter(self.why)
        return {NEAR: kinds[NEAR], FAR: kinds[FAR], "synthetic": len(self.synthetic)}

    def images(self) -> list[Image.Image]:
        """Return all of them as Pillow images, those of the pool first."""
        return [*self.pool.images(self.rows), *map(Image.fromarray, self.synthetic)]

    def arrays(self) -> list[NDArray[np.uint8]]:
        """Return all of them as uint8 arrays of shape (height, width, 3), of different sizes."""
        return [np.asarray(image) for image in self.pool.images(self.rows)] + list(self.synthetic)


def sample(
    pool: PoolReader,
    n: int,
    known: ImageSource | Iterable[ImageSource] | None = None,
    *,
    near: float | None = None,
    far: float | None = None,
    synthetic: float | None = None,
    exclude: Iterable[str] = (),
    layer: str = "last",
    seed: int = 0,
) -> Sample:
    """Draw negatives: near the known classes, from every source, and synthetic ones.

    Near ones are not too similar to each other; far ones are uniform by source. Images in
    quarantine are never drawn.

    Parameters
    ----------
    n : int
        How many in all.
    known : folder, images, ndarray of shape (k, d), or None
        Images of the known classes, or their embeddings by the pool's backbone, of `layer`; needed
        for near ones.
    near, far, synthetic : float or None
        Shares, which add up to 1. None for all three: 0.5, 0.4 and 0.1, or without `known` 0, 0.9
        and 0.1.
    exclude : iterable of str
        Sources that are left out.
    layer : str, default="last"
        The layer that near is measured by.
    seed : int, default=0
        The same seed gives the same negatives of the same pool.

    Raises
    ------
    InvalidParameterError
        If an argument is invalid.

    Warns
    -----
    DataWarning
        If the pool has fewer images than are asked for; all of them are drawn then.

    Examples
    --------
    >>> import tempfile
    >>> from outgroup.pool import Incoming, Pool
    >>> pool = Pool.create(tempfile.mkdtemp())
    >>> blank = [np.full((40, 60, 3), grey, np.uint8) for grey in (0, 90, 200)]
    >>> added = pool.add(Incoming(x, "blank", f"#{i}") for i, x in enumerate(blank))
    >>> pool.sample(3, near=0, far=2 / 3, synthetic=1 / 3).counts
    {'near': 0, 'far': 2, 'synthetic': 1}
    """
    if near is None and far is None and synthetic is None:
        near, far, synthetic = (0.0, 0.9, 0.1) if known is None else (0.5, 0.4, 0.1)
    counts = shares(n, near or 0.0, far or 0.0, synthetic or 0.0)
    chunks = pool.chunks(layers=[layer])
    drawn = draw(
        (Chunk(rows, features[layer], pool.sources_of(rows)) for rows, features in chunks),
        _embeddings(pool, known, layer) if counts.near else None,
        near=counts.near,
        far=counts.far,
        seed=seed,
        exclude=exclude,
    )
    made, _ = draw_synthetic(counts.synthetic, seed=seed)
    return Sample(pool, drawn.rows, drawn.why, made, drawn.missing)


def _embeddings(
    pool: PoolReader, known: ImageSource | Iterable[ImageSource] | None, layer: str
) -> NDArray[Any] | None:
    """Return the embeddings of known images, which may be given themselves."""
    if known is None or (isinstance(known, np.ndarray) and known.ndim == 2):
        return known
    embedder = Embedder(pool.network(), cache=EmbeddingCache())
    embedded = embedder.embed(from_images(known).sources)
    return embedded.layers[layer][embedded.readable]


def shares(n: int, near: float = 0.5, far: float = 0.4, synthetic: float = 0.1) -> KindCounts:
    """Return how many negatives of each kind make up n; the largest remainders are rounded up."""
    _check_whole(n=n)
    given = {NEAR: near, FAR: far, "synthetic": synthetic}
    for name, share in given.items():
        real = isinstance(share, (int, float, np.number)) and not isinstance(share, bool)
        if not real or not 0.0 <= share <= 1.0:
            raise invalid(name, "a share from 0 to 1", share)
    if abs(sum(given.values()) - 1.0) > 1e-6:
        said = " + ".join(f"{share:g}" for share in given.values())
        raise InvalidParameterError(
            f"Invalid `near`, `far`, `synthetic`: must add up to 1, got {said}. Give all three."
        )
    exact = [round(n * float(share), 6) for share in given.values()]
    counts = [int(part) for part in exact]
    order = sorted(range(3), key=lambda k: counts[k] - exact[k])  # largest remainder first
    for k in order[: n - sum(counts)]:
        counts[k] += 1
    return KindCounts(*counts)


def draw(
    chunks: Iterable[Chunk],
    known: ArrayLike | None = None,
    *,
    near: int,
    far: int,
    seed: int = 0,
    exclude: Iterable[str] = (),
) -> Drawn:
    """Draw rows of a pool that is read once, in any order and in chunks of any size.

    Far rows are drawn first, as many of each source as far as the sources last. Near rows are those
    of the rest with the highest cosine to one of the `known` (k, d), passed over while they are too
    similar to a chosen one. Memory grows with what is drawn and not with the pool. `DataWarning` if
    the pool has too few rows; `InvalidDataError` if chunks don't fit together or repeat a row.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pool = Chunk(np.arange(100), rng.normal(size=(100, 8)), ["web"] * 90 + ["car"] * 10)
    >>> drawn = draw([pool], rng.normal(size=(5, 8)), near=2, far=4)
    >>> sorted(pool.sources[row] for row in drawn.rows[2:])
    ['car', 'car', 'web', 'web']
    """
    _check_whole(near=near, far=far, seed=seed)
    left_out = [] if isinstance(exclude, str) else list(exclude)
    if isinstance(exclude, str) or not all(isinstance(name, str) for name in left_out):
        raise invalid("exclude", "a list of names of sources", exclude)
    far_rows = FarReservoir(far, seed)
    near_rows = NearReservoir(near, _check_known(known), seed) if near else None
    for chunk in chunks:
        rows, features, sources = _allowed(chunk, left_out)
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
            "asked for; all of them were drawn. Add images to it, or draw fewer.",
            DataWarning,
            stacklevel=2,
        )
    return Drawn(drawn, (NEAR,) * len(nearest) + (FAR,) * len(taken), missing)


def _allowed(
    chunk: Chunk, left_out: list[str]
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.object_]]:
    rows, features = np.asarray(chunk.rows), np.asarray(chunk.features)
    sources = np.asarray(chunk.sources, dtype=object)
    if rows.dtype.kind not in "iu" or not len(rows) == len(features) == len(sources):
        raise InvalidDataError(
            "A chunk of a pool must hold whole numbers of rows, and as many features and sources. "
            f"Got {rows.dtype} and {len(rows)}, {len(features)}, {len(sources)}."
        )
    rows = rows.astype(np.int64)
    if not left_out:
        return rows, features, sources
    allowed = ~np.isin(sources, left_out)
    return rows[allowed], features[allowed], sources[allowed]


def _check_known(known: ArrayLike | None) -> NDArray[Any]:
    array = np.empty((0, 0)) if known is None else np.asarray(known)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        got = "None" if known is None else f"{array.dtype} of shape {array.shape}"
        raise InvalidParameterError(
            "Invalid `known`: must be embeddings of known images, shape (k, d), to draw near "
            f"negatives, got {got}. Give them, or draw far ones only."
        )
    return array


def _check_whole(**numbers: object) -> None:
    for name, value in numbers.items():
        if not is_whole(value, 0):
            raise invalid(name, "a whole number from 0 up", value)
