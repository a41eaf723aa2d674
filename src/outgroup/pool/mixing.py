"""Negatives added to the batches that something else is trained with."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.pool import arrays
from outgroup.pool.deck import Deck
from outgroup.pool.mixed_labels import labeller
from outgroup.pool.mixed_rows import LAYOUTS, Fitting, Transform

Target = Literal["index", "none", "zeros"]


@runtime_checkable
class Draws(Protocol):
    """Anything that negatives can be drawn from."""

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[Any] | Sequence[NDArray[Any]]:
        """Return n negatives: embeddings (n, d), or uint8 images of one or of different sizes."""


class Mixer:
    """Adds negatives to one batch after the other.

    `mix` is the way to use it on an iterable of batches; by itself it serves training loops that
    hand over their batches one by one, such as a callback of fastai.

    Parameters
    ----------
    negatives, ratio, fresh, target, n_classes, transform, layout, seed
        See `mix`.

    Examples
    --------
    >>> mixer = Mixer(np.ones((9, 2)), target="none")
    >>> mixer((np.zeros((1, 2)), ["cat"]))
    (array([[0., 0.], [1., 1.]]), ['cat', None])
    """

    def __init__(
        self,
        negatives: Any,
        ratio: float = 1.0,
        *,
        fresh: bool = True,
        target: Target = "index",
        n_classes: int | None = None,
        transform: Transform | None = None,
        layout: str | None = None,
        seed: int = 0,
    ) -> None:
        _check(ratio=ratio, fresh=fresh, transform=transform, layout=layout, seed=seed)
        self._label = labeller(target, n_classes)
        self._n_classes = n_classes
        self._ratio, self._fresh = float(ratio), fresh
        self._deck: Draws = negatives if isinstance(negatives, Draws) else Deck(negatives)
        self._fitting = Fitting(layout, transform)
        self._rng = np.random.default_rng(seed)
        self._seen = self._added = 0
        self._fixed: list[Any] = []

    def __call__(self, batch: Any) -> Any:
        """Return the batch with negatives behind its own rows, in the types it came in.

        Parameters
        ----------
        batch : tuple or list
            ``(x, y)`` or ``(x, y, weights)``; `x` is a NumPy array or a PyTorch tensor.

        Raises
        ------
        InvalidDataError
            If the batch is none, or the negatives can't be made to fit.
        """
        x, y, *weights = _parts(batch)
        self._seen += len(x)
        # what rounding leaves over is made up for in the next batches
        n = math.floor(self._ratio * self._seen + 0.5) - self._added
        self._added += n
        if n == 0:
            return batch
        rows = self._fitting.rows(self._negatives(n), x)
        parts = [arrays.join(x, rows), self._label(y, n, self._n_classes)]
        parts += [_with_ones(weight, n) for weight in weights]
        return parts if isinstance(batch, list) else tuple(parts)

    def _negatives(self, n: int) -> NDArray[Any] | Sequence[NDArray[Any]]:
        if self._fresh:
            return self._drawn(n)
        if len(self._fixed) < n:
            self._fixed.extend(self._drawn(n - len(self._fixed)))
        fixed = self._fixed[:n]
        alike = len({np.shape(row) for row in fixed}) == 1
        return np.stack([np.asarray(row) for row in fixed]) if alike else fixed

    def _drawn(self, n: int) -> NDArray[Any] | Sequence[NDArray[Any]]:
        drawn = self._deck.draw(n, self._rng)
        if arrays.is_tensor(drawn):
            drawn = np.asarray(drawn.cpu())  # type: ignore[union-attr]
        if len(drawn) != n:
            raise InvalidDataError(f"{n} negatives were asked for, and {len(drawn)} came.")
        return drawn


class Mixed:
    """Batches with negatives: as long as the batches, and to be gone through as often.

    Parameters
    ----------
    batches : iterable
        Batches without negatives.
    mixer : Mixer
        What adds them.
    """

    def __init__(self, batches: Iterable[Any], mixer: Mixer) -> None:
        self.batches = batches
        self.mixer = mixer

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches:
            yield self.mixer(batch)

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]


def mix(
    batches: Iterable[Any],
    negatives: Any,
    ratio: float = 1.0,
    *,
    fresh: bool = True,
    target: Target = "index",
    n_classes: int | None = None,
    transform: Transform | None = None,
    layout: str | None = None,
    seed: int = 0,
) -> Mixed:
    """Add negatives to each batch: rows behind its own, with a label that says they are none.

    Parameters
    ----------
    batches : iterable of (x, y) or (x, y, weights)
        NumPy arrays, or PyTorch tensors as from a ``DataLoader``; `y` may be a list. `x` are
        embeddings (n, d), or images (n, height, width, channels) or (n, channels, height, width),
        uint8 or floats from 0 to 1. It may go on for ever.
    negatives : array, list of images, or object with ``draw(n, rng)``
        Embeddings by the same backbone, or uint8 images of any size: they are resized to cover
        those of the batch and cut at the centre, and brought to its layout, scale and type. Rows
        that have the batch's shape already are taken as they are.
    ratio : float, default=1.0
        Negatives for each row of a batch.
    fresh : bool, default=True
        Whether each batch gets new negatives, none a second time before all had their turn;
        otherwise all batches get the same ones.
    target : {"index", "none", "zeros"}, default="index"
        The label of a negative: the class behind the known ones (`n_classes`, or the last column
        of one-hot rows that have one more); None; or a row of zeros in one-hot or multi-hot rows.
    n_classes : int or None
        How many known classes there are; needed for "index".
    transform : callable or None
        Where images are normalised: takes uint8 (k, height, width, channels) and returns what the
        batch has in their place, channels last or as the batch has them.
    layout : {"NHWC", "NCHW"} or None
        Where the channels are, if the shape leaves that open.
    seed : int, default=0
        The same seed adds the same negatives in the same places.

    Returns
    -------
    Mixed
        Each batch in the types it came in; weights of negatives are 1.

    Raises
    ------
    InvalidParameterError
        If an argument can't be used as given.
    InvalidDataError
        From the iteration: if a batch is none, or the negatives can't be made to fit.

    Examples
    --------
    >>> batches = [(np.zeros((4, 2)), np.array([0, 1, 1, 0]))]
    >>> for x, y in mix(batches, np.ones((50, 2)), ratio=0.5, n_classes=2):
    ...     print(x.shape, y)
    (6, 2) [0 1 1 0 2 2]
    """
    if not isinstance(batches, Iterable):
        raise InvalidParameterError(
            "The 'batches' parameter must be something to iterate over. "
            f"Got {type(batches).__name__} instead."
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


def _check(*, ratio: Any, fresh: Any, transform: Any, layout: Any, seed: Any) -> None:
    def wrong(name: str, must: str, got: object) -> InvalidParameterError:
        return InvalidParameterError(f"The {name!r} parameter must be {must}. Got {got!r} instead.")

    real = isinstance(ratio, numbers.Real) and not isinstance(ratio, bool)
    if not (real and 0 <= ratio < math.inf):
        raise wrong("ratio", "a number from 0 up", ratio)
    if not isinstance(fresh, bool):
        raise wrong("fresh", "True or False", fresh)
    if transform is not None and not callable(transform):
        raise wrong("transform", "something to call with images, or None", transform)
    if layout is not None and layout not in LAYOUTS:
        raise wrong("layout", f"None or one of {', '.join(map(repr, LAYOUTS))}", layout)
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not (whole and seed >= 0):
        raise wrong("seed", "a whole number from 0 up", seed)


def _parts(batch: Any) -> Sequence[Any]:
    if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
        raise InvalidDataError(
            "A batch must be (x, y) or (x, y, weights). Got "
            f"{type(batch).__name__}{f' of {len(batch)}' if hasattr(batch, '__len__') else ''}."
        )
    if not arrays.is_array(batch[0]) or batch[0].ndim < 2:
        raise InvalidDataError(
            "The first of a batch must be rows in a NumPy array or a PyTorch tensor. Got "
            f"{type(batch[0]).__name__}."
        )
    lengths = [len(part) for part in batch]
    if len(set(lengths)) > 1:
        raise InvalidDataError(
            f"The parts of a batch must be of one length. Got {', '.join(map(str, lengths))}."
        )
    return batch


def _with_ones(weights: Any, n: int) -> Any:
    if isinstance(weights, (list, tuple)):
        return type(weights)([*weights, *[1.0] * n])
    return arrays.join(weights, np.ones((n, *weights.shape[1:]), dtype=np.float32))
