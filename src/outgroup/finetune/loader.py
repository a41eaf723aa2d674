"""Negatives in the batches of a training loop of one's own, as rows of zeros.

The rows go into every loss of `outgroup.finetune.losses`, and through `outgroup.finetune.blending`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.finetune._torch import torch
from outgroup.finetune.losses import target_rows


class Draws(Protocol):
    """Anything that negatives can be drawn from, such as a pool."""

    def draw(self, n: int, rng: np.random.Generator) -> Any:
        """Return n negatives, shaped and scaled like the images of the batches."""


class WithNegatives:
    """The batches of a loader with negatives behind their own rows, and targets of shape (n, K).

    As long as the loader, to be gone through as often, and with new negatives each time: none comes
    again before all had their turn.

    Parameters
    ----------
    loader : iterable of (x, y)
        Such as a ``DataLoader``: images of any shape, and class indices.
    negatives : Tensor, ndarray, sequence of images, or object with ``draw(n, rng)``
        Images shaped and scaled like those of the batches.
    n_classes : int
        K.
    ratio : float, default=1.0
        Negatives for each image of a batch.
    seed : int, default=0
        The same seed adds the same negatives.

    Raises
    ------
    InvalidParameterError
        If a parameter can't be used as given.
    InvalidDataError
        From the iteration: if negatives are shaped otherwise than the images.

    Examples
    --------
    >>> loader = [(torch.zeros(2, 3, 8, 8), torch.tensor([1, 0]))]
    >>> for x, targets in WithNegatives(loader, torch.ones(5, 3, 8, 8), n_classes=2):
    ...     print(x.shape, targets.tolist())
    torch.Size([4, 3, 8, 8]) [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        loader: Iterable[Any],
        negatives: Any,
        n_classes: int,
        *,
        ratio: float = 1.0,
        seed: int = 0,
    ) -> None:
        if isinstance(n_classes, bool) or not isinstance(n_classes, int) or n_classes < 1:
            raise InvalidParameterError(
                f"The 'n_classes' parameter must be a whole number from 1 up. "
                f"Got {n_classes!r} instead."
            )
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float)) or not ratio > 0:
            raise InvalidParameterError(
                f"The 'ratio' parameter must be a number above 0. Got {ratio!r} instead."
            )
        self.loader, self.n_classes, self.ratio = loader, n_classes, float(ratio)
        self._deck: Draws = negatives if hasattr(negatives, "draw") else _Deck(negatives)
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        seen = added = 0
        for x, y in self.loader:
            seen += len(x)
            n = round(self.ratio * seen) - added  # what rounding leaves over is made up for later
            added += n
            yield self._joined(x, y, n)

    def _joined(
        self, x: torch.Tensor, y: torch.Tensor, n: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        targets = target_rows(torch.as_tensor(y), self.n_classes)
        if n == 0:
            return x, targets
        rows = torch.as_tensor(np.asarray(self._deck.draw(n, self._rng))).to(x)
        if rows.shape != (n, *x.shape[1:]):
            raise InvalidDataError(
                f"Negatives must be shaped like the images of a batch, {tuple(x.shape[1:])}. Got "
                f"{tuple(rows.shape[1:])}. Resize and normalise them alike."
            )
        none = torch.zeros(n, self.n_classes, dtype=targets.dtype, device=targets.device)
        return torch.cat([x, rows]), torch.cat([targets, none])


class _Deck:
    """Images in an order of their own each time all have been drawn."""

    def __init__(self, images: Any) -> None:
        if not hasattr(images, "__len__") or not hasattr(images, "__getitem__") or not len(images):
            raise InvalidParameterError(
                "The 'negatives' parameter must be images, or an object with draw(n, rng). "
                f"Got {type(images).__name__} instead."
            )
        self._images = images
        self._left: list[int] = []

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return the next n."""
        while len(self._left) < n:
            self._left += rng.permutation(len(self._images)).tolist()
        drawn, self._left = self._left[:n], self._left[n:]
        return np.stack([np.asarray(self._images[i]) for i in drawn])
