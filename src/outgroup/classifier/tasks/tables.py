"""From a table of labels and the embeddings of its images to what can be learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outgroup.classifier.training import TrainingReport, copies_as_groups, fingerprint, name_of
from outgroup.datasets import MISSING, LabelTable, Skipped, from_images
from outgroup.embeddings import Embedder, Embeddings
from outgroup.errors import InvalidDataError
from outgroup.strategies import Features, take


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
    """

    features: Features
    columns: tuple[str, ...]
    cells: list[tuple[Any, ...]]
    groups: list[str | None]
    origins: list[str]


def prepare_table(
    table: LabelTable, other: Any, embedder: Embedder, named: bool
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
    embedder : Embedder
        What embeds them.
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
    samples = table.samples
    embeddings = embedder.embed(samples.sources)
    paths = [name_of(source, i) for i, source in enumerate(samples.sources)]
    left_out, contradictory, usable = _usable(table, embeddings, paths)
    digests = embeddings.digests
    rows = sorted(
        usable,
        key=lambda i: (
            str(digests[i]), samples.origins[i], samples.groups[i] or "", _key(table.cells[i])
        ),
    )  # fmt: skip
    cells = [table.cells[i] for i in rows]
    report = TrainingReport(
        class_counts=_counts(table.columns, cells, named),
        n_others=sum(all(cell is None for cell in row) for row in cells),
        unreadable=tuple(left_out),
        skipped=tuple(samples.skipped),
        n_unlabelled=len(samples.unlabelled),
        contradictory=tuple(contradictory),
    )
    prepared = Prepared(
        take(embeddings.layers, np.array(rows)),
        table.columns,
        cells,
        copies_as_groups([samples.groups[i] for i in rows], [digests[i] for i in rows]),
        [samples.origins[i] for i in rows],
    )
    found = [(digests[i], _key(row)) for i, row in zip(rows, cells, strict=True)]
    return prepared, report, fingerprint([(None, repr(table.columns)), *found])


def _usable(
    table: LabelTable, embeddings: Embeddings, paths: Sequence[str]
) -> tuple[list[Skipped], list[Skipped], list[int]]:
    left_out = [
        Skipped(path, error)
        for path, error in zip(paths, embeddings.errors, strict=True)
        if error is not None
    ]
    readable = [i for i, error in enumerate(embeddings.errors) if error is None]
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


def _counts(columns: Sequence[str], cells: list[tuple[Any, ...]], named: bool) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in cells:
        for column, cell in zip(columns, row, strict=True):
            if cell is not MISSING and cell is not None:
                counts[f"{column}={cell}" if named else column] += 1
    return {name: counts[name] for name in sorted(counts)}


def _key(row: Sequence[Any]) -> str:
    return repr([0 if cell is MISSING else cell for cell in row])
