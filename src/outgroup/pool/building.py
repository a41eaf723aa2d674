"""Add the images of a source to a pool, and embed the images of a pool by another network."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from outgroup.backbones import Backbone
from outgroup.embeddings import Embeddings, ProgressBar
from outgroup.errors import InvalidDataError, OutgroupError, PoolError
from outgroup.pool.engine import Engine, PreparedImage, Stamped, file_stamp, get_engine, storable
from outgroup.pool.index import DUPLICATE, UNREADABLE, Index, write_checksums
from outgroup.pool.records import Added, Incoming, Unreadable
from outgroup.pool.storage import LayerFiles, Shards, Space, StoredForm, row_checksums, to_half
from outgroup.pool.writer import Writer, write_error, writer_lock

#: Images whose new embeddings are committed together.
BATCH = 256


@dataclass
class SourceAdder:
    """Adds one source to a pool, in the order of the source; used once.

    `index` is not the writer's, so that look-ups don't wait for a commit.
    """

    writer: Writer
    index: Index
    engine: Engine
    backbone: Backbone
    form: StoredForm
    bar: ProgressBar
    added: Added = field(default_factory=Added)
    failure: Exception | None = None
    #: Sources and origins of digests that are not in the index yet.
    uncommitted: dict[str, tuple[str, str]] = field(default_factory=dict)

    def run(self, source: Iterable[Incoming], name: str) -> Added:
        """Add what the source gives; see `Pool.add`."""
        start = time.monotonic()
        unread = self._unread(iter(source))
        prepared = self.engine.prepare(unread, self.backbone, self.form, self.index.has)
        with closing(prepared) as images:
            try:
                for image in images:
                    self._take(image)
                    self.bar.advance()
            finally:  # after Ctrl-C too; does nothing after a commit that failed
                self.writer.commit()
        self.added.seconds = time.monotonic() - start
        error, seen = self.failure, self.added.seen
        if isinstance(error, OutgroupError):
            raise error
        if error is not None:
            raise PoolError(
                f"{name}: it broke off after {seen:,} images ({error!r}). What was read is kept; "
                "running the same again goes on from there."
            ) from error
        if seen == 0:
            raise InvalidDataError(f"{name}: there is no image in it.")
        return self.added

    def _unread(self, source: Iterator[Incoming]) -> Iterator[Stamped]:
        """Yield what the source gives, without files that have not changed since they were read."""
        while True:
            try:
                incoming = next(source)
            except StopIteration:
                return
            except Exception as error:  # raised when everything before it has been added
                self.failure = error
                return
            stamp = file_stamp(incoming.image)
            place = None
            if stamp is not None:
                place = self.index.find_place(storable(incoming.source), storable(incoming.origin))
            if place is not None and place[0] == stamp and place[1] != UNREADABLE:
                self.added.there += 1
                self.bar.advance()
            else:
                yield incoming, stamp

    def _take(self, prepared: PreparedImage) -> None:
        source, origin, stamp = prepared.source, prepared.origin, prepared.stamp
        if prepared.error is not None:
            self.writer.note(source, origin, stamp, UNREADABLE, prepared.error)
            self.added.n_unreadable += 1
            if len(self.added.unreadable) < 100:
                self.added.unreadable.append(Unreadable(source, origin, prepared.error))
            return
        assert prepared.digest is not None
        if not self.writer.uncommitted:
            self.uncommitted.clear()
        owner = self.uncommitted.get(prepared.digest) or self.index.find_digest(prepared.digest)
        place = None if owner is None else self.index.find_place(source, origin)
        if owner is None:
            assert prepared.image is not None
            self.uncommitted[prepared.digest] = source, origin
            self.added.near_duplicates += self.writer.add(prepared.image, prepared.vectors)
            self.added.images += 1
        elif place is not None and place[1] != UNREADABLE:
            if place[0] != stamp:  # a file with a new date and the same content
                self.writer.note(source, origin, stamp, place[1])
            self.added.there += 1
        elif owner != (source, origin):
            self.writer.note(source, origin, stamp, DUPLICATE)
            self.added.duplicates += 1
        else:
            self.added.there += 1


def reembed(
    path: Path,
    index: Index,
    shards: Shards,
    network: Backbone,
    engine: str | Engine = "local",
    progress: bool | None = None,
) -> int:
    """Embed the images that have no embeddings of another network yet; see `Pool.embed`."""
    files = LayerFiles(path, Space.of(network))
    with ExitStack() as stack:
        computes = get_engine(engine)
        if computes is not engine:
            stack.enter_context(computes)
        stack.enter_context(writer_lock(path))
        begun, n = index.embedded(files.space.namespace), index.count()
        bar = stack.enter_context(ProgressBar(n - begun, progress))
        first = begun
        try:
            files.recover(first)
            images = _stored_images(index, shards, first, n)
            for table in computes.embedder(network).stream(images, chunk=BATCH):
                _append(index, files, first, table)
                first += len(table)
                for _ in range(len(table)):
                    bar.advance()
        except OSError as error:
            raise write_error(path, error) from error
    return n - begun


def _stored_images(index: Index, shards: Shards, first: int, stop: int) -> Iterator[bytes]:
    """Yield JPEG files; an empty one for an image that is lost and in quarantine."""
    for begin in range(first, stop, BATCH):
        rows = range(begin, min(begin + BATCH, stop))
        for row, place in zip(rows, index.places(rows), strict=True):
            try:
                data = shards.read(place)
            except PoolError:
                if not len(index.not_kept(row, row + 1)):
                    raise
                data = b""
            yield data


def _append(index: Index, files: LayerFiles, first: int, table: Embeddings) -> None:
    """Write the embeddings of some images; zeros for unreadable ones, which must be quarantined."""
    unreadable = first + np.flatnonzero(~table.readable)
    damaged = np.setdiff1d(unreadable, index.not_kept(first, first + len(table)))
    if len(damaged):
        raise PoolError(
            f"Image {damaged[0]} of the pool is damaged. `outgroup pool verify --repair` puts "
            "damaged images into quarantine; then run the same again."
        )
    layers = {
        name: to_half(np.where(table.readable[:, np.newaxis], values, np.float32(0.0)))
        for name, values in table.layers.items()
    }
    files.append(first, layers)
    with index.transaction() as connection:
        write_checksums(connection, files.space, first, row_checksums(layers))
    files.publish(first + len(table))
