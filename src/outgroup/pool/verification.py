"""Whether shards, embeddings and index of a pool agree, and repairs that can do no harm."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from outgroup.errors import PoolError
from outgroup.images import content_digest
from outgroup.pool.checksums import row_checksums, write_checksums
from outgroup.pool.embeddings_folder import EmbeddingsFolder
from outgroup.pool.index import Index
from outgroup.pool.records import QUARANTINED
from outgroup.pool.schema import STRETCHES_OF_IMAGES
from outgroup.pool.shards import BLOCK, Place, Shards, sample_key

_PAGE = 1000
_VECTORS = 4096

#: Counts as they are, and as they should be.
_RECOUNT = """
SELECT source, what, SUM(n) FROM (
    SELECT i.source, COALESCE(v.state, 'kept') AS what, COUNT(*) AS n
        FROM images i LEFT JOIN verdicts v ON v.row = i.row GROUP BY i.source, what
    UNION ALL SELECT source, 'near_duplicates', COUNT(*) FROM images
        WHERE near IS NOT NULL GROUP BY source
    UNION ALL SELECT source, CASE outcome WHEN 1 THEN 'duplicates' ELSE 'unreadable' END, COUNT(*)
        FROM places WHERE outcome != 0 GROUP BY source, outcome
) GROUP BY source, what
"""

#: Images whose source is not that of the stretch of rows that they are in.
_MISPLACED = """
SELECT COUNT(*) FROM images i WHERE i.source IS NOT
    (SELECT source FROM stretches WHERE first <= i.row ORDER BY first DESC LIMIT 1)
"""


@dataclass(frozen=True)
class Problem:
    """Something that is not as it should be.

    Parameters
    ----------
    where : str
        The file.
    what : str
        What is wrong, in plain words.
    row : int or None
        The image that it is about, if it is one.
    repaired : bool
        Whether it was repaired; a damaged image counts as repaired when it is in quarantine.
    """

    where: str
    what: str
    row: int | None = None
    repaired: bool = False


@dataclass
class Verification:
    """What `Pool.verify` found.

    Parameters
    ----------
    images : int
        Images that were looked at.
    problems : list of Problem
        At most `MOST` of them.
    n_problems, n_repaired : int
        How many there are, and how many of these are repaired.
    n_unsummed : int
        Embeddings without a checksum, kept by a version that wrote none: numbers that have changed
        there are not noticed. A repair writes the checksums of what is there.
    """

    MOST = 1000

    images: int = 0
    problems: list[Problem] = field(default_factory=list)
    n_problems: int = 0
    n_repaired: int = 0
    n_unsummed: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong, or is not any more."""
        return self.n_problems == self.n_repaired

    def note(self, problem: Problem) -> None:
        """Add a problem."""
        self.n_problems += 1
        self.n_repaired += problem.repaired
        if len(self.problems) < self.MOST:
            self.problems.append(problem)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {**asdict(self), "sound": self.sound}


def verify(
    index: Index,
    shards: Shards,
    embeddings: EmbeddingsFolder,
    more: Iterable[EmbeddingsFolder] = (),
    repair: bool = False,
) -> Verification:
    """Check a pool; see `Pool.verify`. To repair, the writer's lock must be held.

    Parameters
    ----------
    index, shards : Index, Shards
    embeddings : EmbeddingsFolder
        Those that were written with the images.
    more : iterable of EmbeddingsFolder
        Those of other networks, which may end earlier.
    repair : bool
        As for `Pool.verify`.
    """
    found = Verification()
    n = index.count()
    last = index.last_place()
    for (line,) in index.all("PRAGMA quick_check"):
        if line != "ok":
            found.note(Problem(str(index.path), line))
    (misplaced,) = index.one(_MISPLACED)
    if misplaced:  # mended before anything is put into quarantine by it
        problem = Problem(str(index.path), f"{misplaced:,} images are noted under a wrong source")
        found.note(_mended(problem, lambda: _stretch_again(index)) if repair else problem)
    for problem in _images(index, shards, n):
        found.note(_quarantined(index, problem) if repair else problem)
    found.images = n
    for problem in _leftovers(shards, last):
        found.note(_mended(problem, lambda: shards.recover(last)) if repair else problem)
    _check_vectors(found, index, embeddings, n, repair)
    for folder in more:
        _check_vectors(found, index, folder, index.embedded(folder.space.namespace), repair)
    if wrong := _wrong_counts(index):
        problem = Problem(str(index.path), f"{len(wrong)} counts are wrong")
        found.note(_mended(problem, lambda: _count_again(index)) if repair else problem)
    return found


def _check_vectors(
    found: Verification, index: Index, embeddings: EmbeddingsFolder, n: int, repair: bool
) -> None:
    """Check the first `n` rows of a network's embeddings."""
    for problem in _headers(embeddings, n):
        found.note(_mended(problem, lambda: embeddings.recover(n)) if repair else problem)
    for damaged, unsummed in _vectors(index, embeddings, n):
        if damaged is not None:
            found.note(_quarantined(index, damaged) if repair else damaged)
        found.n_unsummed += len(unsummed)
        if unsummed and repair:
            with index.transaction() as connection:
                for row, value in unsummed.items():
                    write_checksums(connection, embeddings.space, row, [value])


def _images(index: Index, shards: Shards, n: int) -> Iterator[Problem]:
    """Check each image and what names it in its shard, in the order of the shards."""
    sql = (
        "SELECT row, digest, checksum, shard, start, length FROM images "
        "WHERE row >= ? AND row < ? ORDER BY row"
    )
    for first in range(0, n, _PAGE):
        there = 0
        for row, digest, checksum, *place in index.all(sql, (first, first + _PAGE)):
            there += 1
            where = Place(*place)
            if what := _wrong_image(shards, row, digest.hex(), checksum.hex(), where):
                yield Problem(str(shards.path(where.shard)), what, row)
        if there < min(_PAGE, n - first):
            yield Problem(str(index.path), f"rows from {first} on are not all there")


def _wrong_image(shards: Shards, row: int, digest: str, checksum: str, place: Place) -> str | None:
    """Return what is wrong with an image, or None."""
    try:
        data = shards.read(place)
        header = shards.read(Place(place.shard, place.start - BLOCK, BLOCK))
    except PoolError:
        return f"image {row} is not there"
    if content_digest(data) != checksum:
        return f"image {row} is damaged"
    if not _names(header, f"{sample_key(row)}.jpg", len(data)):
        return f"the name of image {row} is damaged"
    if not _describes(shards, row, digest, place):
        return f"the description of image {row} is damaged"
    return None


def _names(header: bytes, name: str, size: int) -> bool:
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeError):
        return False
    return (info.name, info.size) == (name, size)


def _describes(shards: Shards, row: int, digest: str, place: Place) -> bool:
    """Tell whether the description before an image is of that image."""
    for blocks in range(2, 64):  # it is as long as the origin's name, some hundred bytes
        start = place.start - BLOCK - blocks * BLOCK
        if start < 0:
            return False
        raw = shards.read(Place(place.shard, start, blocks * BLOCK))
        try:
            info = tarfile.TarInfo.frombuf(raw[:BLOCK], "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeError):
            continue
        if info.name != f"{sample_key(row)}.json":
            return False
        try:
            data = json.loads(raw[BLOCK : BLOCK + info.size])
        except ValueError:
            return False
        return isinstance(data, dict) and (data.get("row"), data.get("digest")) == (row, digest)
    return False


def _leftovers(shards: Shards, last: Place | None) -> Iterator[Problem]:
    """Check that the shards end where the index does."""
    for path in sorted(shards.folder.glob("*.tar")) if shards.folder.exists() else []:
        if not path.stem.isdigit():
            yield Problem(str(path), "not a shard of this pool; left as it is", repaired=True)
        elif last is None or int(path.stem) > last.shard:
            yield Problem(str(path), "a leftover of a run that was stopped")
    if last is not None and shards.path(last.shard).exists() and not shards.is_closed(last):
        yield Problem(
            str(shards.path(last.shard)), "a leftover of a run that was stopped behind it"
        )


def _headers(embeddings: EmbeddingsFolder, n: int) -> Iterator[Problem]:
    """Check that there is a row of numbers for each image in each layer."""
    for file in embeddings.files.values():
        if n == 0 and not file.path.exists():
            continue
        try:
            file.check(n)
        except PoolError as error:
            yield Problem(str(file.path), str(error).partition(": ")[2])
            continue
        with open(file.path, "rb") as opened:
            header = opened.read(len(file.header(n)))
        if header != file.header(n):
            yield Problem(str(file.path), f"its header does not say {n:,} rows")


def _vectors(
    index: Index, embeddings: EmbeddingsFolder, n: int
) -> Iterator[tuple[Problem | None, dict[int, int]]]:
    """Check the numbers themselves; yield what is damaged, and checksums that are not kept yet."""
    try:
        whole = min(n, *(file.rows() for file in embeddings.files.values()))
    except PoolError:  # a file is not there, which `_headers` says
        return
    for first in range(0, whole, _VECTORS):
        stop = min(first + _VECTORS, whole)
        layers = embeddings.halves(first, stop)
        finite = {
            name: np.asarray(np.isfinite(values).all(axis=1)) for name, values in layers.items()
        }
        kept = index.checksums(embeddings.space.namespace, first, stop)
        unsummed = {}
        for row, value in enumerate(row_checksums(layers), first):
            bad = [name for name in layers if not finite[name][row - first]]
            if bad:
                where = str(embeddings.files[bad[0]].path)
                yield Problem(where, f"row {row} is damaged", row), {}
            elif row not in kept:
                unsummed[row] = value
            elif kept[row] != value:
                what = f"row {row} is damaged: its numbers are not those that were written"
                yield Problem(str(embeddings.folder), what, row), {}
        yield None, unsummed


def _wrong_counts(index: Index) -> list[tuple[int, str, int]]:
    """Return those counts that are not what counting gives: source, what, the right number."""
    right = {(source, what): n for source, what, n in index.all(_RECOUNT)}
    kept = index.all("SELECT source, what, n FROM counts")
    return [
        (source, what, right.get((source, what), 0))
        for source, what, n in kept
        if right.get((source, what), 0) != n
    ]


def _count_again(index: Index) -> None:
    wrong = _wrong_counts(index)
    with index.transaction() as connection:
        connection.executemany(
            "UPDATE counts SET n = ? WHERE source = ? AND what = ?",
            [(n, source, what) for source, what, n in wrong],
        )


def _stretch_again(index: Index) -> None:
    with index.transaction() as connection:
        connection.execute("DELETE FROM stretches")
        connection.execute(f"INSERT INTO stretches (first, source) {STRETCHES_OF_IMAGES}")


def _quarantined(index: Index, problem: Problem) -> Problem:
    if problem.row is None:
        return problem
    index.set_state([problem.row], QUARANTINED, problem.what)
    return Problem(problem.where, problem.what, problem.row, repaired=True)


def _mended(problem: Problem, mend: Any) -> Problem:
    if problem.repaired:
        return problem
    try:
        mend()
    except PoolError:
        return problem
    return Problem(problem.where, problem.what, problem.row, repaired=True)
