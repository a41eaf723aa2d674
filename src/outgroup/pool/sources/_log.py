"""What went on while a source was read: images given, files left out, parts that are damaged."""

from __future__ import annotations

from collections import Counter

from outgroup.data import Skipped
from outgroup.data.values import file_name_text
from outgroup.errors import InvalidDataError, PoolSourceError

#: Files that are listed one by one; of more there is only the number by reason.
LISTED = 100

#: Reasons that are counted apart; a reason may quote what it is about, and so have no end of forms.
REASONS = 50

#: Damaged parts one behind the other after which nothing more is tried.
PATIENCE = 20

GO_ON = (
    "What was read before stays usable. Repair what is named here (mostly by copying or "
    "downloading it once more) and read the source again, or go on without it."
)


class ReadingLog:
    """A record of one reading of a source, of bounded size.

    A damaged part doesn't keep the parts behind it from being read: the error comes last. Only
    after `PATIENCE` damaged parts in a row, as when a disk or a network is gone, it comes at once.

    Parameters
    ----------
    name : str
        What is read, for messages.

    Attributes
    ----------
    given : int
        Images so far.
    skipped : list of Skipped
        What was found and not taken; the first `LISTED`.
    reasons : Counter of str
        How many were not taken, by reason.

    Examples
    --------
    >>> log = ReadingLog("photos.tar")
    >>> log.skip("photos.tar!.DS_Store", "a hidden or system file")
    >>> log.reasons.total()
    1
    >>> log.finish()
    Traceback (most recent call last):
    outgroup.errors.InvalidDataError: There is no image in photos.tar. Not taken: 1 a hidden or
    system file (photos.tar!.DS_Store).
    """

    def __init__(self, name: str) -> None:
        self.name = file_name_text(name)
        self.given = 0
        self.skipped: list[Skipped] = []
        self.reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._damaged = 0
        self._in_a_row = 0
        self._first: tuple[str, str, Exception | None] | None = None

    def give(self) -> None:
        """Count an image."""
        self.given += 1
        self._in_a_row = 0

    def skip(self, path: str, reason: str) -> None:
        """Note something that is not taken."""
        path = file_name_text(path)
        if len(self.skipped) < LISTED:
            self.skipped.append(Skipped(path, reason))
        if reason not in self.reasons and len(self.reasons) >= REASONS:
            reason = "for other reasons"
        self.reasons[reason] += 1
        self._examples.setdefault(reason, path)

    def damaged(self, path: str, reason: str | Exception) -> None:
        """Note a part that can't be read.

        Raises
        ------
        PoolSourceError
            If it is one too many in a row.
        """
        error = reason if isinstance(reason, Exception) else None
        text = str(reason) or type(reason).__name__
        self._damaged += 1
        self._in_a_row += 1
        self._first = self._first or (file_name_text(path), text.rstrip("."), error)
        if self._in_a_row >= PATIENCE:
            self._raise_damage()

    def finish(self) -> None:
        """Say what the end of the source has to say.

        Raises
        ------
        PoolSourceError
            If a part was damaged.
        InvalidDataError
            If there was no image at all.
        """
        if self._damaged:
            self._raise_damage()
        if not self.given:
            listed = ", ".join(
                f"{count} {reason} ({self._examples[reason]})"
                for reason, count in self.reasons.most_common(5)
            )
            raise InvalidDataError(
                f"There is no image in {self.name}." + (f" Not taken: {listed}." if listed else "")
            )

    def _raise_damage(self) -> None:
        assert self._first is not None
        path, reason, error = self._first
        damage = "a part" if self._damaged == 1 else f"{self._damaged:,} parts"
        images = "1 image" if self.given == 1 else f"{self.given:,} images"
        gave_up = (
            f" Nothing more was tried after {PATIENCE} of them in a row."
            if self._in_a_row >= PATIENCE
            else ""
        )
        raise PoolSourceError(
            f"{self.name} can't be read in full: it gave {images}, and {damage} can't "
            f"be read, first {path}: {reason}.{gave_up} {GO_ON}"
        ) from error
