"""From a source to the pool: what is new is prepared, embedded and added, in the source's order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from outgroup.backbones import Backbone
from outgroup.embeddings import ProgressBar
from outgroup.errors import InvalidDataError, InvalidParameterError, OutgroupError, PoolError
from outgroup.pool.batch import Dealt, NewImage
from outgroup.pool.engines import Engine, Task
from outgroup.pool.engines.base import Row, Stamped
from outgroup.pool.incoming import Incoming
from outgroup.pool.index import Index
from outgroup.pool.preparing import Prepared, file_stamp, storable
from outgroup.pool.records import Added, Unreadable
from outgroup.pool.schema import DUPLICATE, UNREADABLE
from outgroup.pool.stored_images import StoredForm
from outgroup.pool.writing import Writer

_LISTED = 100  # unreadable files that are named in the result


class Building:
    """Adds one source to a pool. Used once.

    The order of the rows is that of the source, whatever the engine does, and what is committed is
    always a beginning of it. Memory is bounded: what the engine has in work, and one batch.

    Parameters
    ----------
    writer : Writer
        Entered, and not used by anybody else.
    index : Index
        An opening of the index of its own, so that looking up does not wait for a commit.
    engine : Engine
        What prepares and embeds.
    backbone : Backbone
    form : StoredForm
        How images are kept.
    name : str
        What the source is called in messages.
    """

    def __init__(
        self,
        writer: Writer,
        index: Index,
        engine: Engine,
        backbone: Backbone,
        form: StoredForm,
        name: str,
    ) -> None:
        self._writer = writer
        self._index = index
        self._engine = engine
        self._task = Task(backbone, form, self._is_known, self._is_new)
        self._layers = dict(backbone.layers)
        self._name = name
        self._added = Added()
        self._broken: Exception | None = None
        #: What was found out, in order; an image waits here for its embedding.
        self._events: deque[NewImage | Dealt] = deque()
        self._waiting = 0
        #: Digests of what is not in the index yet, in the order of their rows.
        self._pending: dict[str, tuple[str, str]] = {}

    def run(self, source: Iterable[Incoming], bar: ProgressBar) -> Added:
        """Add what the source gives.

        Raises
        ------
        InvalidDataError
            If it gives nothing at all.
        InvalidParameterError
            If it gives something else than `Incoming`.
        PoolError
            If the source breaks off, or the pool can't be written. What was read before is kept.
        """
        start = time.monotonic()
        self._bar = bar
        rows = self._engine.rows(self._incoming(iter(source)), self._task)
        try:
            for row in rows:
                self._take(row)
            self._note_up_to_the_next_image()
        except BaseException:  # Ctrl-C too; does nothing after a commit that failed
            self._writer.commit()
            raise
        finally:
            rows.close()
        self._writer.commit()
        self._added.seconds = time.monotonic() - start
        self._complain()
        return self._added

    def _complain(self) -> None:
        error, seen = self._broken, self._added.seen
        if isinstance(error, OutgroupError):  # it says what to do itself
            raise error
        if error is not None:
            raise PoolError(
                f"{self._name}: it broke off after {seen:,} images ({_text(error)}). What was read "
                "is kept; doing the same again goes on from there."
            ) from error
        if seen == 0:
            raise InvalidDataError(f"{self._name}: there is no image in it.")

    def _incoming(self, source: Iterator[Incoming]) -> Iterator[Stamped]:
        """Yield what the source gives and is not known by its place alone, until it breaks off."""
        while True:
            try:
                incoming = next(source)
            except StopIteration:
                return
            except Exception as error:
                self._broken = error
                return
            if not isinstance(incoming, Incoming):
                self._broken = InvalidParameterError(
                    "The 'source' parameter must give outgroup.pool.Incoming. Got "
                    f"{type(incoming).__name__} instead."
                )
                return
            stamp = file_stamp(incoming.image)
            if stamp is not None and self._is_there(incoming, stamp):
                self._count_there()
            else:
                yield incoming, stamp

    def _is_there(self, incoming: Incoming, stamp: str) -> bool:
        found = self._index.find_place(storable(incoming.source), storable(incoming.origin))
        return found is not None and found[0] == stamp and found[1] != UNREADABLE

    def _is_known(self, digest: str) -> bool:
        return self._index.find_digest(digest) is not None

    def _is_new(self, prepared: Prepared) -> bool:
        """Note what became of an image; say whether it waits for its embedding."""
        event = self._judge(prepared)
        if isinstance(event, NewImage):
            self._pending[event.digest] = (event.source, event.origin)
            self._events.append(event)
            self._waiting += 1
            return True
        if event is not None and not self._waiting:
            self._note(event)
        elif event is not None:
            self._events.append(event)
        return False

    def _judge(self, prepared: Prepared) -> NewImage | Dealt | None:
        """Say whether an image is new; None if it is known to be there."""
        source, origin, stamp = prepared.source, prepared.origin, prepared.stamp
        if prepared.error is not None:
            return Dealt(source, origin, stamp, UNREADABLE, prepared.error)
        assert prepared.digest is not None
        owner = self._pending.get(prepared.digest)
        if owner is None and (found := self._index.find_digest(prepared.digest)) is not None:
            owner = found[1:]
        if owner is None:
            return prepared.image
        place = self._index.find_place(source, origin)
        if place is not None and place[1] != UNREADABLE:
            if place[0] != stamp:  # touched, but with the same content
                return Dealt(source, origin, stamp, place[1], known=True)
        elif owner != (source, origin):
            return Dealt(source, origin, stamp, DUPLICATE)
        self._count_there()
        return None

    def _take(self, row: Row) -> None:
        """Add the next image with its embedding, after what came before it."""
        self._note_up_to_the_next_image()
        image = self._events.popleft()
        assert isinstance(image, NewImage)
        self._waiting -= 1
        if isinstance(row, str):
            del self._pending[image.digest]
            self._note(Dealt(image.source, image.origin, image.stamp, UNREADABLE, row))
            return
        self._added.near_duplicates += self._writer.add(image, self._by_layer(row))
        self._added.images += 1
        self._bar.advance()
        while len(self._pending) > self._writer.uncommitted + self._waiting:
            del self._pending[next(iter(self._pending))]

    def _by_layer(self, row: npt.NDArray[np.float32]) -> Mapping[str, npt.NDArray[np.float32]]:
        ends = list(accumulate(self._layers.values()))[:-1]
        return dict(zip(self._layers, np.split(row, ends), strict=True))

    def _note_up_to_the_next_image(self) -> None:
        while self._events and isinstance(self._events[0], Dealt):
            event = self._events.popleft()
            assert isinstance(event, Dealt)
            self._note(event)

    def _note(self, dealt: Dealt) -> None:
        self._writer.note(dealt)
        if dealt.known:
            self._added.there += 1
        elif dealt.outcome == UNREADABLE:
            self._added.n_unreadable += 1
            if len(self._added.unreadable) < _LISTED:
                reason = dealt.reason or ""
                self._added.unreadable.append(Unreadable(dealt.source, dealt.origin, reason))
        else:
            self._added.duplicates += 1
        self._bar.advance()

    def _count_there(self) -> None:
        self._added.there += 1
        self._bar.advance()


def _text(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
