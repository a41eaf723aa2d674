"""Negatives in the batches of a training loop of one's own, as rows of zeros.

The rows go into every loss of `outgroup.finetune.losses`, and through `outgroup.finetune.blending`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from outgroup.errors import InvalidParameterError
from outgroup.finetune._torch import torch
from outgroup.finetune.losses import target_rows
from outgroup.pool import mix
from outgroup.pool.mixing import Mixed


def with_negatives(loader: Iterable[Any], negatives: Any, n_classes: int, **options: Any) -> Mixed:
    """Return the batches of a loader with negatives behind, and targets of shape (n, K).

    Parameters
    ----------
    loader : iterable of (x, y)
        Such as a ``DataLoader``: images, and class indices from 0 to K - 1.
    negatives, **options
        As for `outgroup.pool.mix`: what negatives are drawn from; ``ratio``, ``fresh``,
        ``transform``, ``layout`` and ``seed``. Negatives that are shaped like the images of a
        batch are taken as they are.
    n_classes : int
        K.

    Returns
    -------
    Mixed
        As long as the loader, and to be gone through as often.

    Raises
    ------
    InvalidParameterError
        If a parameter can't be used as given.
    InvalidDataError
        From the iteration: if the negatives can't be made to fit.

    Examples
    --------
    >>> loader = [(torch.zeros(2, 3, 8, 8), torch.tensor([1, 0]))]
    >>> for x, targets in with_negatives(loader, torch.ones(5, 3, 8, 8), n_classes=2):
    ...     print(x.shape, targets.tolist())
    torch.Size([4, 3, 8, 8]) [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    if isinstance(n_classes, bool) or not isinstance(n_classes, int) or n_classes < 1:
        raise InvalidParameterError(
            "The 'n_classes' parameter must be a whole number from 1 up. "
            f"Got {n_classes!r} instead."
        )
    return mix(_OneHot(loader, n_classes), negatives, target="zeros", **options)


class _OneHot:
    """The batches of a loader with one-hot rows for class indices."""

    def __init__(self, loader: Iterable[Any], n_classes: int) -> None:
        self._loader, self._n_classes = loader, n_classes

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for x, y in self._loader:
            yield x, target_rows(torch.as_tensor(y), self._n_classes)

    def __len__(self) -> int:
        return len(self._loader)  # type: ignore[arg-type]
