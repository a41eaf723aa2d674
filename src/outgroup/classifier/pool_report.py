"""What became of negatives that nobody has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from outgroup.calibration.certificate import percent
from outgroup.contamination import Contamination
from outgroup.data import Skipped


@dataclass(frozen=True)
class PoolReport:
    """What became of the images of a pool.

    Parameters
    ----------
    found : Contamination
        Which of them look like the classes, and how many are likely to show one.
    copies : tuple of Skipped
        Images that are known ones, too; they are never learned from as negatives.
    kept : bool
        Whether the suspects were learned from all the same.
    n_all : int or None
        Images of the whole pool, where these were drawn from more; the share is that of all.
    """

    found: Contamination
    copies: tuple[Skipped, ...]
    kept: bool = False
    n_all: int | None = None

    @property
    def n(self) -> int:
        """Readable images of the pool."""
        return self.found.n_pool + len(self.copies)

    @property
    def n_set_aside(self) -> int:
        """Images that were not learned from, because they look like a class."""
        return len(self.copies) + (0 if self.kept else len(self.found.suspects))

    @property
    def sentence(self) -> str:
        """What was done, in words."""
        looking = len(self.copies) + len(self.found.suspects)
        share = self.found.share
        of_all = "" if self.n_all is None else f" of all {self.n_all:,}"
        estimate = f" ({self.found.no_share})" if self.found.no_share and looking else ""
        if share is not None:
            estimate = (
                f" (estimated share{of_all} {percent(share.value)}, {percent(share.confidence)} "
                f"interval {percent(share.low)} to {percent(share.high, up=True)})"
            )
        of_pool = f"{looking:,} of {self.n:,} pool images look like your classes"
        if not looking:
            return f"None of {self.n:,} pool images looks like your classes{estimate}."
        if self.kept:
            return f"{of_pool}, and were learned from all the same{estimate}."
        return f"{of_pool} and were set aside{estimate}."

    def summary(self) -> dict[str, Any]:
        """Return JSON-ready values without the images."""
        share = self.found.share
        return {
            "n": self.n,
            "n_all": self.n_all,
            "set_aside": self.n_set_aside,
            "share": None if share is None else share.to_dict(),
            "no_share": self.found.no_share,
            "kept": self.kept,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values, with every image that looks like a class."""
        return {
            **self.summary(),
            "sentence": self.sentence,
            "suspects": [suspect.to_dict() for suspect in self.found.suspects],
            "copies": [{"path": copy.path, "reason": copy.reason} for copy in self.copies],
        }
