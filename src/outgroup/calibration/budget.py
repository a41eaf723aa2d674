"""The shares of wrong answers that the user accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from outgroup._numeric import require
from outgroup.errors import InvalidParameterError

#: Expected share of known images that are rejected if the user sets no maximum.
DEFAULT_KNOWN_REJECTED = 0.05


@dataclass(frozen=True)
class Budget:
    """The guarantees that a threshold has to give.

    Parameters
    ----------
    max_known_rejected : float, "auto" or None, default="auto"
        Largest share of images like the known ones that may be rejected. A number is guaranteed, or
        refused with `InfeasibleTargetError`. "auto" expects 0.05 to be rejected and reports the
        bound; it gives way to `max_other_accepted`. None leaves the threshold to
        `max_other_accepted` alone.
    max_other_accepted : float or None, default=None
        Largest share of images like the negatives that may be accepted.
    confidence : float, default=0.95
        Confidence of each single guarantee.

    Raises
    ------
    InvalidParameterError
        If a share or the confidence is not strictly between 0 and 1, or both shares are None.
    """

    max_known_rejected: float | Literal["auto"] | None = "auto"
    max_other_accepted: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        known, other = self.max_known_rejected, self.max_other_accepted
        if known is not None and known != "auto":
            _check_share("max_known_rejected", known, ", or 'auto'")
        if other is not None:
            _check_share("max_other_accepted", other)
        if known is None and other is None:
            raise InvalidParameterError(
                "Invalid `max_known_rejected`: must be a share if `max_other_accepted` is None, "
                "got None. Without either, nothing determines the threshold."
            )
        _check_share("confidence", self.confidence)


def _check_share(name: str, value: Any, alternative: str = "") -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    fine = is_number and 0.0 < value < 1.0
    require(fine, name, f"a share between 0 and 1, both excluded{alternative}", value)
