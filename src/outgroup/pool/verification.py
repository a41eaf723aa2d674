"""Check that shards, embeddings and index of a pool agree, and repair what is safe to repair."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from outgroup.errors import PoolError
from outgroup.images import content_digest
from outgroup.pool.index import STRETCHES_OF_IMAGES, Index
from outgroup.pool.records import QUARANTINED
from outgroup.pool.storage import BLOCK, LayerFiles, Place, Shards, Space, row_checksums, sample_key

_PAGE_ROWS = 1000
_VECTOR_ROWS = 4096

#: Counts as they should be.
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
    """Something that is not as it should be."""

    where: str  #: the file
    what: str
    row: int | None = None  #: the image, if it is one
    repaired: bool = False  #: a damaged image counts as repaired when it is in quarantine


@dataclass
class Verification:
    """The result of `Pool.verify`."""

    MOST = 1000

    images: int = 0  #: that were checked
    problems: list[Problem] = field(default_factory=list)  #: the first ones, at most `MOST`
    n_problems: int = 0
    n_repaired: int = 0

    @property
    def sound(self) -> bool:
        """Whether there is no problem that is not repaired."""
        return self.n_problems == self.n_repaired

    def note(self, problem: Problem) -> None:
        """Add a problem."""
        self.n_problems += 1
        self.n_repaired += problem.repaired
        if len(self.problems) < self.MOST:
            self.problems.append(problem)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {**asdict(self), "sound": self.sound}


def verify(
    path: Path, index: Index, shards: Shards, first: Space, repair: bool = False
) -> Verification:
    """Check a pool; see `Pool.verify`. The writer's lock must be held for a repair."""
    found = Verification()

    def note(problem: Problem, mend: Callable[[], object] | None) -> None:
        """Add a problem, after a repair that is a function, or the quarantine of its row."""
        if repair and not problem.repaired:
            if problem.row is not None:
                index.set_state([problem.row], QUARANTINED, problem.what)
                problem = replace(problem, repaired=True)
            elif mend is not None:
                with suppress(PoolError):  # it stays as it is
                    mend()
                    problem = replace(problem, repaired=True)
        found.note(problem)

    found.images = n = index.count()
    last = index.last_place()
    where = str(index.path)
    for (line,) in index.all("PRAGMA quick_check"):
        if line != "ok":
            note(Problem(where, line), None)
    (misplaced,) = index.one(_MISPLACED)
    if misplaced:  # repaired before images are put into quarantine by their sources
        problem = Problem(where, f"{misplaced:,} images have a wrong source in the stretches")
        note(problem, lambda: _rebuild_stretches(index))
    for problem in _image_problems(index, shards, n):
        note(problem, None)
    for problem in _leftovers(shards, last):
        note(problem, lambda: shards.recover(last))
    others = [space for space in index.spaces() if space.namespace != first.namespace]
    for space in (first, *others):
        files = LayerFiles(path, space)
        rows = n if space is first else index.embedded(space.namespace)
        for problem in _file_problems(files, rows):
            note(problem, lambda files=files, rows=rows: files.recover(rows))  # type: ignore[misc]
        for problem in _vector_problems(index, files, rows):
            note(problem, None)
    if wrong := _wrong_counts(index):
        note(Problem(where, f"{len(wrong)} counts are wrong"), lambda: _correct_counts(index))
    return found


def _image_problems(index: Index, shards: Shards, n: int) -> Iterator[Problem]:
    """Check each image and what stands before it in its shard, in the order of the shards."""
    sql = (
        "SELECT row, digest, checksum, shard, start, length FROM images "
        "WHERE row >= ? AND row < ? ORDER BY row"
    )
    last = Place(0, 0, 0)
    for first in range(0, n, _PAGE_ROWS):
        page = index.all(sql, (first, first + _PAGE_ROWS))
        for row, digest, checksum, *numbers in page:
            place = Place(*numbers)
            begin = last.end if last.shard == place.shard else 0
            if what := _wrong_image(shards, row, digest.hex(), checksum.hex(), begin, place):
                yield Problem(str(shards.path(place.shard)), what, row)
            last = place
        if len(page) < min(_PAGE_ROWS, n - first):
            yield Problem(str(index.path), f"rows from {first} on are not all there")


def _wrong_image(
    shards: Shards, row: int, digest: str, checksum: str, begin: int, place: Place
) -> str | None:
    """Return what is wrong with an image or its description, which begins at `begin`, or None."""
    try:
        data = shards.read(place)
        before = shards.read(Place(place.shard, begin, place.start - begin))
    except PoolError:
        return f"image {row} is not there"
    if content_digest(data) != checksum:
        return f"image {row} is damaged"
    if _member(before[-BLOCK:]) != (f"{sample_key(row)}.jpg", len(data)):
        return f"the name of image {row} is damaged"
    name, size = _member(before[:BLOCK])
    try:
        described = json.loads(before[BLOCK : BLOCK + size])
        found = name, described["row"], described["digest"]
    except (ValueError, KeyError, TypeError):
        found = name, None, None
    if found != (f"{sample_key(row)}.json", row, digest):
        return f"the description of image {row} is damaged"
    return None


def _member(header: bytes) -> tuple[str, int]:
    """Return name and size of a member of a tar file; an empty name if the header is damaged."""
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        return info.name, info.size
    except (tarfile.HeaderError, UnicodeError):
        return "", 0


def _leftovers(shards: Shards, last: Place | None) -> Iterator[Problem]:
    for path in sorted(shards.folder.glob("*.tar")):
        if not path.stem.isdigit():
            yield Problem(str(path), "not a shard of this pool; left as it is", repaired=True)
        elif last is None or int(path.stem) > last.shard:
            yield Problem(str(path), "a leftover of a run that was stopped")
    if last and (path := shards.path(last.shard)).exists() and not shards.is_closed(last):
        yield Problem(str(path), "a leftover of a run that was stopped at its end")


def _file_problems(files: LayerFiles, n: int) -> Iterator[Problem]:
    """Check that each layer has `n` rows and says so in its header."""
    for file in files.files.values():
        if n == 0 and not file.path.exists():
            continue
        try:
            file.check(n)
        except PoolError as error:
            yield Problem(str(file.path), str(error).partition(": ")[2])
            continue
        expected = file.header(n)
        with open(file.path, "rb") as opened:
            if opened.read(len(expected)) != expected:
                yield Problem(str(file.path), f"its header does not say {n:,} rows")


def _vector_problems(index: Index, files: LayerFiles, n: int) -> Iterator[Problem]:
    try:
        whole = min(n, *(file.rows() for file in files.files.values()))
    except PoolError:  # a file is not there, which `_file_problems` says
        return
    for first in range(0, whole, _VECTOR_ROWS):
        stop = min(first + _VECTOR_ROWS, whole)
        layers = {name: f.read_range(first, stop - first) for name, f in files.files.items()}
        finite = {name: np.asarray(np.isfinite(v).all(axis=1)) for name, v in layers.items()}
        checksums = index.checksums(files.space.namespace, first, stop)
        for row, checksum in enumerate(row_checksums(layers), first):
            bad = [name for name in layers if not finite[name][row - first]]
            if bad:
                yield Problem(str(files.files[bad[0]].path), f"row {row} is damaged", row)
            elif checksums.get(row) != checksum:
                what = f"row {row} is damaged: its numbers are not those that were written"
                yield Problem(str(files.folder), what, row)


def _wrong_counts(index: Index) -> list[tuple[int, int, str]]:
    """Return the right number, source and name of each count that is wrong."""
    right = {(source, what): n for source, what, n in index.all(_RECOUNT)}
    return [
        (right.get((source, what), 0), source, what)
        for source, what, n in index.all("SELECT source, what, n FROM counts")
        if right.get((source, what), 0) != n
    ]


def _correct_counts(index: Index) -> None:
    sql = "UPDATE counts SET n = ? WHERE source = ? AND what = ?"
    wrong = _wrong_counts(index)
    with index.transaction() as connection:
        connection.executemany(sql, wrong)


def _rebuild_stretches(index: Index) -> None:
    with index.transaction() as connection:
        connection.execute("DELETE FROM stretches")
        connection.execute(f"INSERT INTO stretches (first, source) {STRETCHES_OF_IMAGES}")
