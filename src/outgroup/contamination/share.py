"""Which share of a pool shows the known classes, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from outgroup.calibration.bounds import interval
from outgroup.calibration.certificate import percent
from outgroup.errors import InfeasibleTargetError

#: Known images below which how many of them are recognised is hardly known.
LEAST_KNOWN = 20


@dataclass(frozen=True)
class Count:
    """`k` of `n` units, k between two whole numbers where parts of groups are counted."""

    k: float
    n: float


@dataclass(frozen=True)
class Share:
    """The share of a pool's images that show a known class.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        Ends of the interval.
    confidence : float
        Of the interval.
    bounded_by : str or None
        What the lower end rests on: whose rate of false alarms is taken to be no lower than that of
        the pool's other images. None: on nothing, and it is 0.
    """

    value: float
    low: float
    high: float
    confidence: float
    bounded_by: str | None

    @property
    def sentence(self) -> str:
        """The estimate in words, with what it rests on."""
        sure = f"{percent(self.confidence)} confidence"
        high = f"at most {percent(self.high)}, whatever else the pool holds"
        if self.bounded_by is None:
            return (
                f"An estimated {percent(self.value)} of images like those in the pool show one of "
                f"your classes; {high} ({sure}). Without look-alikes there is nothing to say how "
                "many it is at the least."
            )
        return (
            f"An estimated {percent(self.value)} of images like those in the pool show one of your "
            f"classes; {high}, and at least {percent(self.low)} if its other images are taken for "
            f"a class no more often than {self.bounded_by} ({sure})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "value": self.value,
            "interval": [self.low, self.high],
            "confidence": self.confidence,
            "sentence": self.sentence,
        }


def estimate_share(
    pool: Count,
    known: Count,
    look_alikes: Count | None = None,
    bounded_by: str = "your look-alikes",
    confidence: float = 0.95,
) -> Share:
    """Estimate the share from how many images lie far inside a class.

    Of images of the classes a share r lies there, of all others a share a; then ``r s + a (1 - s)``
    of the pool does, if s is the share that is asked for (Rogan and Gladen 1978). What is seen in
    the pool over what is seen among known images is the estimate: it supposes that a is 0, and is
    too large otherwise, so that the upper end holds whatever a is. The lower end takes for a the
    largest rate that look-alikes are compatible with. Each of the limits that an end is made of is
    an exact binomial one, and they share the risk among them.

    Parameters
    ----------
    pool : Count
        Images of the pool far inside a class, of all of its images.
    known : Count
        The same of held-out known images.
    look_alikes : Count or None
        The same of negatives that somebody has looked at, scored as the pool is; None: there are
        none, and the lower end is 0.
    bounded_by : str
        What these are called.
    confidence : float, default=0.95
        Confidence of the interval, both ends together.

    Returns
    -------
    Share

    Raises
    ------
    InfeasibleTargetError
        If there are too few known images, or no image in the pool.

    References
    ----------
    W. J. Rogan and B. Gladen, Estimating Prevalence from the Results of a Screening Test, American
    Journal of Epidemiology 107 (1978), 71-76.

    Examples
    --------
    >>> share = estimate_share(Count(25, 2500), Count(120, 240), Count(0, 320))
    >>> round(share.value, 4), round(share.low, 4), round(share.high, 4)
    (0.02, 0.0, 0.0363)
    """
    if known.n < LEAST_KNOWN or pool.n <= 0:
        raise InfeasibleTargetError(
            f"The share of the pool that shows your classes can't be estimated from {known.n:.0f} "
            f"known images and {pool.n:.0f} of the pool. At least {LEAST_KNOWN} known images and "
            "one of the pool are needed.",
            LEAST_KNOWN,
        )
    risk = (1.0 - confidence) / 2.0
    found = min(pool.k / pool.n / max(known.k / known.n, 1.0 / known.n), 1.0)
    high = min(1.0, _upper(pool, risk / 2) / max(_lower(known, risk / 2), 1e-12))
    if look_alikes is None:
        return Share(found, 0.0, max(high, found), confidence, None)
    alarms, recall = _upper(look_alikes, risk / 3), _upper(known, risk / 3)
    low = 0.0
    if recall > alarms:
        low = max(0.0, (_lower(pool, risk / 3) - alarms) / (recall - alarms))
    return Share(found, min(low, found), max(high, found), confidence, bounded_by)


def _lower(count: Count, risk: float) -> float:
    return interval(count.k, count.n, 1.0 - 2.0 * risk)[0]


def _upper(count: Count, risk: float) -> float:
    return interval(count.k, count.n, 1.0 - 2.0 * risk)[1]
