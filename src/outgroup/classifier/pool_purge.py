"""Purging a pool: images that look like a class are quarantined until somebody has checked them."""

from __future__ import annotations

import csv
import os
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from outgroup.classifier.image_classifier import Labelled
from outgroup.classifier.negatives import Negatives, loader
from outgroup.classifier.prepare import gather, prepare
from outgroup.contamination import Contamination, find_suspects
from outgroup.data import LabelReader
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.pool import QUARANTINED, Pool
from outgroup.pool.engine import Engine, get_engine


class Purged(NamedTuple):
    """The result of a purge."""

    found: Contamination  #: suspects, those most like a class first; rows are the pool's
    n_new: int  #: suspects that were not in quarantine before
    n_released: int  #: images that were skipped: somebody has verified them


class Answered(NamedTuple):
    """Number of checked suspects that show a class, and that show none."""

    n_yes: int
    n_no: int


def purge(
    pool: Pool | str | os.PathLike[str],
    data: Labelled,
    other: Negatives | None = None,
    *,
    dry_run: bool = False,
    seed: int = 0,
    engine: str | Engine = "local",
    cache: bool = True,
    progress: bool | None = None,
) -> Purged:
    """Quarantine images of a pool that look like the known classes.

    Each part of the pool is scored by models that have not learned from it, and compared with its
    nearest known images; see `outgroup.contamination.find_suspects`. Nothing is deleted, and images
    that somebody has verified stay (see `answer`).

    Parameters
    ----------
    pool : Pool, str or os.PathLike
        The pool; embeddings are read from the disk as they are needed.
    data : str, os.PathLike, DataFrame or Samples
        Images of the known classes, as for `ImageClassifier.fit`.
    other : folder, images, or a list of these, or None
        Verified negatives, such as look-alikes; they show how often an image of no class is
        suspected.
    dry_run : bool, default=False
        Whether to change nothing.
    seed : int, default=0
        Seed of the split into parts.
    engine : str or Engine, default="local"
        What applies the models to the pool, as for `Pool.add`. The result is the same.
    cache : bool, default=True
        Whether embeddings of the known images are kept on disk.
    progress : bool or None
        Whether to show a progress bar; None: if there is a terminal.

    Returns
    -------
    Purged

    Raises
    ------
    InvalidDataError
        If the pool is empty, or there is nothing to learn a class from.
    PoolError
        If the pool is damaged, or its backbone is of another version.
    """
    opened = pool if isinstance(pool, Pool) else Pool(pool)
    n = len(opened)
    if n == 0:
        raise InvalidDataError(f"{opened.path}: there is no image in the pool. Add some first.")
    embedder = Embedder(
        opened.network(), cache=EmbeddingCache() if cache else None, progress=progress
    )
    given = gather(LabelReader(), data, other)
    known = prepare(given, embedder.embed(given.table.samples.sources)).data
    with ExitStack() as stack:
        computes = get_engine(engine)
        if computes is not engine:
            stack.enter_context(computes)
        embeddings, units = opened.mapped("last"), opened.units()
        found = find_suspects(known, embeddings, units, None, seed, computes.map)
    released = {*opened.released().tolist()}
    suspects = [suspect for suspect in found.suspects if suspect.row not in released]
    records = opened.records([suspect.row for suspect in suspects])
    suspects = [
        replace(suspect, path=record.origin, load=loader(opened, suspect.row))
        for suspect, record in zip(suspects, records, strict=True)
    ]
    new = 0
    if not dry_run:
        for name in sorted({suspect.label for suspect in suspects}):
            rows = [
                suspect.row
                for suspect, record in zip(suspects, records, strict=True)
                if suspect.label == name and record.state != QUARANTINED
            ]
            new += opened.quarantine(rows, f"looks like {name}") if rows else 0
    return Purged(replace(found, suspects=tuple(suspects)), new, len(released))


def answer(pool: Pool | str | os.PathLike[str], answers: str | os.PathLike[str]) -> Answered:
    """Apply the answers that somebody gave on the page of a purge.

    Parameters
    ----------
    pool : Pool, str or os.PathLike
        The pool.
    answers : str or os.PathLike
        The file that the page saves: a CSV with the columns ``path`` and ``label``. Images with
        a label stay in quarantine; those without are released, and no purge suspects them again.

    Returns
    -------
    Answered

    Raises
    ------
    InvalidDataError
        If the file can't be read, or names an image that is not in quarantine.
    """
    opened = pool if isinstance(pool, Pool) else Pool(pool)
    rows_of: dict[str, list[int]] = {}
    for record in opened.records(opened.rows(state=QUARANTINED)):
        rows_of.setdefault(record.origin, []).append(record.row)
    yes: dict[str, list[int]] = {}
    no: list[int] = []
    for path, label in _read(answers):
        if path not in rows_of:
            raise InvalidDataError(
                f"{answers}: {path!r} is no image in quarantine of {opened.path}. Answer the page "
                "of the last purge of this pool."
            )
        if label:
            yes.setdefault(label, []).extend(rows_of[path])
        else:
            no += rows_of[path]
    for label, rows in yes.items():
        opened.quarantine(rows, f"looked at: {label}")
    if no:
        opened.release(no, "looked at: none of the classes")
    return Answered(sum(map(len, yes.values())), len(no))


def _read(answers: str | os.PathLike[str]) -> list[tuple[str, str]]:
    try:
        with open(answers, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidParameterError(
            f"Invalid `answers`: must be the file that the page saves, got {answers} ({error})."
        ) from error
    if any(row.get("path") is None or row.get("label") is None for row in rows) or not rows:
        raise InvalidDataError(
            f"{answers}: it must have the columns 'path' and 'label', and a line for each answer."
        )
    return [(row["path"], row["label"].strip()) for row in rows]
