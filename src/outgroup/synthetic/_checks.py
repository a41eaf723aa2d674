"""What the arguments of all generators have to be."""

from __future__ import annotations

import numpy as np

from outgroup.errors import InvalidParameterError


def whole_numbers(**numbers: tuple[object, int]) -> None:
    """Raise unless each value is a whole number from its least up; values by name."""
    for name, (value, least) in numbers.items():
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or value < least:  # type: ignore[operator]
            raise InvalidParameterError(
                f"The {name!r} parameter must be a whole number from {least} up. "
                f"Got {value!r} instead."
            )
