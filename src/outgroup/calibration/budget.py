"""What the user is willing to lose: known images called other, others accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from outgroup.errors import InvalidParameterError

#: Expected share of known images called other when the user names no budget of their own.
DEFAULT_KNOWN_REJECTED = 0.05


@dataclass(frozen=True)
class Budget:
    """The promises a threshold has to keep.

    Parameters
    ----------
    max_known_rejected : float, "auto" or None, default="auto"
        Largest share of images like the known ones that may be called other. A number is kept or
        refused with `InfeasibleTargetError`. "auto" asks for no maximum: 0.05 are expected, and
        the certificate says how many it may be; it gives way to `max_other_accepted`. None leaves
        the threshold to `max_other_accepted` alone.
    max_other_accepted : float or None, default=None
        Largest share of images like the negatives that may be given a class.
    confidence : float, default=0.95
        Confidence of each promise, one by one.

    Raises
    ------
    InvalidParameterError
        If a share or the confidence is not strictly between 0 and 1.
    """

    max_known_rejected: float | Literal["auto"] | None = "auto"
    max_other_accepted: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        known, other = self.max_known_rejected, self.max_other_accepted
        if known is not None and known != "auto":
            _check_share("max_known_rejected", known, " or 'auto'")
        if other is not None:
            _check_share("max_other_accepted", other, "")
        if known is None and other is None:
            raise InvalidParameterError(
                "The 'max_known_rejected' parameter must be a share when 'max_other_accepted' is "
                "None. Got None instead. Without either there is nothing to fix a threshold by."
            )
        _check_share("confidence", self.confidence, "")


def _check_share(name: str, value: object, alternative: str) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and 0.0 < value < 1.0):  # type: ignore[operator]
        raise InvalidParameterError(
            f"The {name!r} parameter must be a share between 0 and 1, both excluded{alternative}. "
            f"Got {value!r} instead."
        )
