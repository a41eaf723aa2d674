"""From samples and their embeddings to a training set, with a record of what was left out."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.artifact import TrainingInfo
from outgroup.classifier.pool_report import PoolReport
from outgroup.data import Samples, Skipped
from outgroup.embeddings import Embeddings
from outgroup.errors import InvalidDataError
from outgroup.images import ImageSource
from outgroup.strategies import Features, take
from outgroup.training_set import TrainingSet


@dataclass(frozen=True)
class TrainingReport:
    """What became of the images that were given for training.

    Parameters
    ----------
    class_counts : dict of str to int
        Images of each class that were learned from.
    n_others : int
        Negatives that were learned from.
    unreadable : tuple of Skipped
        Images that could not be read, with the reason.
    skipped : tuple of Skipped
        Files that were not taken for images.
    n_unlabelled : int
        Images without a label; they were not used.
    contradictory : tuple of Skipped
        Images that are also there with another label; none of their copies was used.
    warnings : tuple of str
        What is allowed in these images and rarely meant, with the fix.
    pool : PoolReport or None
        What became of the negatives that nobody has looked at; None if there were none.
    """

    class_counts: dict[str, int]
    n_others: int
    unreadable: tuple[Skipped, ...]
    skipped: tuple[Skipped, ...]
    n_unlabelled: int
    contradictory: tuple[Skipped, ...]
    warnings: tuple[str, ...] = ()
    pool: PoolReport | None = None

    def info(self, fingerprint: str, options: Mapping[str, object]) -> TrainingInfo:
        """Return what a model file keeps of it."""
        options = dict(options)
        if self.pool is not None:
            options["pool"] = self.pool.summary()
        return TrainingInfo(
            fingerprint, self.class_counts, self.n_others, len(self.unreadable), options
        )


class Prepared(NamedTuple):
    """Images that can be learned from, before the pool has been looked at.

    `keys` are content and label of each, `pooled` says which are of the pool, and `copies` are
    images of the pool that are there with a label, too; they are not among the rest. `sources` are
    the images themselves, and `rows` says which of the samples each is.
    """

    data: TrainingSet
    report: TrainingReport
    keys: list[tuple[str | None, str | None]]
    pooled: NDArray[np.bool_]
    copies: tuple[Skipped, ...]
    sources: list[ImageSource]
    rows: list[int]


def nothing_learned(classes: Sequence[str]) -> tuple[TrainingReport, str]:
    """Return the report and the fingerprint of a model that has seen no image."""
    return TrainingReport(dict.fromkeys(classes, 0), 0, (), (), 0, ()), fingerprint([])


def prepare(
    samples: Samples,
    embeddings: Embeddings,
    collections: Sequence[str] | None = None,
    probes: Mapping[str, Features] | None = None,
    classes: Sequence[str] | None = None,
    pooled: Sequence[bool] | None = None,
) -> Prepared:
    """Make a training set of what can be learned from.

    Rows are put in the order of their content, so that the same images give the same model whatever
    the order of the files; copies of one image in the order of their paths. These become one group,
    because a copy on the other side of a split would give the answer away.

    Parameters
    ----------
    samples : Samples
        Images with labels.
    embeddings : Embeddings
        Of the same images, in the same order.
    collections : sequence of str or None
        Which collection each is of; None: its origin.
    probes : mapping or None
        Embeddings of images that are never learned from; see `TrainingSet`.
    classes : sequence of str or None
        The classes, if they are known already and the images only calibrate; None: those of the
        labels.
    pooled : sequence of bool or None
        Whether each is of the pool, of which nobody has said that it shows no class: a copy of a
        labelled image there contradicts nothing.

    Returns
    -------
    Prepared

    Raises
    ------
    InvalidDataError
        If nothing is left to learn from, or nothing of one class.
    """
    paths = [name_of(source, i) for i, source in enumerate(samples.sources)]
    digests, labels = embeddings.digests, samples.labels
    unreadable = [
        Skipped(path, error)
        for path, error in zip(paths, embeddings.errors, strict=True)
        if error is not None
    ]
    pooled = [False] * len(samples) if pooled is None else pooled
    labels_of: dict[str | None, set[str | None]] = {}
    readable = [i for i, error in enumerate(embeddings.errors) if error is None]
    labelled = {digests[i] for i in readable if labels[i] is not None}
    copies = [i for i in readable if pooled[i] and digests[i] in labelled]
    readable = sorted({*readable} - {*copies})
    for i in readable:
        labels_of.setdefault(digests[i], set()).add(labels[i])
    contradictory = [
        Skipped(paths[i], f"the same image is there as {_list(labels_of[digests[i]])}")
        for i in readable
        if len(labels_of[digests[i]]) > 1
    ]
    usable = [i for i in readable if len(labels_of[digests[i]]) == 1]
    if not usable:
        raise InvalidDataError(_nothing_left(len(samples), unreadable, contradictory))
    lost = sorted({str(label) for label in labels if label} - {str(labels[i]) for i in usable})
    if lost:  # a model without the class would call all its images other
        raise InvalidDataError(_class_lost(lost[0], labels, [*unreadable, *contradictory], paths))

    if classes is None:
        _refuse_copies(usable, labels, digests)
    kept_paths = [path_of(source) for source in samples.sources]
    rows = sorted(
        usable,
        key=lambda i: (
            str(digests[i]),
            samples.origins[i],
            samples.groups[i] or "",
            kept_paths[i] or "",
        ),
    )
    counts = Counter(labels[i] for i in rows)
    n_others = counts.pop(None, 0)
    report = TrainingReport(
        class_counts={str(label): counts[label] for label in sorted(map(str, counts))},
        n_others=n_others,
        unreadable=tuple(unreadable),
        skipped=tuple(samples.skipped),
        n_unlabelled=len(samples.unlabelled),
        contradictory=tuple(contradictory),
    )
    copied = tuple(
        Skipped(paths[i], f"the same image is there as {_list(labels_of[digests[i]])}")
        for i in copies
    )
    data = TrainingSet.from_labels(
        take(embeddings.layers, np.array(rows)),
        [labels[i] for i in rows],
        copies_as_groups([samples.groups[i] for i in rows], [digests[i] for i in rows]),
        [samples.origins[i] for i in rows],
        [kept_paths[i] for i in rows],
        [(collections or samples.origins)[i] for i in rows],
        probes,
        classes,
    )
    keys = [(digests[i], labels[i]) for i in rows]
    of_pool = np.array([pooled[i] for i in rows], dtype=bool)
    sources = [samples.sources[i] for i in rows]
    return Prepared(data, report, keys, of_pool, copied, sources, rows)


def _refuse_copies(
    usable: list[int], labels: Sequence[str | None], digests: Sequence[str | None]
) -> None:
    different: dict[str, list[str | None]] = {}
    for i in usable:
        if (label := labels[i]) is not None:
            different.setdefault(label, []).append(digests[i])
    for name, found in sorted(different.items()):
        if len(found) > 1 and len({*found}) == 1:
            raise InvalidDataError(
                f"All {len(found)} images of class {name!r} are copies of one. At least 2 "
                "different ones are needed to hold one out, and some 30 for a good model: add "
                "others, or leave the class out."
            )


def path_of(source: ImageSource) -> str | None:
    """Return the path of an image as it was given, None for an image in memory."""
    return str(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else None


def copies_as_groups(groups: list[str | None], digests: list[str | None]) -> list[str | None]:
    """Give copies of one image the group of the first of them, or one of their own."""
    copies = Counter(digests)
    first: dict[str | None, str | None] = {}
    for group, digest in zip(groups, digests, strict=True):
        if copies[digest] > 1 and first.get(digest) is None:
            first[digest] = group
    return [
        first[digest] or f"copies of {digest}" if copies[digest] > 1 else group
        for group, digest in zip(groups, digests, strict=True)
    ]


def fingerprint(rows: list[tuple[str | None, str | None]]) -> str:
    """Return the hash of content and label of all images."""
    digest = hashlib.blake2b(digest_size=16)
    for content, label in rows:
        digest.update(repr((content, label)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _nothing_left(n: int, unreadable: list[Skipped], contradictory: list[Skipped]) -> str:
    example = (unreadable + contradictory)[0]
    return (
        f"None of the {n} images can be used: {len(unreadable)} can't be read, "
        f"{len(contradictory)} have two labels. The first is {example.path}: {example.reason}."
    )


def _class_lost(
    name: str, labels: Sequence[str | None], left_out: list[Skipped], paths: list[str]
) -> str:
    of_class = {path for path, label in zip(paths, labels, strict=True) if label == name}
    example = next(file for file in left_out if file.path in of_class)
    return (
        f"Class {name!r} has {len(of_class)} images, and none of them can be used. The first is "
        f"{example.path}: {example.reason}. Replace them, keep each image under one label, or "
        "leave the class out."
    )


def _list(labels: set[str | None]) -> str:
    return " and ".join(sorted("other" if label is None else repr(label) for label in labels))


def name_of(source: object, index: int) -> str:
    """Return what a message calls an image."""
    return str(source) if hasattr(source, "__fspath__") or isinstance(source, str) else f"#{index}"
