"""From a table of labels and the embeddings of its images to what can be learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outgroup.classifier.learning import warned
from outgroup.classifier.negatives import collections
from outgroup.classifier.pool_images import DrawnFrom, drawn_from, with_pictures
from outgroup.classifier.pool_report import PoolReport
from outgroup.classifier.purging import look_through
from outgroup.classifier.tasks.base import Means
from outgroup.classifier.training import (
    TrainingReport,
    copies_as_groups,
    fingerprint,
    name_of,
    path_of,
)
from outgroup.contamination import Contamination
from outgroup.data import MISSING, LabelTable, Samples, Skipped, from_images
from outgroup.data.label_tables import MARK
from outgroup.data_checks import doubted_negatives, odd_names
from outgroup.embeddings import Embeddings
from outgroup.errors import InvalidDataError
from outgroup.strategies import Features, take
from outgroup.training_set import TrainingSet


@dataclass(frozen=True)
class Prepared:
    """Rows to learn from, in the order of their content.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n, d)
        Embeddings by layer.
    columns : tuple of str
        Names of the columns.
    cells : list of tuple, length n
        As in `LabelTable`.
    groups, origins : list, length n
        As in `TrainingSet`.
    samples : Samples
        The images, without labels.
    pooled : ndarray of shape (n,), bool
        Which of them are of the pool.
    promised : ndarray of shape (n,), bool, or None
        As in `TrainingSet`.
    """

    features: Features
    columns: tuple[str, ...]
    cells: list[tuple[Any, ...]]
    groups: list[str | None]
    origins: list[str]
    samples: Samples
    pooled: NDArray[np.bool_]
    promised: NDArray[np.bool_] | None = None


def prepare_table(
    table: LabelTable, other: Any, pool: Any, means: Means, named: bool
) -> tuple[Prepared, TrainingReport, str]:
    """Embed the images of a table and negatives, and return what can be learned from.

    As `prepare` does for one class an image: rows are put in the order of their content, copies of
    one image become one group, and copies whose cells contradict each other are left out.

    Parameters
    ----------
    table : LabelTable
        Images with cells.
    other : folder, images, or a list of these, or None
        Images of which every cell says none.
    pool : folder, images, or a list of these, or None
        Images that nobody has looked at; those that look like images with labels are set aside.
    means : Means
        What embeds them, and whether all of the pool is kept.
    named : bool
        Whether a cell holds the name of a class, not a mark; the report counts these.

    Returns
    -------
    prepared : Prepared
    report : TrainingReport
    fingerprint : str
        Hash of content and cells of all images.

    Raises
    ------
    InvalidDataError
        If nothing is left.
    """
    if other is not None:
        table = table.with_others(from_images(other))
    n_looked_at = len(table.samples)
    whole = None
    backbone = means.embedder.backbone
    if pool is not None:
        parts = [part for _, part in collections(pool, None, means.seed, backbone)]
        table = table.with_others(Samples.concatenate(parts))
        whole = drawn_from(pool, parts, means.seed, backbone)
    samples = table.samples
    pooled = np.arange(len(samples)) >= n_looked_at
    embeddings = means.embedder.embed(samples.sources)
    paths = [name_of(source, i) for i, source in enumerate(samples.sources)]
    digests = embeddings.digests
    marked = {
        digests[i]
        for i in np.flatnonzero(~pooled).tolist()
        if any(cell is not MISSING and cell is not None for cell in table.cells[i])
    }
    copies = {i for i in np.flatnonzero(pooled).tolist() if digests[i] in marked - {None}}
    left_out, contradictory, usable = _usable(table, embeddings, paths, copies)
    rows = sorted(
        usable,
        key=lambda i: (
            str(digests[i]), samples.origins[i], samples.groups[i] or "", _key(table.cells[i])
        ),
    )  # fmt: skip
    pool_report, looked = None, None
    if pool is not None:
        looked = _look_through(table, embeddings, rows, pooled[rows], means, whole)
        of_pool = [samples.sources[row] for row in rows if pooled[row]]
        looked = with_pictures(looked, of_pool)
        copied = [Skipped(paths[i], "the same image is there with labels") for i in sorted(copies)]
        pool_report = PoolReport(looked, tuple(copied), means.keep_suspects, whole and whole.n)
        if not means.keep_suspects:
            suspected = {*np.flatnonzero(pooled[rows])[looked.rows].tolist()}
            rows = [row for i, row in enumerate(rows) if i not in suspected]
    cells = [table.cells[i] for i in rows]
    report = TrainingReport(
        class_counts=_counts(table.columns, cells, named),
        n_others=sum(all(cell is None for cell in row) for row in cells),
        unreadable=tuple(left_out),
        skipped=tuple(samples.skipped),
        n_unlabelled=len(samples.unlabelled),
        contradictory=tuple(contradictory),
        pool=pool_report,
    )
    labels = sorted({cell for row in cells for cell in row if isinstance(cell, str)})
    said = odd_names(labels if named else table.columns)
    report = warned(report, [*said, *doubted_negatives(looked)])
    prepared = Prepared(
        take(embeddings.layers, np.array(rows)),
        table.columns,
        cells,
        copies_as_groups([samples.groups[i] for i in rows], [digests[i] for i in rows]),
        [samples.origins[i] for i in rows],
        samples.subset(rows),
        pooled[rows],
    )
    found = [(digests[i], _key(row)) for i, row in zip(rows, cells, strict=True)]
    return prepared, report, fingerprint([(None, repr(table.columns)), *found])


def _usable(
    table: LabelTable, embeddings: Embeddings, paths: Sequence[str], copies: set[int]
) -> tuple[list[Skipped], list[Skipped], list[int]]:
    left_out = [
        Skipped(path, error)
        for path, error in zip(paths, embeddings.errors, strict=True)
        if error is not None
    ]
    readable = [i for i, e in enumerate(embeddings.errors) if e is None and i not in copies]
    said: dict[tuple[str | None, int], set[Any]] = {}
    for i in readable:
        for column, cell in enumerate(table.cells[i]):
            if cell is not MISSING:  # that nobody has looked contradicts nothing
                said.setdefault((embeddings.digests[i], column), set()).add(cell)
    disputed = {digest for (digest, _), cells in said.items() if len(cells) > 1}
    contradictory = [
        Skipped(paths[i], "the same image is there with other labels")
        for i in readable
        if embeddings.digests[i] in disputed
    ]
    usable = [i for i in readable if embeddings.digests[i] not in disputed]
    if not usable:
        example = (left_out + contradictory)[0]
        raise InvalidDataError(
            f"None of the {len(paths)} images can be used: {len(left_out)} can't be read, "
            f"{len(contradictory)} have different labels. The first is {example.path}: "
            f"{example.reason}."
        )
    return left_out, contradictory, usable


def _look_through(
    table: LabelTable,
    embeddings: Embeddings,
    rows: Sequence[int],
    pooled: NDArray[np.bool_],
    means: Means,
    whole: DrawnFrom | None,
) -> Contamination:
    """Look for labelled images in the pool, each set of labels that is there twice being a class.

    What is labelled in part, and so perhaps with something else, is no class and no negative.
    """
    digests, samples = embeddings.digests, table.samples
    groups = copies_as_groups([samples.groups[i] for i in rows], [digests[i] for i in rows])
    names = [_name(table, i) for i in rows]
    units: dict[str, set[object]] = {}
    for row, (name, group) in enumerate(zip(names, groups, strict=True)):
        if name:
            units.setdefault(name, set()).add(group or row)
    useful = [not p and (n == "" or len(units.get(n or "", ())) > 1) and n is not None
              for p, n in zip(pooled, names, strict=True)]  # fmt: skip
    if not any(useful[i] and names[i] for i in range(len(rows))):
        why = "No set of labels is there twice."
        return Contamination(int(pooled.sum()), (), None, why, (), 0)
    taken = np.flatnonzero(np.array(useful) | pooled).tolist()
    data = TrainingSet.from_labels(
        take(embeddings.layers, np.array(rows)[taken]),
        [None if pooled[i] else names[i] or None for i in taken],
        [groups[i] for i in taken],
        paths=[path_of(samples.sources[rows[i]]) for i in taken],
    )
    return look_through(data, pooled[taken], means.seed, whole, means.embedder)


def _name(table: LabelTable, row: int) -> str | None:
    """Return the labels of a row as one name, empty for none of them, None if nobody knows."""
    cells = table.cells[row]
    there = [
        column if cell is MARK else f"{column}={cell}"
        for column, cell in zip(table.columns, cells, strict=True)
        if cell is not MISSING and cell is not None
    ]
    unknown = any(cell is MISSING for cell in cells)
    return "|".join(there) if there or not unknown else None


def _counts(columns: Sequence[str], cells: list[tuple[Any, ...]], named: bool) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in cells:
        for column, cell in zip(columns, row, strict=True):
            if cell is not MISSING and cell is not None:
                counts[f"{column}={cell}" if named else column] += 1
    return {name: counts[name] for name in sorted(counts)}


def _key(row: Sequence[Any]) -> str:
    return repr([0 if cell is MISSING else cell for cell in row])
