"""From images to a model: with training, or with a threshold alone."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.negatives import collections
from outgroup.classifier.pool_images import DrawnFrom, drawn_from, likely_overlaps
from outgroup.classifier.training import TrainingReport
from outgroup.data import Samples, load_samples
from outgroup.data_checks import odd_names
from outgroup.embeddings import Embedder
from outgroup.errors import DataWarning, InvalidParameterError


class Given(NamedTuple):
    """Labelled images and negatives as one.

    `collections` says which collection each is of, `pooled` whether it is of the pool, `whole` is a
    sample of the whole pool where it has more, and `said` what is odd about how they were given.
    """

    samples: Samples
    collections: list[str]
    pooled: list[bool]
    whole: DrawnFrom | None
    said: list[str]


def training_samples(
    data: Any,
    other: Any,
    pool: Any = None,
    embedder: Embedder | None = None,
    seed: int = 0,
    **table: Any,
) -> Given:
    """Return labelled images and negatives as one.

    A sub-folder of `data` that is given as negatives, too, is no class: that is where a folder
    named "other" usually is.

    Parameters
    ----------
    data : folder, CSV file, DataFrame or Samples
        Labelled images.
    other : folder, images, a list of these, or None
        Negatives that somebody has looked at.
    pool : folder, images, Pool, a list of these, or None
        Negatives that nobody has looked at.
    embedder : Embedder or None
        What tells which images of a large `Pool` are near the labelled ones.
    seed : int, default=0
        Seed of what is drawn from a large `Pool`.
    **table
        For `load_samples`.

    Raises
    ------
    InvalidParameterError
        If there are no labelled images.
    """
    if data is None:
        raise InvalidParameterError(
            "The 'data' parameter must be a folder, a .csv or .tsv file, a DataFrame or a list of "
            "images. Got None instead. Without images classes can only be given by a map of names."
        )
    samples = load_samples(data, **table)
    inside = [folder for given in (other, pool) for folder in _folders_inside(data, given)]
    if inside:
        kept = [
            i
            for i, source in enumerate(samples.sources)
            if not any(_is_inside(os.path.realpath(str(source)), folder) for folder in inside)
        ]
        samples = replace(
            samples.subset(kept), unlabelled=samples.unlabelled, skipped=samples.skipped
        )
    said = [
        f"The folder {name!r} is among the classes and was given as negatives, so that it is no "
        "class. If it is one, don't give it as negatives."
        for name in sorted({os.path.relpath(folder, os.path.realpath(data)) for folder in inside})
        if not odd_names([name])
    ]

    def known() -> NDArray[np.float32]:
        assert embedder is not None
        embedded = embedder.embed(samples.sources)
        labelled = np.array([label is not None for label in samples.labels])
        return embedded.layers["last"][labelled & embedded.readable]

    near = None if embedder is None else known
    backbone = None if embedder is None else embedder.backbone
    parts, names, pooled = [samples], [*samples.origins], [False] * len(samples)
    which: list[bool] = []
    for given, is_pool in ((other, False), (pool, True)):
        for name, part in () if given is None else collections(given, near, seed, backbone):
            parts.append(part)
            which.append(is_pool)
            names += [f"{name} (pool)" if is_pool and name in names else name] * len(part)
            pooled += [is_pool] * len(part)
    of_pool = [part for part, is_pool in zip(parts[1:], which, strict=True) if is_pool]
    whole = drawn_from(pool, of_pool, seed, backbone)
    classes = sorted({label for label in samples.labels if label is not None})
    said += likely_overlaps({o for part in parts[1:] for o in part.origins}, classes)
    return Given(Samples.concatenate(parts), names, pooled, whole, said)


def root_of(data: Any) -> str | None:
    """Return the folder that labelled images are from, None if they are from anything else."""
    is_folder = isinstance(data, (str, os.PathLike)) and os.path.isdir(data)
    return os.fspath(data) if is_folder else None


def warned(report: TrainingReport, messages: Sequence[str]) -> TrainingReport:
    """Give each message as a `DataWarning`, and return the report with all of them."""
    for message in messages:
        warnings.warn(message, DataWarning, stacklevel=4)
    return replace(report, warnings=tuple(messages))


def _folders_inside(data: Any, other: Any) -> list[str]:
    """Return the folders among the negatives that are below the folder of the classes."""
    folder = root_of(data)
    if folder is None:
        return []
    many = isinstance(other, Iterable) and not isinstance(other, (str, bytes))
    root = os.path.realpath(folder)
    paths = [
        os.path.realpath(item)
        for item in (other if many else [other])
        if isinstance(item, (str, os.PathLike)) and os.path.isdir(item)
    ]
    return [path for path in paths if path != root and _is_inside(path, root)]


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
