"""Which images tune the network, which stop its training, and which it never sees."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from outgroup.calibration import assign_folds
from outgroup.classifier.prepare import copies_as_groups
from outgroup.classifier.tuning import Targets
from outgroup.data import Samples
from outgroup.embeddings import ProgressBar
from outgroup.errors import InvalidDataError, UnreadableImageError
from outgroup.images import ImageSource, Preprocessing, content_digest, load_image, read_source

#: Parts: the network learns from an image; its training is stopped by it; or it is not used.
TUNED, WATCHED, UNSEEN = 0, 1, 2

#: Fewest images of a class, and fewest negatives.
MIN_IMAGES = 6

T = TypeVar("T")


@dataclass(frozen=True)
class TuningImages:
    """Images that can be tuned on, in the order of their content, and the part of each.

    `rows` are their rows among the samples, `parts` are `TUNED`, `WATCHED` or `UNSEEN`.
    """

    rows: list[int]
    digests: list[str]
    targets: Targets
    collections: list[str]
    parts: NDArray[np.int64]

    def class_counts(self, part: int) -> dict[str, int]:
        """Return how many images of a part have each class or label; those of none are left out."""
        counts = (self.targets.Y[self.parts == part] == 1).sum(axis=0).tolist()
        return {n: count for n, count in zip(self.targets.names, counts, strict=True) if count}

    def counts(self, part: int) -> tuple[int, int]:
        """Return how many images of a part are known, and how many are negatives."""
        known = self.targets.Y[self.parts == part].any(axis=1)
        return int(known.sum()), int((~known).sum())


def choose_images(
    samples: Samples,
    targets: Targets,
    collections: Sequence[str],
    hold_out: int,
    seed: int,
    threads: int | None = None,
    progress: bool | None = None,
) -> TuningImages:
    """Read all images once, and split those that can be used.

    Left out are unreadable images, images that occur with different labels, and images with an
    unknown label. Copies of an image stay together. The order of the files does not matter.
    """
    with ProgressBar(len(samples), progress, what="reading") as bar:
        digests = list(in_threads(_digest, samples.sources, threads, bar))
    labels_of: dict[str | None, set[bytes]] = {}
    for digest, row in zip(digests, targets.Y, strict=True):
        labels_of.setdefault(digest, set()).add(row.tobytes())
    complete: NDArray[np.bool_] = np.all(targets.Y >= 0, axis=1)
    rows = [i for i, d in enumerate(digests) if d and len(labels_of[d]) == 1 and complete[i]]
    if not rows:
        raise InvalidDataError("None of the images can be read, so nothing can be tuned.")
    rows.sort(key=lambda i: (str(digests[i]), samples.origins[i], samples.groups[i] or ""))
    chosen = replace(targets, Y=targets.Y[rows])
    names = [collections[i] for i in rows]
    parts = split(
        strata(chosen.names, chosen.Y, chosen.several),
        names,
        [samples.origins[i] for i in rows],
        copies_as_groups([samples.groups[i] for i in rows], [digests[i] for i in rows]),
        hold_out,
        seed,
        need_negatives=not targets.several,
    )
    return TuningImages(rows, [str(digests[i]) for i in rows], chosen, names, parts)


def split(
    labels: Sequence[str | None],
    collections: Sequence[str],
    origins: Sequence[str],
    groups: Sequence[str | None],
    hold_out: int = 2,
    seed: int = 0,
    need_negatives: bool = True,
) -> NDArray[np.int64]:
    """Return the part of each image: `TUNED`, `WATCHED` or, one in `hold_out`, `UNSEEN`.

    Classes (None: negatives) and collections of negatives are split evenly. Groups stay together,
    and so do the folders of a collection that has four or more: then the negatives that stop the
    training and calibrate the threshold are of kinds that the network was not tuned on. Too few
    images are an `InvalidDataError`.
    """
    _check_counts(labels, need_negatives)
    named = [
        f"class {label}" if label is not None else f"negatives {collection}"
        for label, collection in zip(labels, collections, strict=True)
    ]
    folders: dict[str, set[str]] = {}
    for stratum, origin in zip(named, origins, strict=True):
        folders.setdefault(stratum, set()).add(origin)
    units = [
        f"group {group}"
        if group is not None
        else f"folder {stratum} {origin}"
        if label is None and len(folders[stratum]) >= 4
        else f"image {i}"
        for i, (label, group, stratum, origin) in enumerate(
            zip(labels, groups, named, origins, strict=True)
        )
    ]
    parts = np.full(len(labels), TUNED)
    parts[assign_folds(named, hold_out, units, seed) == 0] = UNSEEN
    rest = np.flatnonzero(parts == TUNED)
    of_rest = [named[i] for i in rest], 5, [units[i] for i in rest]  # one in five is watched
    parts[rest[assign_folds(*of_rest, seed + 1) == 0]] = WATCHED
    _check_parts(labels, parts)
    return parts


def strata(names: Sequence[str], Y: NDArray[np.int64], several: bool) -> list[str | None]:
    """Return the class of each row, None for negatives; of several labels the rarest."""
    y = rarest(Y)
    if several:
        for name, count in zip(names, (Y == 1).sum(axis=0).tolist(), strict=True):
            if count < MIN_IMAGES:
                raise _too_few(f"{count} images have the label {name!r}", "label")
        counts = np.bincount(y[y >= 0], minlength=len(names))
        few = np.flatnonzero(counts < MIN_IMAGES)  # most images with it have a rarer label, too
        y[np.isin(y, few)] = counts.argmax()
    return [None if k < 0 else names[k] for k in y.tolist()]


def rarest(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return the index of the rarest label of each row, -1 for rows without any.

    >>> rarest(np.array([[1, 0], [1, 1], [1, 0], [0, 0]]))
    array([ 0,  1,  0, -1])
    """
    present = targets > 0
    counts = np.where(present, present.sum(axis=0), len(targets) + 1)
    y: NDArray[np.int64] = np.where(present.any(axis=1), counts.argmin(axis=1), -1)
    return y


def read_pixels(
    sources: Sequence[ImageSource],
    preprocessing: Preprocessing,
    folder: Path,
    threads: int | None,
    progress: bool | None,
) -> NDArray[np.uint8]:
    """Return all images as a memory map of shape (n, crop, crop, 3)."""
    shape = (len(sources), preprocessing.crop, preprocessing.crop, 3)
    path = folder / "pixels.npy"
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)

    def load(source: ImageSource) -> NDArray[np.uint8]:
        return load_image(read_source(source), preprocessing)

    with ProgressBar(len(sources), progress, what="images") as bar:
        for i, image in enumerate(in_threads(load, sources, threads, bar)):
            pixels[i] = image
    return pixels


def in_threads(
    do: Callable[[Any], T], items: Iterable[Any], threads: int | None, bar: ProgressBar
) -> Iterator[T]:
    """Yield `do` of each item, in order, computed a chunk of items ahead."""
    rest = iter(items)
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        while chunk := list(islice(rest, 64)):
            for result in pool.map(do, chunk):
                bar.advance()
                yield result


def _digest(source: ImageSource) -> str | None:
    try:
        data = read_source(source)
        load_image(data, Preprocessing(resize=8, crop=8))
        return content_digest(data)
    except UnreadableImageError:
        return None


def _check_counts(labels: Sequence[str | None], need_negatives: bool) -> None:
    counts = Counter(labels)
    if counts.pop(None, 0) < MIN_IMAGES and need_negatives:
        raise InvalidDataError(
            f"Tuning the network needs negatives, at least {MIN_IMAGES} and better hundreds: give "
            "folders of images that are none of the classes (--other, --pool)."
        )
    for name, count in sorted(counts.items(), key=lambda item: str(item[0])):
        if count < MIN_IMAGES:
            raise _too_few(f"Class {name!r} has {count} readable images", "class")


def _too_few(what: str, kind: str) -> InvalidDataError:
    return InvalidDataError(
        f"{what}. Tuning the network needs at least {MIN_IMAGES}, of which half are held out: add "
        f"images, leave the {kind} out, or train without tuning."
    )


def _check_parts(labels: Sequence[str | None], parts: NDArray[np.int64]) -> None:
    names = np.array(["" if label is None else f"class {label}" for label in labels])
    for name in np.unique(names):
        for part, least, doing in ((TUNED, 1, "tune on"), (UNSEEN, 2, "hold out")):
            if np.count_nonzero((names == name) & (parts == part)) < least:
                raise InvalidDataError(
                    f"There are too few images or groups of {name or 'negatives'} to {doing} some. "
                    "Add images of other groups, or train without tuning."
                )
    watched = names[parts == WATCHED] != ""
    if not watched.any() or (watched.all() and (names == "").any()):
        raise InvalidDataError(
            "There are too few images or groups to stop the training by. Add some, or train "
            "without tuning."
        )
