"""What is promised, to whom, and on what evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: What a threshold promises that no image has calibrated.
UNCALIBRATED = (
    "Nothing is promised: no image has calibrated the threshold. Some thirty of each class would."
)


@dataclass(frozen=True)
class Promise:
    """One bound on one population.

    Parameters
    ----------
    event : {"called other", "accepted"}
        What happens to at most `bound` of the population.
    population : str
        Which images the promise is about, as in "images like your known ones".
    bound : float
        The promised share.
    k, n : int
        The event was seen in `k` of `n` held-out units.
    unit : {"images", "groups"}
        What `n` counts: groups where images came in groups.
    confidence : float
        Probability, over repeated collections of such data, that the promise is true.
    asked : float or None
        The share that had been asked for, or None if the bound is only reported.

    Examples
    --------
    >>> print(Promise("called other", "images like your known ones", 0.0482, 12, 400).sentence)
    At most 4.9 % of images like your known ones are called other (95 % confidence, n = 400;
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
        """Whether the bound is within what was asked; True if nothing was asked."""
        return self.asked is None or self.bound <= self.asked

    @property
    def sentence(self) -> str:
        """The promise in plain words, with confidence, n, and the share that was seen."""
        n = f"n = {self.n}" if self.unit == "images" else f"n = {self.n} {self.unit}"
        return (
            f"At most {percent(self.bound, up=True)} of {self.population} are {self.event} "
            f"({percent(self.confidence)} confidence, {n}; {percent(self.k / self.n)} expected)."
        )


@dataclass(frozen=True)
class Certificate:
    """All that a threshold promises.

    Parameters
    ----------
    promises : tuple of Promise
        One for each population.
    method : str
        How the held-out scores came about: "out-of-fold", "held-out", or "none" if there are none.

    Examples
    --------
    >>> Certificate((), "none").sentence
    'Nothing is promised: no image has calibrated the threshold. Some thirty of each class would.'
    """

    promises: tuple[Promise, ...]
    method: str = "out-of-fold"

    @property
    def sentence(self) -> str:
        """Every promise, and that there is no other."""
        if not self.promises:
            return UNCALIBRATED
        said = " ".join(promise.sentence for promise in self.promises)
        return f"{said} Nothing is promised for other images."

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON-ready values; `from_dict` reads them back."""
        return {
            "method": self.method,
            "promises": [asdict(p) for p in self.promises],
            "sentence": self.sentence,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Certificate:
        """Build a certificate from what `to_dict` returned."""
        return cls(tuple(Promise(**p) for p in data["promises"]), data["method"])


def percent(share: float, up: bool = False) -> str:
    """Write a share for people, to a tenth of a percent and never rounded to 0 or 100 %.

    Within one percent of either end two significant digits of the distance to it are kept.

    Parameters
    ----------
    share : float
        Between 0 and 1.
    up : bool, default=False
        Never write less than the share is, as a promise of "at most" must not.

    Examples
    --------
    >>> percent(0.05), percent(0.0482), percent(0.00032), percent(0.99995), percent(1.0)
    ('5 %', '4.8 %', '0.032 %', '99.995 %', '100 %')
    >>> percent(0.0482, up=True), percent(0.05, up=True)
    ('4.9 %', '5 %')
    """
    distance = min(share, 1.0 - share) * 100
    digits = 1 if distance >= 1 or distance <= 0 else 1 - math.floor(math.log10(distance))
    value = share * 100
    if up:  # 1e-9 of a last digit is rounding: 5.000000000000001 is 5
        value = min(math.ceil(value * 10**digits - 1e-9) / 10**digits, 100.0)
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") + " %"
