"""Convert cells of tables and file names to text, None or `MISSING`."""

from __future__ import annotations

import os
from enum import Enum
from typing import Final, Literal, TypeAlias

import numpy as np

from outgroup.errors import InvalidDataError


class _Missing(Enum):
    MISSING = "missing"


#: The value of a cell that isn't there. None can't be it, as None means other.
MISSING: Final = _Missing.MISSING

Cell: TypeAlias = str | Literal[_Missing.MISSING] | None


def to_text(value: object, what: str) -> Cell:
    """Return a cell as text without surrounding white space; `what` names it in error messages.

    Empty text and None are None, other missing values `MISSING`. Whole numbers have no decimals,
    because a column of integers becomes one of floats when a cell is missing.
    """
    if value is None:
        return None
    if value is MISSING or is_missing(value):
        return MISSING
    if isinstance(value, str):
        return str(value).strip() or None  # str(): np.str_ would be truncated to the array's width
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() else str(value)
    raise InvalidDataError(
        f"Invalid {what}: must be text or a number, got {type(value).__name__} {value!r}."
    )


def to_name(value: object, what: str) -> str | None:
    """Return the cell of a group or an origin as text; None if it is empty or missing."""
    text = to_text(value, what)
    return None if text is MISSING else text


def is_missing(value: object) -> bool:
    """Return whether a value is NaN, NaT or pandas.NA."""
    # By name, as pandas is no dependency, and pandas.NA can't be compared.
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def file_name_text(name: str) -> str:
    r"""Return a file name as text that can be printed and stored.

    Bytes that are not UTF-8 become the replacement character.

    >>> file_name_text("caf\udce9")
    'caf�'
    """
    return os.fsencode(name).decode("utf-8", "replace")
