"""Read a pool: records, stored images and embeddings, from the disk as they are needed."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from outgroup.backbones import Backbone, get_backbone
from outgroup.embeddings import namespace
from outgroup.errors import InvalidParameterError, PoolError
from outgroup.pool.index import PAGE_ROWS, SOURCE, UNREADABLE, Index
from outgroup.pool.records import KEPT, QUARANTINED, Counts, Record, Rows, Unreadable, invalid
from outgroup.pool.storage import SHARDS, LayerFiles, Settings, Shards


class PoolReader:
    """Everything of a `Pool` that only reads."""

    def __init__(self, path: str | os.PathLike[str], *, backbone: Backbone | None = None) -> None:
        self.path = Path(path)
        self._original = self.settings = Settings.read(self.path)
        self._backbone = backbone
        self._index = Index(self.path)
        self._shards = Shards(self.path / SHARDS)
        self._embeddings = LayerFiles(self.path, self.settings.space)
        self._index.count()  # fails now if the index can't be read

    def __repr__(self) -> str:
        return f"Pool({str(self.path)!r})"

    def __len__(self) -> int:
        """Return the number of images, those in quarantine included."""
        return self._index.count()

    def __getitem__(self, row: int) -> Record:
        """Return the record of an image; -1 is the last one."""
        number = int(row)
        n = len(self)
        if not -n <= number < n:
            raise IndexError(f"row {number} of a pool of {n:,} images")
        return self._index.records([number % n])[0]

    def __iter__(self) -> Iterator[Record]:
        """Yield the records of all images, by row."""
        page = self._index.page(0)
        while page:
            yield from page
            page = self._index.page(page[-1].row + 1)

    def records(self, rows: Rows) -> list[Record]:
        """Return the records of some images, in the order asked for."""
        return self._index.records(self._checked(rows))

    def rows(self, source: str | None = None, state: str | None = KEPT) -> npt.NDArray[np.int64]:
        """Return the sorted rows of a source and a state, int64; None stands for all of them."""
        if state not in (KEPT, QUARANTINED, None):
            raise invalid("state", "'kept', 'quarantined' or None", state)
        where, values = ("", ()) if source is None else (f" AND source = {SOURCE}", (source,))
        sql = f"SELECT row FROM verdicts WHERE state != 'kept'{where} ORDER BY row"
        out = self._index.column(sql, values)
        if state == QUARANTINED:
            return out
        if source is None:
            every = np.arange(len(self))
        else:
            sql = f"SELECT row FROM images WHERE true{where} ORDER BY row"
            every = self._index.column(sql, values)
        return every if state is None else np.setdiff1d(every, out)

    def sources_of(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """Return the source of each of some sorted rows that are close together."""
        sql = (
            "SELECT i.row, s.name FROM images i JOIN sources s ON s.id = i.source "
            "WHERE i.row >= ? AND i.row <= ?"
        )
        names = dict(self._index.all(sql, (int(rows[0]), int(rows[-1]))))
        return [names[row] for row in rows.tolist()]

    def counts(self) -> dict[str, Counts]:
        """Return how many images each source gave, by what became of them, sorted by source."""
        counts: dict[str, dict[str, int]] = {}
        sql = "SELECT s.name, c.what, c.n FROM counts c JOIN sources s ON s.id = c.source"
        for name, what, n in self._index.all(f"{sql} ORDER BY s.name"):
            counts.setdefault(name, {})[what] = n
        return {name: Counts(**by_what) for name, by_what in counts.items()}

    def unreadable(self) -> Iterator[Unreadable]:
        """Yield the files that could not be decoded, with the reasons."""
        sql = (
            "SELECT s.name, p.source, p.origin, p.reason FROM places p "
            f"JOIN sources s ON s.id = p.source WHERE p.outcome = {UNREADABLE} "
            f"AND (p.source, p.origin) > (?, ?) ORDER BY p.source, p.origin LIMIT {PAGE_ROWS}"
        )
        after: tuple[int, str] = (0, "")
        while page := self._index.all(sql, after):
            for name, source, origin, reason in page:
                yield Unreadable(name, origin, reason)
                after = (source, origin)

    def units(self) -> npt.NDArray[np.int64] | None:
        """Return a number for each image, the same within a group; None if there are no groups."""
        sql = "SELECT i.row, g.root FROM images i JOIN groups g ON g.id = i.team ORDER BY i.row"
        rows, roots = self._index.pairs(sql)
        if not len(rows):
            return None
        units = np.arange(len(self)) + 1 + int(roots.max())
        units[rows] = roots
        return units

    def released(self) -> npt.NDArray[np.int64]:
        """Return the sorted rows that are kept for a reason: somebody has looked at them."""
        sql = "SELECT row FROM verdicts WHERE state = 'kept' ORDER BY row"
        return self._index.column(sql)

    @property
    def layers(self) -> dict[str, int]:
        """The layers of the embeddings and their dimensions."""
        return dict(self.settings.layers)

    def encoded(self, rows: Rows) -> list[bytes]:
        """Return images as JPEG files, as asked for; `PoolError` if a shard is damaged."""
        return [self._shards.read(place) for place in self._index.places(self._checked(rows))]

    def images(self, rows: Rows) -> list[Image.Image]:
        """Return Pillow images, in the order asked for; `PoolError` if one is damaged."""
        return [_decoded(data, row) for row, data in zip(rows, self.encoded(rows), strict=True)]

    def features(
        self, rows: Rows, layers: Iterable[str] | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return embeddings by layer, float32 (n, d), in the order asked for; default all layers.

        They are stored as float16, so they have eleven significant bits. `InvalidParameterError` if
        there is no such row or layer, `PoolError` if they are damaged.
        """
        return self._embeddings.read(self._checked(rows), layers)

    def mapped(self, layer: str = "last") -> npt.NDArray[np.float16]:
        """Return a layer's embeddings of all images as a memory map of float16."""
        return self._embeddings.file(layer).mapped(len(self))

    def chunks(
        self, size: int = 4096, layers: Iterable[str] | None = None
    ) -> Iterator[tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float32]]]]:
        """Yield rows (m,) and embeddings by layer (m, d) of all kept images, in chunks.

        `size` is the number of rows in a chunk before those in quarantine are left out.
        """
        if not isinstance(size, int) or size < 1:
            raise invalid("size", "a positive integer", size)
        names, n = None if layers is None else list(layers), len(self)
        ranges = ((first, min(first + size, n)) for first in range(0, n, size))
        kept = (np.setdiff1d(np.arange(*ends), self._index.not_kept(*ends)) for ends in ranges)
        return ((rows, self._embeddings.read(rows, names)) for rows in kept if len(rows))

    def network(self) -> Backbone:
        """Return the network of the embeddings; `PoolError` if only another version is there."""
        if self._backbone is None:
            self._backbone = get_backbone(self.settings.backbone)
        if namespace(self._backbone) != self.settings.namespace:
            raise PoolError(
                f"{self.path}: its embeddings are by another version of {self.settings.backbone}. "
                "Make a new pool for this one."
            )
        return self._backbone

    def _checked(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return row numbers as an array; `InvalidParameterError` if the pool has no such rows."""
        checked = np.asarray(rows)
        n = len(self)
        if checked.ndim != 1 or (len(checked) and checked.dtype.kind not in "iu"):
            raise invalid("rows", "row numbers", rows)
        if len(checked) and not (checked.min() >= 0 and checked.max() < n):
            wrong = checked[(checked < 0) | (checked >= n)][0]
            raise InvalidParameterError(f"Invalid `rows`: must be from 0 to {n - 1}, got {wrong}.")
        return checked.astype(np.int64)


def _decoded(data: bytes, row: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        image.load()
    except OSError as error:
        raise PoolError(
            f"Image {row} of the pool is damaged. `outgroup pool verify` lists what is damaged."
        ) from error
    return image
