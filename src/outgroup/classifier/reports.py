"""What became of the images that were given for training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outgroup.artifact import TrainingInfo
from outgroup.calibration.certificate import percent
from outgroup.contamination import Contamination
from outgroup.data import Skipped


@dataclass(frozen=True)
class PoolReport:
    """What became of the images of a pool of unchecked negatives."""

    found: Contamination  #: suspects, and an estimate of how many show a class
    copies: tuple[Skipped, ...]  #: copies of known images; never learned from
    kept: bool = False  #: whether suspects were learned from
    n_all: int | None = None  #: images of the pool, if these are a sample of it

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
            return f"{of_pool}, and were learned from nevertheless{estimate}."
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


@dataclass(frozen=True)
class TrainingReport:
    """What became of the images that were given for training."""

    class_counts: dict[str, int]  #: images learned from, by class
    n_others: int  #: negatives learned from
    unreadable: tuple[Skipped, ...]  #: images that could not be read
    skipped: tuple[Skipped, ...]  #: files that were not taken for images
    n_unlabelled: int  #: images without a label; not used
    contradictory: tuple[Skipped, ...]  #: images with different labels; not used
    warnings: tuple[str, ...] = ()  #: allowed, but rarely meant; with the fix
    pool: PoolReport | None = None  #: None without unchecked negatives

    def info(self, fingerprint: str, options: Mapping[str, object]) -> TrainingInfo:
        """Return what a model file keeps of it."""
        options = dict(options)
        if self.pool is not None:
            options["pool"] = self.pool.summary()
        return TrainingInfo(
            fingerprint, self.class_counts, self.n_others, len(self.unreadable), options
        )
