"""A pool purged: what looks like the classes goes into quarantine until somebody has looked."""

from __future__ import annotations

import csv
import os
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from outgroup.classifier.learning import training_samples
from outgroup.classifier.pool_images import loader
from outgroup.classifier.training import prepare
from outgroup.contamination import Contamination, find_suspects
from outgroup.embeddings import Embedder, EmbeddingCache
from outgroup.errors import InvalidDataError, InvalidParameterError
from outgroup.pool import QUARANTINED, Pool
from outgroup.pool.engines import Engine, get_engine

#: Why an image is kept that somebody has looked at.
LOOKED_AT = "looked at: none of the classes"


class Purged(NamedTuple):
    """What a purge came to.

    `found` has all suspects, those first that are most like a class; their rows are those of the
    pool. Of these `n_new` were not in quarantine before. `n_vouched` images were passed over,
    because somebody has said that they are none of the classes.
    """

    found: Contamination
    n_new: int
    n_vouched: int


class Answered(NamedTuple):
    """What somebody said of suspects: so many show a class, and so many none of them."""

    n_yes: int
    n_no: int


def purge(
    pool: Pool | str | os.PathLike[str],
    data: Any,
    other: Any = None,
    *,
    dry_run: bool = False,
    seed: int = 0,
    engine: str | Engine = "local",
    cache: bool = True,
    progress: bool | None = None,
) -> Purged:
    """Put images of a pool into quarantine that look like the known classes.

    The pool is dealt into parts, and each is scored by models that have not learned from it,
    together with its nearest known images; see `outgroup.contamination.find_suspects`. Nothing is
    deleted, and what somebody has vouched for stays (see `answer`).

    Parameters
    ----------
    pool : Pool, str or os.PathLike
        The pool; embeddings are read from the disk as they are needed.
    data : str, os.PathLike, DataFrame or Samples
        Images of the known classes, as for `ImageClassifier.fit`.
    other : folder, images, or a list of these, or None
        Negatives that you vouch for, such as look-alikes; they tell how often an image of no class
        is suspected.
    dry_run : bool, default=False
        Whether nothing is changed.
    seed : int, default=0
        Seed of the parts that images are dealt into.
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
    given = training_samples(data, other)
    known = prepare(given.samples, embedder.embed(given.samples.sources), given.collections).data
    with ExitStack() as stack:
        computes = get_engine(engine)
        if computes is not engine:
            stack.enter_context(computes)
        embeddings, units = opened.mapped("last"), opened.units()
        found = find_suspects(known, embeddings, units, None, seed, computes.map)
    vouched = {*opened.vouched().tolist()}
    suspects = [suspect for suspect in found.suspects if suspect.row not in vouched]
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
    return Purged(replace(found, suspects=tuple(suspects)), new, len(vouched))


def answer(pool: Pool | str | os.PathLike[str], answers: str | os.PathLike[str]) -> Answered:
    """Take over what somebody said of the suspects on the page of a purge.

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
        opened.release(no, LOOKED_AT)
    return Answered(sum(map(len, yes.values())), len(no))


def _read(answers: str | os.PathLike[str]) -> list[tuple[str, str]]:
    try:
        with open(answers, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidParameterError(
            f"The 'answers' parameter must be the file that the page saves. Got {answers} instead "
            f"({error})."
        ) from error
    if any(row.get("path") is None or row.get("label") is None for row in rows) or not rows:
        raise InvalidDataError(
            f"{answers}: it must have the columns 'path' and 'label', and a line for each answer."
        )
    return [(row["path"], row["label"].strip()) for row in rows]
