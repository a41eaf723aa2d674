"""Record what happens while a source is read: images given, files skipped, parts damaged."""

from __future__ import annotations

import re
from collections import Counter

from outgroup.data import Skipped
from outgroup.data.values import file_name_text
from outgroup.errors import InvalidDataError, PoolSourceError
from outgroup.images import MAX_BYTES

MAX_LISTED = 100  # skipped files that are listed; the others are only counted
MAX_REASONS = 50  # reasons that are counted separately; one that quotes a file has no end of forms
MAX_DAMAGED = 20  # damaged parts in a row after which reading stops

HOW_TO_RESUME = (
    "What was read before is kept. Repair the part named here (usually by copying or downloading "
    "it again) and read the source again, or continue without it."
)

# Reasons to skip what more than one reader meets.
TOO_LARGE = f"more than the {MAX_BYTES:,} bytes that are read of one image"
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
NO_DOWNLOAD = (
    "a URL; images are not downloaded, do that first (for example with img2dataset, whose shards "
    "can be read)"
)


class SourceLog:
    """A record of one reading of a source, of bounded size.

    The error for damaged parts comes at the end of the source, or at once after `MAX_DAMAGED`
    damaged parts in a row, as when a disk fails.
    """

    def __init__(self, name: str) -> None:
        self.name = file_name_text(name)
        self.skipped: list[Skipped] = []
        self.n_skipped = 0
        self._reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._given = self._damaged = self._in_a_row = 0
        self._first_damage: tuple[str, str, Exception] | None = None

    def give(self) -> None:
        """Count an image."""
        self._given += 1
        self._in_a_row = 0

    def skip(self, path: str, reason: str) -> None:
        """Note a file that is not taken for an image."""
        path = file_name_text(path)
        self.n_skipped += 1
        if len(self.skipped) < MAX_LISTED:
            self.skipped.append(Skipped(path, reason))
        if reason not in self._reasons and len(self._reasons) >= MAX_REASONS:
            reason = "for other reasons"
        self._reasons[reason] += 1
        self._examples.setdefault(reason, path)

    def damage(self, path: str, reason: Exception) -> None:
        """Note a part that can't be read."""
        text = str(reason) or type(reason).__name__
        self._damaged += 1
        self._in_a_row += 1
        self._first_damage = self._first_damage or (file_name_text(path), text.rstrip("."), reason)
        if self._in_a_row >= MAX_DAMAGED:
            self._raise_damage()

    def finish(self) -> None:
        """End the reading."""
        if self._first_damage is not None:
            self._raise_damage()
        if not self._given:
            listed = ", ".join(
                f"{count} {reason} ({self._examples[reason]})"
                for reason, count in self._reasons.most_common(5)
            )
            raise InvalidDataError(
                f"There is no image in {self.name}." + (f" Skipped: {listed}." if listed else "")
            )

    def _raise_damage(self) -> None:
        assert self._first_damage is not None
        path, reason, error = self._first_damage
        parts = "a part" if self._damaged == 1 else f"{self._damaged:,} parts"
        images = "1 image" if self._given == 1 else f"{self._given:,} images"
        stopped = ""
        if self._in_a_row >= MAX_DAMAGED:
            stopped = f" Reading stopped after {MAX_DAMAGED} damaged parts in a row."
        raise PoolSourceError(
            f"{self.name} can't be read in full: it gave {images}, and {parts} can't be read, "
            f"first {path}: {reason}.{stopped} {HOW_TO_RESUME}"
        ) from error
