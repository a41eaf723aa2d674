"""Checks of the parameters of heads."""

from __future__ import annotations

import math
import numbers
from typing import Any

from outgroup.errors import InvalidParameterError


def require(fine: bool, name: str, allowed: str, value: object) -> None:
    """Raise `InvalidParameterError` unless the value is fine."""
    if not fine:
        raise InvalidParameterError(
            f"The {name!r} parameter must be {allowed}. Got {value!r} instead."
        )


def is_number(value: Any) -> bool:
    """Whether it is a finite number, which a bool is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any, least: int) -> bool:
    """Whether it is a whole number that is at least so much."""
    return (
        isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least
    )
