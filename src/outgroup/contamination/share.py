"""Estimate the share of a pool that shows the known classes, with a confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from outgroup.calibration.bounds import interval
from outgroup.calibration.certificate import percent
from outgroup.errors import InfeasibleTargetError

#: Confidence of the interval.
CONFIDENCE = 0.95

#: With fewer known images, the rate at which they are recognised is hardly known.
LEAST_KNOWN = 20


@dataclass(frozen=True)
class Count:
    """`k` of `n` units."""

    k: float
    n: float


@dataclass(frozen=True)
class Share:
    """The share of a pool's images that show a known class, and the ends of its interval.

    The lower end assumes that the pool's other images look like a class no more often than the
    look-alikes do; without look-alikes it is 0.
    """

    value: float
    low: float
    high: float
    has_look_alikes: bool
    confidence: float = CONFIDENCE

    @property
    def sentence(self) -> str:
        """The estimate in words, with its assumptions."""
        sure = f"{percent(self.confidence)} confidence"
        high = f"at most {percent(self.high)}, whatever else the pool holds"
        if not self.has_look_alikes:
            return (
                f"An estimated {percent(self.value)} of images like those in the pool show one of "
                f"your classes; {high} ({sure}). Without look-alikes there is nothing to say how "
                "many it is at the least."
            )
        return (
            f"An estimated {percent(self.value)} of images like those in the pool show one of your "
            f"classes; {high}, and at least {percent(self.low)} if its other images are taken for "
            f"a class no more often than your look-alikes ({sure})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "value": self.value,
            "interval": [self.low, self.high],
            "confidence": self.confidence,
            "sentence": self.sentence,
        }


def estimate_share(pool: Count, known: Count, look_alikes: Count | None = None) -> Share:
    """Estimate the share of a pool that shows the classes, from images that clearly look like them.

    If a share r of the images of the classes looks like them, and a share a of all other images,
    then ``r s + a (1 - s)`` of the pool does, where s is the share in question (Rogan and Gladen
    1978). The estimate assumes a = 0. It is too large otherwise, so the upper end holds for any a.
    The lower end takes for a the largest rate that agrees with the look-alikes; without any it is
    0. Both ends are made of exact binomial bounds, which share the risk.

    Each count is of images that look like a class, among all of that kind: of the pool, held-out
    known images, and verified negatives.

    References
    ----------
    W. J. Rogan and B. Gladen, Estimating Prevalence from the Results of a Screening Test, American
    Journal of Epidemiology 107 (1978), 71-76.
    """
    if known.n < LEAST_KNOWN or pool.n <= 0:
        raise InfeasibleTargetError(
            f"The share of the pool that shows your classes can't be estimated from {known.n:.0f} "
            f"known images and {pool.n:.0f} of the pool. At least {LEAST_KNOWN} known images and "
            "one of the pool are needed.",
            LEAST_KNOWN,
        )
    risk = (1.0 - CONFIDENCE) / 2.0
    found = min(pool.k / pool.n / max(known.k / known.n, 1.0 / known.n), 1.0)
    high = min(1.0, _upper(pool, risk / 2) / max(_lower(known, risk / 2), 1e-12))
    if look_alikes is None:
        return Share(found, 0.0, max(high, found), False)
    alarms, recall = _upper(look_alikes, risk / 3), _upper(known, risk / 3)
    low = 0.0
    if recall > alarms:
        low = max(0.0, (_lower(pool, risk / 3) - alarms) / (recall - alarms))
    return Share(found, min(low, found), max(high, found), True)


def _lower(count: Count, risk: float) -> float:
    return interval(count.k, count.n, 1.0 - 2.0 * risk)[0]


def _upper(count: Count, risk: float) -> float:
    return interval(count.k, count.n, 1.0 - 2.0 * risk)[1]
