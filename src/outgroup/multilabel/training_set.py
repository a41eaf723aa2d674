"""Embeddings with labels of which any number may apply, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outgroup.errors import InvalidDataError
from outgroup.strategies import Features
from outgroup.training_set import TrainingSet


@dataclass(frozen=True)
class LabelTrainingSet:
    """Embeddings with what is known about them.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer, finite.
    Y : ndarray of shape (n, K), int64
        1 for a label that is there, 0 for one that is not, -1 for one of which nobody knows. A row
        of zeros is an image of none of the labels.
    classes : tuple of str
        Names of the K labels.
    groups : sequence of (str or None) or None, length n
        Images with the same group are never split; None stands alone.
    origins : sequence of str or None, length n
        Folder or source of each image; images of none of the labels are held out by it.
    promised : ndarray of shape (n,), bool, or None
        Which rows lay the thresholds, as in `TrainingSet`; None: all.

    Raises
    ------
    InvalidDataError
        If embeddings are not finite, lengths differ, fewer than two images or groups have a label,
        or fewer than two images are without it.
    """

    features: Features
    Y: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: Sequence[str | None] | None = None
    origins: Sequence[str] | None = None
    promised: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.Y.shape[1:] != (len(self.classes),) or not np.isin(self.Y, (-1, 0, 1)).all():
            raise InvalidDataError(
                f"Labels must be a matrix of 1, 0 and -1 with {len(self.classes)} columns. "
                f"Got shape {self.Y.shape}."
            )
        if not self.classes:
            raise InvalidDataError("There must be at least one label. Got none.")
        # all that concerns embeddings, groups and lengths is checked as for one class an image
        whole = TrainingSet(
            self.features, np.zeros(len(self.Y), np.int64), ("all",), self.groups, self.origins
        )
        for k, name in enumerate(self.classes):
            yes = self.Y[:, k] == 1
            if yes.sum() < 2 or (whole.units is not None and len(set(whole.units[yes])) < 2):
                what = "groups of images" if yes.sum() >= 2 else "readable images"
                raise InvalidDataError(
                    f"Fewer than 2 {what} have the label {name!r}. At least 2 are needed to hold "
                    "one out, and some 30 for a good model: add images, or leave the label out."
                )
            if (self.Y[:, k] == 0).sum() < 2:
                raise InvalidDataError(
                    f"Fewer than 2 readable images are without the label {name!r}, so nothing can "
                    "tell what it looks like not to have it. Add images without it: of other "
                    "labels, or of none of them."
                )

    @property
    def is_promised(self) -> NDArray[np.bool_]:
        """Which rows lay the thresholds."""
        return np.ones(len(self.Y), dtype=np.bool_) if self.promised is None else self.promised

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Images with at least one label."""
        result: NDArray[np.bool_] = (self.Y == 1).any(axis=1)
        return result

    @property
    def is_none(self) -> NDArray[np.bool_]:
        """Images that are known to have none of the labels."""
        result: NDArray[np.bool_] = (self.Y == 0).all(axis=1)
        return result

    @property
    def y(self) -> NDArray[np.int64]:
        """What folds are spread by: the rarest label of each image, -1 without any."""
        counts = (self.Y == 1).sum(axis=0)
        rarest = np.where(self.Y == 1, counts, len(self.Y) + 1).argmin(axis=1)
        return np.where(self.is_labelled, rarest, -1)

    @property
    def units(self) -> NDArray[np.str_] | None:
        """What a bound counts: the group of each image, or the image itself if it has none."""
        if self.groups is None or all(group is None for group in self.groups):
            return None
        return np.array(
            [f"image {i}" if g is None else f"group {g}" for i, g in enumerate(self.groups)]
        )
