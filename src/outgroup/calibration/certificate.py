"""What a threshold guarantees, for which images, and on what evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Guarantee:
    """A bound on the share of one population to which an event happens.

    Parameters
    ----------
    event : str
        What happens to at most `bound` of the population: "rejected" or "accepted".
    population : str
        The images that the guarantee is about, such as "images like your known ones".
    bound : float
        Upper bound of the share.
    k, n : int
        The event was seen in `k` of `n` held-out units.
    unit : {"images", "groups"}
        What `n` counts: groups if images came in groups.
    confidence : float
        Probability, over repeated collections of such data, that the bound holds.
    asked : float or None
        The share that was asked for; None if the bound is only reported.

    Examples
    --------
    >>> print(Guarantee("rejected", "images like your known ones", 0.0482, 12, 400).sentence)
    At most 4.9 % of images like your known ones are rejected (95 % confidence, n = 400;
    3 % expected).
    """

    event: str
    population: str
    bound: float
    k: int
    n: int
    unit: str = "images"
    confidence: float = 0.95
    asked: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the bound is at most what was asked for, if anything was."""
        return self.asked is None or self.bound <= self.asked

    @property
    def sentence(self) -> str:
        """The guarantee in words, with confidence, n, and the share that was seen."""
        n = f"n = {self.n}" if self.unit == "images" else f"n = {self.n} {self.unit}"
        return (
            f"At most {percent(self.bound, up=True)} of {self.population} are {self.event} "
            f"({percent(self.confidence)} confidence, {n}; {percent(self.k / self.n)} expected)."
        )


@dataclass(frozen=True)
class Certificate:
    """Everything that a threshold guarantees.

    Parameters
    ----------
    guarantees : tuple of Guarantee
        One for each population.
    method : str
        Where the scores came from: "out-of-fold", "held-out", or "none" if there are none.

    Examples
    --------
    >>> Certificate((), "none").sentence
    'Nothing is guaranteed: the threshold is not calibrated. That takes about 30 images per class.'
    """

    guarantees: tuple[Guarantee, ...]
    method: str = "out-of-fold"

    @property
    def sentence(self) -> str:
        """All guarantees in words, and that there are no others."""
        if not self.guarantees:
            return (
                "Nothing is guaranteed: the threshold is not calibrated. "
                "That takes about 30 images per class."
            )
        said = " ".join(guarantee.sentence for guarantee in self.guarantees)
        return f"{said} Nothing is guaranteed for other images."

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; `from_dict` reads them back."""
        return {
            "method": self.method,
            "guarantees": [asdict(guarantee) for guarantee in self.guarantees],
            "sentence": self.sentence,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Certificate:
        """Build a certificate from the result of `to_dict`."""
        return cls(tuple(Guarantee(**given) for given in data["guarantees"]), data["method"])


def percent(share: float, up: bool = False) -> str:
    """Write a share as text, to a tenth of a percent, and never rounded to 0 or 100 %.

    Within one percent of either end, two significant digits of the distance to it are kept. With
    `up` it is never less than the share, as "at most" requires.

    >>> percent(0.0482), percent(0.00032), percent(0.99995), percent(0.0482, up=True)
    ('4.8 %', '0.032 %', '99.995 %', '4.9 %')
    """
    distance = min(share, 1.0 - share) * 100
    digits = 1 if distance >= 1 or distance <= 0 else 1 - math.floor(math.log10(distance))
    value = share * 100
    if up:  # less than 1e-9 of the last digit is rounding: 5.000000000000001 is 5
        value = min(math.ceil(value * 10**digits - 1e-9) / 10**digits, 100.0)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") + " %"
