"""Add negatives to the batches of any training loop, labelled as being of no class."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.pool.batch_arrays import (
    LABELLERS,
    LAYOUTS,
    RowFitter,
    Transform,
    is_array,
    is_tensor,
    join,
)
from outgroup.pool.reader import PoolReader
from outgroup.pool.records import Rows, invalid, is_whole

Target = Literal["index", "none", "zeros"]
Layout = Literal["NHWC", "NCHW"]
#: ``(x, y)`` or ``(x, y, weights)``: NumPy arrays or PyTorch tensors; all but `x` may be lists.
Batch: TypeAlias = "Sequence[Any]"


@runtime_checkable
class NegativeSource(Protocol):
    """Anything that negatives can be drawn from."""

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[Any] | Sequence[NDArray[Any]]:
        """Return n negatives: embeddings (n, d), or uint8 images of one or of different sizes."""


#: Rows, images of any size, or what they can be drawn from.
Negatives: TypeAlias = "ArrayLike | Sequence[NDArray[Any]] | NegativeSource"


class ShuffledNegatives:
    """Draws from an array or a list in a shuffled order, which is shuffled again when it ends."""

    def __init__(self, negatives: ArrayLike | Sequence[NDArray[Any]]) -> None:
        self._negatives = _as_rows(negatives)
        self._order: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[Any] | Sequence[NDArray[Any]]:
        """Return n negatives; no draw has one twice while there are as many."""
        picked, self._order = self._order[:n], self._order[n:]
        while len(picked) < n:
            order = rng.permutation(len(self._negatives))
            again = np.isin(order, picked)  # these come last, so that they are not drawn twice
            order = np.concatenate([order[~again], order[again]])
            missing = n - len(picked)
            picked, self._order = np.append(picked, order[:missing]), order[missing:]
        if isinstance(self._negatives, np.ndarray):
            return np.asarray(self._negatives[picked])
        return [self._negatives[i] for i in picked]


class PoolNegatives:
    """Draws from a pool in a shuffled order: embeddings of a layer, or images if it is None."""

    def __init__(self, pool: PoolReader, rows: Rows | None, layer: str | None) -> None:
        chosen = pool.rows() if rows is None else np.asarray(rows, dtype=np.int64)
        if not len(chosen):
            raise InvalidDataError(f"{pool.path}: there is no kept image to draw.")
        self._pool, self._layer = pool, layer
        self._rows = ShuffledNegatives(chosen)

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[Any] | Sequence[NDArray[Any]]:
        """Return n images, uint8 of different sizes, or embeddings of shape (n, d)."""
        rows = np.asarray(self._rows.draw(n, rng), dtype=np.int64)
        if self._layer is not None:
            return self._pool.features(rows, [self._layer])[self._layer]
        return [np.asarray(image) for image in self._pool.images(rows)]


class Mixer:
    """Adds negatives to one batch after the other, as in a callback; `mix` is for an iterable.

    Parameters
    ----------
    negatives : array, list of images, or object with ``draw(n, rng)``
        Embeddings by the same backbone, or uint8 images of any size: they are resized to cover
        those of the batch, cropped at the centre, and brought to its layout, scale and type. Rows
        that have the batch's shape already are taken as they are.
    ratio : float, default=1.0
        Negatives for each row of a batch.
    fresh : bool, default=True
        Whether each batch gets new negatives, none a second time before all have been drawn;
        otherwise all batches get the same ones.
    target : {"index", "none", "zeros"}, default="index"
        The label of a negative: the class after the known ones (`n_classes`, or the last column of
        one-hot rows that have one more); None; or a row of zeros in one-hot or multi-hot rows.
    n_classes : int or None
        Number of known classes; needed for "index".
    transform : callable or None
        How images are normalised: takes uint8 (k, height, width, channels) and returns what the
        batch has in their place, channels last or as the batch has them.
    layout : {"NHWC", "NCHW"} or None
        Where the channels are, if the shape leaves that open.
    seed : int, default=0
        The same seed adds the same negatives in the same places.

    Raises
    ------
    InvalidParameterError
        If an argument is invalid.
    InvalidDataError
        From a call: if something is not a batch, or the negatives can't be made to fit.

    Examples
    --------
    >>> mixer = Mixer(np.ones((9, 2)), target="none")
    >>> mixer((np.zeros((1, 2)), ["cat"]))
    (array([[0., 0.], [1., 1.]]), ['cat', None])
    """

    def __init__(
        self,
        negatives: Negatives,
        ratio: float = 1.0,
        *,
        fresh: bool = True,
        target: Target = "index",
        n_classes: int | None = None,
        transform: Transform | None = None,
        layout: Layout | None = None,
        seed: int = 0,
    ) -> None:
        real = isinstance(ratio, numbers.Real) and not isinstance(ratio, bool)
        if not (real and 0 <= ratio < math.inf):
            raise invalid("ratio", "a number from 0 up", ratio)
        if not isinstance(fresh, bool):
            raise invalid("fresh", "True or False", fresh)
        if transform is not None and not callable(transform):
            raise invalid("transform", "callable, or None", transform)
        if layout is not None and layout not in LAYOUTS:
            raise invalid("layout", f"None or one of {', '.join(map(repr, LAYOUTS))}", layout)
        if not is_whole(seed, 0):
            raise invalid("seed", "a whole number from 0 up", seed)
        if not isinstance(target, str) or target not in LABELLERS:
            raise invalid("target", f"one of {', '.join(map(repr, LABELLERS))}", target)
        if n_classes is not None and not is_whole(n_classes, 1):
            raise invalid("n_classes", "a whole number from 1 up, or None", n_classes)
        if target == "index" and n_classes is None:
            raise InvalidParameterError(
                "Invalid `n_classes`: must be the number of known classes with target='index', got "
                "None. Negatives get that number as their label."
            )
        self._label = LABELLERS[target]
        self._n_classes = n_classes
        self._ratio, self._fresh = float(ratio), fresh
        self._source: NegativeSource = (
            negatives if isinstance(negatives, NegativeSource) else ShuffledNegatives(negatives)
        )
        self._fitter = RowFitter(layout, transform)
        self._rng = np.random.default_rng(seed)
        self._seen = self._added = 0
        self._fixed: list[NDArray[Any]] = []

    def __call__(self, batch: Batch) -> Batch:
        """Return a batch with negatives after its own rows, in the types it came in."""
        x, y, *weights = _parts(batch)
        self._seen += len(x)
        # what rounding leaves over is made up for in the next batches
        n = math.floor(self._ratio * self._seen + 0.5) - self._added
        self._added += n
        if n == 0:
            return batch
        rows = self._fitter.fit(self._negatives(n), x)
        parts = [join(x, rows), self._label(y, n, self._n_classes)]
        parts += [_with_ones(weight, n) for weight in weights]
        return parts if isinstance(batch, list) else tuple(parts)

    def _negatives(self, n: int) -> NDArray[Any] | Sequence[NDArray[Any]]:
        if self._fresh:
            return self._drawn(n)
        if len(self._fixed) < n:
            self._fixed.extend(self._drawn(n - len(self._fixed)))
        fixed = [np.asarray(row) for row in self._fixed[:n]]
        return np.stack(fixed) if len({row.shape for row in fixed}) == 1 else fixed

    def _drawn(self, n: int) -> NDArray[Any] | Sequence[NDArray[Any]]:
        drawn = self._source.draw(n, self._rng)
        if is_tensor(drawn):
            drawn = np.asarray(drawn.cpu())  # type: ignore[union-attr]
        if len(drawn) != n:
            raise InvalidDataError(f"{n} negatives were asked for, and {len(drawn)} came.")
        return drawn


class Mixed:
    """Batches with negatives; as long as the batches, and to be iterated as often."""

    def __init__(self, batches: Iterable[Batch], mixer: Mixer) -> None:
        self.batches = batches
        self.mixer = mixer

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            yield self.mixer(batch)

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]


def mix(
    batches: Iterable[Batch],
    negatives: Negatives,
    ratio: float = 1.0,
    *,
    fresh: bool = True,
    target: Target = "index",
    n_classes: int | None = None,
    transform: Transform | None = None,
    layout: Layout | None = None,
    seed: int = 0,
) -> Mixed:
    """Add negatives to each batch: rows after its own, labelled as being of no class.

    Parameters
    ----------
    batches : iterable of (x, y) or (x, y, weights)
        NumPy arrays, or PyTorch tensors as from a ``DataLoader``; `y` may be a list. `x` are
        embeddings (n, d), or images (n, height, width, channels) or (n, channels, height, width),
        uint8 or floats from 0 to 1. It may be endless.
    negatives, ratio, fresh, target, n_classes, transform, layout, seed
        As for `Mixer`.

    Returns
    -------
    Mixed
        Each batch in the types it came in; the weight of a negative is 1.

    Examples
    --------
    >>> batches = [(np.zeros((4, 2)), np.array([0, 1, 1, 0]))]
    >>> for x, y in mix(batches, np.ones((50, 2)), ratio=0.5, n_classes=2):
    ...     print(x.shape, y)
    (6, 2) [0 1 1 0 2 2]
    """
    if not isinstance(batches, Iterable):
        raise InvalidParameterError(
            f"Invalid `batches`: must be an iterable of batches, got {type(batches).__name__}."
        )
    mixer = Mixer(
        negatives,
        ratio,
        fresh=fresh,
        target=target,
        n_classes=n_classes,
        transform=transform,
        layout=layout,
        seed=seed,
    )
    return Mixed(batches, mixer)


def mix_pool(
    pool: PoolReader,
    batches: Iterable[Batch],
    ratio: float = 1.0,
    *,
    rows: Rows | None = None,
    layer: str | None = None,
    fresh: bool = True,
    target: Target = "index",
    n_classes: int | None = None,
    transform: Transform | None = None,
    layout: Layout | None = None,
    seed: int = 0,
) -> Mixed:
    """Add images of the pool to each batch, or their embeddings of a `layer`.

    `rows` are those of a sample, for example; None for all that are kept, `InvalidDataError` if
    there are none. The other arguments are those of `outgroup.pool.mix`.
    """
    return mix(
        batches,
        PoolNegatives(pool, rows, layer),
        ratio,
        fresh=fresh,
        target=target,
        n_classes=n_classes,
        transform=transform,
        layout=layout,
        seed=seed,
    )


def _parts(batch: Batch) -> Batch:
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        length = f" of {len(batch)}" if hasattr(batch, "__len__") else ""
        raise InvalidDataError(
            f"A batch must be (x, y) or (x, y, weights). Got {type(batch).__name__}{length}."
        )
    if not is_array(batch[0]) or batch[0].ndim < 2:
        raise InvalidDataError(
            "The first part of a batch must be rows in a NumPy array or a PyTorch tensor. Got "
            f"{type(batch[0]).__name__}."
        )
    lengths = [len(part) for part in batch]
    if len(set(lengths)) > 1:
        raise InvalidDataError(
            f"The parts of a batch must have the same length. Got {', '.join(map(str, lengths))}."
        )
    return batch


def _with_ones(weights: Any, n: int) -> Any:
    if isinstance(weights, (list, tuple)):
        return type(weights)([*weights, *[1.0] * n])
    return join(weights, np.ones((n, *weights.shape[1:]), dtype=np.float32))


def _as_rows(negatives: Any) -> NDArray[Any] | Sequence[NDArray[Any]]:
    rows = negatives
    if not isinstance(negatives, np.ndarray):
        if isinstance(negatives, (str, bytes, dict)) or not hasattr(negatives, "__getitem__"):
            raise InvalidParameterError(
                "Invalid `negatives`: must be an array, a list of images, or an object with "
                f"draw(n, rng), got {negatives!r:.80}."
            )
        if not isinstance(negatives, (list, tuple)):
            rows = np.asarray(negatives)
        elif len({np.shape(row) for row in negatives}) == 1:
            rows = np.stack([np.asarray(row) for row in negatives])
    if isinstance(rows, np.ndarray) and rows.ndim == 0:
        raise InvalidParameterError(f"Invalid `negatives`: must hold rows, got {negatives!r:.80}.")
    if not len(rows):
        raise InvalidDataError("There are no negatives to mix in.")
    return cast("NDArray[Any] | Sequence[NDArray[Any]]", rows)
