"""From labelled images and negatives to a training set, with a report of what was left out."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.negatives import (
    SampledPool,
    collections,
    likely_overlaps,
    sampled_pool,
    with_pictures,
)
from outgroup.classifier.reports import PoolReport, TrainingReport
from outgroup.contamination import Contamination, find_suspects
from outgroup.data import MISSING, LabelReader, LabelTable, Samples, Skipped, path_of
from outgroup.data_checks import odd_names
from outgroup.embeddings import Embedder, Embeddings
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.label_schema import LabelSchema
from outgroup.strategies import Features, take
from outgroup.training_set import TrainingSet, group_units


class Given(NamedTuple):
    """Labelled images and negatives in one table."""

    table: LabelTable
    collections: list[str]  #: the collection of each image
    pooled: list[bool]  #: which images are of the pool
    whole: SampledPool | None  #: a uniform sample of a pool of which not all is learned from
    warnings: list[str]  #: about how images were given


@dataclass(frozen=True)
class Prepared:
    """Images to learn from, in the order of their content."""

    data: TrainingSet
    report: TrainingReport
    table: LabelTable  #: the same images with their cells
    keys: list[tuple[str | None, str]]  #: content and label of each
    pooled: NDArray[np.bool_]  #: (n,) which are of the pool
    copies: tuple[Skipped, ...]  #: images of the pool that have a label too; not in `data`

    @property
    def fingerprint(self) -> str:
        """Hash of content and label of all images."""
        return fingerprint(self.keys)

    def subset(self, kept: NDArray[np.bool_]) -> Prepared:
        """Return some of the images; copies and the report stay as they are."""
        rows = np.flatnonzero(kept)
        return replace(
            self,
            data=self.data if kept.all() else self.data.subset(rows),
            table=self.table.subset(rows.tolist()),
            keys=[self.keys[i] for i in rows.tolist()],
            pooled=self.pooled[rows],
        )


def gather(
    reader: LabelReader,
    data: Any,
    other: Any,
    pool: Any = None,
    embedder: Embedder | None = None,
    seed: int = 0,
) -> Given:
    """Return labelled images and negatives in one table.

    A sub-folder of `data` that is given as negatives, too, is no class. The embedder finds the
    images of a large `Pool` that are near the labelled ones.
    """
    if data is None:
        raise InvalidParameterError(
            "Invalid `data`: must be a folder, a .csv or .tsv file, a DataFrame or a list of "
            "images, got None. Without images classes can only be given by a map of names."
        )
    table = reader.read(data)
    inside = [folder for given in (other, pool) for folder in _folders_inside(data, given)]
    if inside:
        kept = [
            i
            for i, source in enumerate(table.samples.sources)
            if not any(_is_inside(os.path.realpath(str(source)), folder) for folder in inside)
        ]
        unlabelled, skipped = table.samples.unlabelled, table.samples.skipped
        table = table.subset(kept)
        samples = replace(table.samples, unlabelled=unlabelled, skipped=skipped)
        table = replace(table, samples=samples)
    said = [
        f"The folder {name!r} is among the classes and was given as negatives, so it is no class. "
        "If it is one, don't give it as negatives."
        for name in sorted({os.path.relpath(folder, os.path.realpath(data)) for folder in inside})
        if not odd_names([name])
    ]
    labelled = table

    def known() -> NDArray[np.float32]:
        assert embedder is not None
        embedded = embedder.embed(labelled.samples.sources)
        return embedded.layers["last"][labelled.labelled & embedded.readable]

    near = None if embedder is None else known
    backbone = None if embedder is None else embedder.backbone
    names, pooled = [*table.samples.origins], [False] * len(table.samples)
    parts: list[Samples] = []
    of_pool: list[Samples] = []
    for given, is_pool in ((other, False), (pool, True)):
        for name, part in () if given is None else collections(given, near, seed, backbone):
            parts.append(part)
            of_pool += [part] * is_pool
            names += [f"{name} (pool)" if is_pool and name in names else name] * len(part)
            pooled += [is_pool] * len(part)
    classes = sorted({str(c) for row in table.cells for c in row if isinstance(c, str)})
    classes = list(table.columns) if table.kind == "labels" else classes
    said += likely_overlaps({origin for part in parts for origin in part.origins}, classes)
    whole = sampled_pool(pool, of_pool, seed, backbone)
    if parts:
        table = table.with_others(Samples.concatenate(parts))
    return Given(table, names, pooled, whole, said)


def prepare(
    given: Given,
    embeddings: Embeddings,
    probes: Mapping[str, Features] | None = None,
    schema: LabelSchema | None = None,
) -> Prepared:
    """Make a training set of the images that can be used.

    Rows are put in the order of their content, so that the same images give the same model whatever
    the order of the files. Copies of one image become one group, because a copy on the other side
    of a split would give the answer away. With a `schema` the images only calibrate.
    """
    table, digests = given.table, embeddings.digests
    samples = table.samples
    paths = [name_of(source, i) for i, source in enumerate(samples.sources)]
    unreadable = [
        Skipped(path, error)
        for path, error in zip(paths, embeddings.errors, strict=True)
        if error is not None
    ]
    readable = [i for i, error in enumerate(embeddings.errors) if error is None]
    has_label = table.labelled
    labelled = {digests[i] for i in readable if has_label[i]}
    copies = [i for i in readable if given.pooled[i] and digests[i] in labelled]
    readable = sorted({*readable} - {*copies})
    disputed = _disputed(table, digests, readable)
    contradictory = [
        Skipped(paths[i], f"the same image is there as {disputed[digests[i]]}")
        for i in readable
        if digests[i] in disputed
    ]
    usable = [i for i in readable if digests[i] not in disputed]
    if not usable:
        raise InvalidDataError(_nothing_left(samples, unreadable + contradictory))
    found = table.subset(usable).counts()
    if lost := sorted({*table.counts()} - {*found}):  # its images would all be rejected
        raise InvalidDataError(_class_lost(lost[0], table, [*unreadable, *contradictory], paths))
    if schema is None:
        _refuse_copies(table, usable, digests)
    kept_paths = [path_of(source) for source in samples.sources]
    cells = [repr([0 if cell is MISSING else cell for cell in row]) for row in table.cells]
    rows = sorted(
        usable,
        key=lambda i: (
            str(digests[i]),
            samples.origins[i],
            samples.groups[i] or "",
            kept_paths[i] or "",
            cells[i],
        ),
    )
    used = table.subset(rows)
    report = TrainingReport(
        class_counts=found,
        n_others=sum(all(cell is None for cell in row) for row in used.cells),
        unreadable=tuple(unreadable),
        skipped=tuple(samples.skipped),
        n_unlabelled=len(samples.unlabelled),
        contradictory=tuple(contradictory),
    )
    names = {digest: repr(table.name(i)) for i, digest in enumerate(digests) if has_label[i]}
    names |= disputed
    classes = used.schema() if schema is None else schema
    data = TrainingSet(
        take(embeddings.layers, np.array(rows)),
        used.targets(classes),
        classes,
        copies_as_groups([samples.groups[i] for i in rows], [digests[i] for i in rows]),
        [samples.origins[i] for i in rows],
        [kept_paths[i] for i in rows],
        [given.collections[i] for i in rows],
        probes or {},
        learned_from=schema is None,
    )
    return Prepared(
        data=data,
        report=report,
        table=used,
        keys=[(digests[i], cells[i]) for i in rows],
        pooled=np.array([given.pooled[i] for i in rows], dtype=bool),
        copies=tuple(
            Skipped(paths[i], f"the same image is there as {names[digests[i]]}") for i in copies
        ),
    )


class Checked(NamedTuple):
    """What is learned from once the pool was searched for images of the classes."""

    prepared: Prepared
    found: Contamination | None  #: None if there were no negatives


def set_suspects_aside(
    prepared: Prepared,
    seed: int,
    keep_suspects: bool,
    whole: SampledPool | None = None,
    embedder: Embedder | None = None,
) -> Checked:
    """Set images of the pool aside that look like a class; verified negatives stay.

    `whole` is a uniform sample of a pool of which not all is learned from: the share of suspects is
    that in this sample.
    """
    data, pooled, copies = prepared.data, prepared.pooled, prepared.copies
    has_pool = bool(pooled.any()) or len(copies) > 0
    if not (has_pool or (data.learned_from and data.negative.any())):
        return Checked(prepared, None)
    if data.learned_from:
        found = _search(prepared, seed, whole, embedder)
        sources = prepared.table.samples.sources
        found = with_pictures(found, [sources[i] for i in np.flatnonzero(pooled).tolist()])
    else:
        why = "Known images that are not learned from say nothing of the pool."
        found = Contamination(int(pooled.sum()), (), None, why, (), 0)
    if not has_pool:
        return Checked(prepared, found)
    kept = np.ones(len(pooled), dtype=np.bool_)
    if not keep_suspects:
        kept[np.flatnonzero(pooled)[found.rows]] = False
    prepared = prepared.subset(kept)
    report = replace(
        prepared.report,
        n_others=int(prepared.data.negative.sum()),
        pool=PoolReport(found, copies, keep_suspects, whole and whole.n),
    )
    return Checked(replace(prepared, report=report), found)


def _search(
    prepared: Prepared, seed: int, whole: SampledPool | None, embedder: Embedder | None
) -> Contamination:
    """Search the pool for known images, each combination of labels being a class.

    Images whose labels are known in part only, or whose combination only one group has, are neither
    a class nor a negative.
    """
    pooled, known = prepared.pooled, _as_single(prepared)
    if known is None:
        why = "No combination of labels is there twice."
        return Contamination(int(pooled.sum()), (), None, why, (), 0)
    units, paths = prepared.data.units, prepared.data.paths
    found = find_suspects(
        known,
        prepared.data.features["last"][pooled],
        None if units is None else units[pooled],
        None if paths is None else [paths[i] for i in np.flatnonzero(pooled).tolist()],
        seed,
    )
    if whole is None:
        return found
    assert embedder is not None
    embedded = embedder.embed(whole.samples.sources)
    rows = np.flatnonzero(embedded.readable)
    groups = group_units([whole.samples.groups[i] for i in rows.tolist()])
    of_all = find_suspects(known, embedded.layers["last"][rows], groups, None, seed)
    return replace(found, share=of_all.share, no_share=of_all.no_share)


def _as_single(prepared: Prepared) -> TrainingSet | None:
    """Return known images and verified negatives with one class each; None without a class."""
    data, pooled = prepared.data, prepared.pooled
    if data.schema.is_single:
        return data.subset(np.flatnonzero(~pooled))
    names = [prepared.table.name(i) for i in range(len(pooled))]
    units: dict[str, set[str]] = {}
    for row, name in enumerate(names):
        if name:
            unit = f"image {row}" if data.units is None else str(data.units[row])
            units.setdefault(name, set()).add(unit)
    rows = [
        row
        for row, name in enumerate(names)
        if not pooled[row] and (name == "" or (name and len(units[name]) > 1))
    ]
    if not any(names[row] for row in rows):
        return None
    some = data.subset(np.array(rows))
    labels = [names[row] or None for row in rows]
    return TrainingSet.from_labels(some.features, labels, some.groups, None, some.paths)


def _disputed(
    table: LabelTable, digests: Sequence[str | None], rows: Sequence[int]
) -> dict[str | None, str]:
    """Return the images that are there with labels that contradict each other, with these."""
    found: dict[tuple[str | None, int], set[Any]] = {}
    said: dict[str | None, set[str]] = {}
    for i in rows:
        said.setdefault(digests[i], set()).add(table.name(i) or "")
        for column, cell in enumerate(table.cells[i]):
            if cell is not MISSING:  # that nobody has looked contradicts nothing
                found.setdefault((digests[i], column), set()).add(cell)
    disputed = {digest for (digest, _), cells in found.items() if len(cells) > 1}
    return {
        digest: " and ".join(sorted(repr(name) if name else "other" for name in said[digest]))
        for digest in disputed
    }


def _refuse_copies(table: LabelTable, usable: Sequence[int], digests: Sequence[str | None]) -> None:
    different: dict[str, list[str | None]] = {}
    for i in usable:
        if name := table.name(i):
            different.setdefault(name, []).append(digests[i])
    counts = Counter(table.name(i) for i in usable)
    for name, found in sorted(different.items()):
        if table.kind == "single" and counts[name] > 1 and len({*found}) == 1:
            raise InvalidDataError(
                f"All {len(found)} images of class {name!r} are copies of one. At least 2 "
                "different ones are needed to hold one out, and some 30 for a good model: add "
                "others, or leave the class out."
            )


def copies_as_groups(
    groups: Sequence[str | None], digests: Sequence[str | None]
) -> list[str | None]:
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


def fingerprint(keys: Iterable[tuple[str | None, str]]) -> str:
    """Return the hash of content and label of images."""
    digest = hashlib.blake2b(digest_size=16)
    for key in keys:
        digest.update(repr(key).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def name_of(source: object, index: int) -> str:
    """Return what a message calls an image."""
    return str(source) if hasattr(source, "__fspath__") or isinstance(source, str) else f"#{index}"


def root_of(data: Any) -> str | None:
    """Return the folder that labelled images are from, None if they are from anything else."""
    is_folder = isinstance(data, (str, os.PathLike)) and os.path.isdir(data)
    return os.fspath(data) if is_folder else None


def _nothing_left(samples: Samples, left_out: list[Skipped]) -> str:
    if not left_out:
        return (
            f"There is no image with a label: {len(samples.unlabelled)} have none. Label some, or "
            "name the column of the labels."
        )
    return (
        f"None of the {len(samples)} images can be used. The first is {left_out[0].path}: "
        f"{left_out[0].reason}."
    )


def _class_lost(
    name: str, table: LabelTable, left_out: Sequence[Skipped], paths: Sequence[str]
) -> str:
    of_class = {path for i, path in enumerate(paths) if name in table.subset([i]).counts()}
    example = next(file for file in left_out if file.path in of_class)
    return (
        f"Class {name!r} has {len(of_class)} images, and none of them can be used. The first is "
        f"{example.path}: {example.reason}. Replace them, keep each image under one label, or "
        "leave the class out."
    )


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
