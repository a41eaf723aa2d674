"""Which images tune the network, which watch over it, and which it never sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import assign_folds
from outgroup.errors import InvalidDataError

#: What becomes of an image: the network learns from it, its training is stopped by it, or it has
#: no part in either, and can say what new images will be like.
TUNED, WATCHED, UNSEEN = 0, 1, 2

#: One in so many images that are not held out watches over the training.
WATCHERS = 5

#: Folders of a collection of negatives from which on they are held out whole.
MIN_FOLDERS = 4

#: Images of a class below which there is nothing to hold out.
MIN_IMAGES = 6


def split(
    labels: Sequence[str | None],
    collections: Sequence[str],
    origins: Sequence[str],
    groups: Sequence[str | None],
    hold_out: int = 2,
    seed: int = 0,
    need_others: bool = True,
) -> NDArray[np.int64]:
    """Return for each image `TUNED`, `WATCHED` or `UNSEEN`.

    Classes and collections of negatives are split evenly, groups stay together, and so do the
    folders of a collection that has enough of them: the network is watched, and the threshold laid,
    by kinds of negatives that it has not been tuned on.

    Parameters
    ----------
    labels : sequence of (str or None), length n
        The class, None for negatives; in an order that does not depend on that of the files.
    collections, origins, groups
        As in `TrainingSet`.
    hold_out : int, default=2
        One image in so many is `UNSEEN`.
    seed : int, default=0
    need_others : bool, default=True
        Whether there must be negatives.

    Returns
    -------
    ndarray of shape (n,), int64

    Raises
    ------
    InvalidDataError
        If there are no negatives, or too few images of a class.

    Examples
    --------
    >>> labels = ["cat"] * 10 + [None] * 10
    >>> where = ["photos"] * 10 + ["pool"] * 10
    >>> split(labels, where, where, [None] * 20)[:10]
    array([2, 2, 0, 2, 2, 0, 0, 1, 2, 0])
    """
    _check(labels, need_others)
    strata = [
        f"class {label}" if label is not None else f"negatives {collection}"
        for label, collection in zip(labels, collections, strict=True)
    ]
    folders: dict[str, set[str]] = {}
    for stratum, origin in zip(strata, origins, strict=True):
        folders.setdefault(stratum, set()).add(origin)
    units = [
        f"group {group}"
        if group is not None
        else f"folder {stratum} {origin}"
        if label is None and len(folders[stratum]) >= MIN_FOLDERS
        else f"image {i}"
        for i, (label, group, stratum, origin) in enumerate(
            zip(labels, groups, strata, origins, strict=True)
        )
    ]
    parts = np.full(len(labels), TUNED)
    parts[assign_folds(strata, hold_out, units, seed) == 0] = UNSEEN
    rest = np.flatnonzero(parts == TUNED)
    watch = assign_folds([strata[i] for i in rest], WATCHERS, [units[i] for i in rest], seed + 1)
    parts[rest[watch == 0]] = WATCHED
    _check_parts(labels, parts)
    return parts


def strata(names: Sequence[str], Y: NDArray[np.int64], several: bool) -> list[str | None]:
    """Return the class of each row, None for negatives; the rarest label where it has several.

    Raises
    ------
    InvalidDataError
        If too few images have one of several labels.

    Examples
    --------
    >>> strata(("cat", "dog"), np.array([[0, 1], [0, 0]]), several=False)
    ['dog', None]
    """
    y = rarest(Y)
    if several:
        for name, count in zip(names, (Y == 1).sum(axis=0).tolist(), strict=True):
            if count < MIN_IMAGES:
                raise InvalidDataError(
                    f"{count} images have the label {name!r}. Tuning the network needs at least "
                    f"{MIN_IMAGES}, of which half are held out: add images, leave the label out, "
                    "or train without tuning."
                )
        counts = np.bincount(y[y >= 0], minlength=len(names))
        few = np.flatnonzero(counts < MIN_IMAGES)  # what has it nearly always has a rarer one, too
        y[np.isin(y, few)] = counts.argmax()
    return [None if k < 0 else names[k] for k in y.tolist()]


def rarest(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return the index of the rarest label of each row, -1 for rows without any.

    Examples
    --------
    >>> rarest(np.array([[1, 0], [1, 1], [1, 0], [0, 0]]))
    array([ 0,  1,  0, -1])
    """
    there = targets > 0
    counts = np.where(there, there.sum(axis=0), len(targets) + 1)
    y: NDArray[np.int64] = np.where(there.any(axis=1), counts.argmin(axis=1), -1)
    return y


def _check(labels: Sequence[str | None], need_others: bool) -> None:
    counts = Counter(labels)
    if counts.pop(None, 0) < MIN_IMAGES and need_others:
        raise InvalidDataError(
            f"Tuning the network needs negatives, at least {MIN_IMAGES} and better hundreds: give "
            "folders of images that are none of the classes (--other, --pool)."
        )
    for name, count in sorted(counts.items(), key=lambda item: str(item[0])):
        if count < MIN_IMAGES:
            raise InvalidDataError(
                f"Class {name!r} has {count} readable images. Tuning the network needs at least "
                f"{MIN_IMAGES}, of which half are held out: add images, leave the class out, or "
                "train without tuning."
            )


def _check_parts(labels: Sequence[str | None], parts: NDArray[np.int64]) -> None:
    names = np.array(["" if label is None else f"class {label}" for label in labels])
    for name in np.unique(names):
        for part, least, doing in ((TUNED, 1, "tune"), (UNSEEN, 2, "hold out")):
            if np.count_nonzero((names == name) & (parts == part)) < least:
                raise InvalidDataError(
                    f"There are too few images or groups of {name or 'negatives'} to {doing} some. "
                    "Add images of other groups, or train without tuning."
                )
    watched = names[parts == WATCHED] != ""
    if not watched.any() or (watched.all() and (names == "").any()):
        raise InvalidDataError(
            "There are too few images or groups to watch over the tuning. Add some, or train "
            "without tuning."
        )
