"""Embeddings with what is known about them, checked, and how they are dealt into folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import HeldOut, assign_folds
from outgroup.errors import InvalidDataError
from outgroup.strategies import Features, take


@dataclass(frozen=True)
class TrainingSet:
    """Embeddings with what is known about them, checked.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer, finite.
    y : ndarray of shape (n,), int64
        Class index of each image, -1 for negatives.
    classes : tuple of str
        Names of the K classes.
    groups : sequence of (str or None) or None, length n
        Images with the same group are never split; None stands alone.
    origins : sequence of str or None, length n
        Folder or source of each image; negatives of one folder are held out together.
    paths : sequence of (str or None) or None, length n
        Where each image comes from; None: the rows are those of an array.
    collections : sequence of str or None, length n
        Which of the given collections of negatives an image is of: what they are reported by.
    probes : mapping of str to (mapping of str to ndarray)
        Embeddings of images of no class, by name, that nothing ever learns from: what a comparison
        of strategies meets besides.
    learned_from : bool, default=True
        False if the images are only to calibrate what is known already: then a class may have one
        image or none.
    tuned : bool, default=False
        Whether the network was tuned on these classes: then leaving one out of what is learned here
        makes nothing unknown of it.
    promised : ndarray of shape (n,), bool, or None
        Which rows are like images to come: they lay the threshold, and a promise counts them; None:
        all. The others teach, and no more: images that the network was tuned on, which it may find
        too known, and negatives that were picked because they are hard.

    Raises
    ------
    InvalidDataError
        If embeddings are not finite, lengths differ, there is no known image, or a class has fewer
        than two images or groups to learn from.
    """

    features: Features
    y: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: Sequence[str | None] | None = None
    origins: Sequence[str] | None = None
    paths: Sequence[str | None] | None = None
    collections: Sequence[str] | None = None
    probes: Mapping[str, Features] = field(default_factory=dict)
    learned_from: bool = True
    tuned: bool = False
    promised: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        for what in ("groups", "origins", "paths", "collections", "promised"):
            there = getattr(self, what)
            if there is not None and len(there) != len(self.y):
                raise InvalidDataError(
                    f"There must be one of {what!r} for each of the {len(self.y)} images. "
                    f"Got {len(there)}."
                )
        for layer, values in self.features.items():
            if len(values) != len(self.y):
                raise InvalidDataError(
                    f"Layer {layer!r} of the embeddings must have one row for each of the "
                    f"{len(self.y)} labels. Got {len(values)}."
                )
            finite = np.isfinite(values).all(axis=1)
            if not finite.all():
                raise InvalidDataError(
                    f"Layer {layer!r} of the embeddings has NaN or infinite values in "
                    f"{int((~finite).sum())} rows. Leave these rows out."
                )
        if len(self.y) > 1 and all((v == v[0]).all() for v in self.features.values()):
            raise InvalidDataError(
                f"The embeddings of all {len(self.y)} images are the same, so that they can't be "
                "told apart. Look whether the images are blank, or copies of one."
            )
        if not (self.y >= 0).any():
            raise InvalidDataError(
                "There are no known images: every label is None, which means other. Label the "
                "images of at least one class."
            )
        if not self.learned_from:
            return
        counts = np.bincount(self.y[self.y >= 0], minlength=len(self.classes))
        for name, count in zip(self.classes, counts, strict=True):
            if count < 2:
                raise InvalidDataError(
                    f"Class {name!r} has {count} readable images. At least 2 are needed to hold "
                    "one out, and some 30 for a good model: add images, or leave the class out."
                )
        units = self.units
        if units is None:
            return
        for k, name in enumerate(self.classes):
            if len(np.unique(units[self.y == k])) < 2:
                raise InvalidDataError(
                    f"All images of class {name!r} are of one group. At least 2 groups are needed "
                    "to hold one out: add images of another, or leave the class out."
                )

    @classmethod
    def from_labels(
        cls,
        features: Features,
        labels: Sequence[str | None],
        groups: Sequence[str | None] | None = None,
        origins: Sequence[str] | None = None,
        paths: Sequence[str | None] | None = None,
        collections: Sequence[str] | None = None,
        probes: Mapping[str, Features] | None = None,
        classes: Sequence[str] | None = None,
    ) -> TrainingSet:
        """Make one from class names, None being other; the classes are sorted by name.

        If `classes` are given, they are known already, and the images only calibrate.
        """
        there = {str(label) for label in labels if label is not None}
        names = tuple(sorted(there if classes is None else classes))
        strange = sorted(there - {*names})
        if strange:
            raise InvalidDataError(
                f"There are images labelled {', '.join(map(repr, strange))}, and the classes are "
                f"{', '.join(map(repr, names))}. Add these to the classes, or leave the images out."
            )
        index: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        y = np.array([index.get(label, -1) for label in labels], dtype=np.int64)
        learned_from = classes is None
        more = (paths, collections, probes or {}, learned_from)
        return cls(features, y, names, groups, origins, *more)

    def subset(self, rows: NDArray[np.int64]) -> TrainingSet:
        """Return the rows of these indices, in this order."""
        columns = ("groups", "origins", "paths", "collections")
        some: dict[str, Any] = {name: _some(getattr(self, name), rows) for name in columns}
        if self.promised is not None:
            some["promised"] = self.promised[rows]
        return replace(self, features=take(self.features, rows), y=self.y[rows], **some)

    @property
    def is_promised(self) -> NDArray[np.bool_]:
        """Which rows lay the threshold."""
        return np.ones(len(self.y), dtype=np.bool_) if self.promised is None else self.promised

    @property
    def n_known(self) -> tuple[int, str]:
        """How many known images or groups lay the threshold, and which of the two they are."""
        rows = (self.y >= 0) & self.is_promised
        counted = HeldOut(np.zeros(int(rows.sum())), units_in(self, rows))  # as a bound counts
        return counted.n, counted.unit

    @property
    def ungrouped(self) -> bool:
        """Whether no two known images are of one group."""
        if self.units is None:
            return True
        known = self.units[self.y >= 0]
        return len(np.unique(known)) == len(known)

    @property
    def units(self) -> NDArray[np.str_] | None:
        """What a bound counts: the group of each image, or the image itself if it has none.

        None if no image has a group.
        """
        return None if self.groups is None else units_of(self.groups)


def _some(column: Sequence[Any] | None, rows: NDArray[np.int64]) -> list[Any] | None:
    return None if column is None else [column[i] for i in rows.tolist()]


class Foldable(Protocol):
    """What folds are dealt by, as `TrainingSet` has it."""

    @property
    def y(self) -> NDArray[np.int64]:
        """What known images are spread by, -1 for negatives."""

    @property
    def groups(self) -> Sequence[str | None] | None:
        """Group of each image."""

    @property
    def origins(self) -> Sequence[str] | None:
        """Folder or source of each image."""

    @property
    def units(self) -> NDArray[np.str_] | None:
        """What a bound counts."""


def deal(
    data: Foldable, n_folds: int, seed: int, min_folders: int | None = None
) -> NDArray[np.int64]:
    """Deal known images by class, and negatives by folder so that each meets unseen kinds.

    Parameters
    ----------
    data : Foldable
        A training set.
    n_folds, seed : int
        As for `fit_model`.
    min_folders : int or None
        Folders of negatives from which on they are held out whole; None: as many as folds, because
        with fewer some models would see hardly any kind of negative.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    known = data.y >= 0
    folds = np.empty(len(known), dtype=np.int64)
    folds[known] = assign_folds(data.y[known], n_folds, units_in(data, known), seed)
    if not known.all():
        grouped = data.groups is not None and any(
            group is not None
            for group, is_known in zip(data.groups, known, strict=True)
            if not is_known
        )
        groups = units_in(data, ~known) if grouped else None
        if data.origins is not None:
            origins = np.array(data.origins)[~known]
            folders = origins if groups is None else linked(origins, groups)
            enough = n_folds if min_folders is None else min_folders
            groups = folders if len(np.unique(folders)) >= enough else groups
        folds[~known] = assign_folds(data.y[~known], n_folds, groups, seed)
    return folds


def linked(first: NDArray[np.str_], second: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return a name for each entry, the same for all that share either name, or are linked so.

    Examples
    --------
    >>> linked(np.array(["a", "a", "b", "c"]), np.array(["x", "y", "y", "z"]))
    array(['0', '0', '0', '1'], dtype='<U21')
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_first, one = _numbers(first)
    n_second, two = _numbers(second)
    n = n_first + n_second
    graph = coo_array((np.ones(len(one)), (one, n_first + two)), shape=(n, n))
    parts = connected_components(graph, directed=False)[1][one]
    return np.unique(parts, return_inverse=True)[1].astype(np.str_)


def _numbers(names: NDArray[np.str_]) -> tuple[int, NDArray[np.int64]]:
    different, numbers = np.unique(names, return_inverse=True)
    return len(different), numbers


def units_of(groups: Sequence[str | None]) -> NDArray[np.str_] | None:
    """Return the group of each image, or the image itself if it has none; None without groups.

    >>> units_of(["a", None, "a"])
    array(['group a', 'image 1', 'group a'], dtype='<U7')
    """
    if all(group is None for group in groups):
        return None
    return np.array([f"image {i}" if g is None else f"group {g}" for i, g in enumerate(groups)])


def units_in(data: Foldable, rows: NDArray[np.bool_]) -> NDArray[np.str_] | None:
    """Return what a bound counts among some of the rows; None if no image has a group."""
    return None if data.units is None else data.units[rows]
