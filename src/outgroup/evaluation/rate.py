"""A share that was counted, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from outgroup.calibration import bounds


@dataclass(frozen=True)
class Rate:
    """`k` of `n`, with a two-sided 95 % Clopper-Pearson interval.

    Parameters
    ----------
    k, n : int
        How many had the property, of how many.

    Examples
    --------
    >>> rate = Rate(5, 100)
    >>> rate.value
    0.05
    >>> tuple(round(side, 3) for side in rate.interval)
    (0.016, 0.113)
    >>> print(rate)
    5.0 [1.6, 11.3]
    """

    k: int
    n: int

    @property
    def value(self) -> float | None:
        """The share itself; None if nothing was counted."""
        return self.k / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end; (0, 1) if nothing was counted."""
        return bounds.interval(self.k, self.n)

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {"k": self.k, "n": self.n, "value": self.value, "interval": list(self.interval)}

    def __str__(self) -> str:
        """Return share and interval in percent, without the sign: tables say it once."""
        if self.value is None:
            return "none"
        low, high = self.interval
        return f"{self.value * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}]"
