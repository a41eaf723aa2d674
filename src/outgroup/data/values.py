"""Cells of tables and arrays as labels and groups: Python strings, None, or missing."""

from __future__ import annotations

import os
from enum import Enum
from typing import Final, Literal, TypeAlias

import numpy as np

from outgroup.errors import InvalidDataError


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING
"""The value of a cell that isn't there; None can't be, as it means other."""

Cell: TypeAlias = str | Literal[_Missing.MISSING] | None


def to_text(value: object, what: str) -> Cell:
    """Return a cell as a Python string without white space around it.

    Parameters
    ----------
    value : object
        A string or number, also of NumPy; None; or a missing value (NaN, NaT, pandas.NA).
    what : str
        What the cell is, for the message.

    Returns
    -------
    str, None or MISSING
        Whole numbers are written without decimals, as a column of integers turns into floats when
        one is missing. Empty text and None are None.

    Raises
    ------
    InvalidDataError
        If the value is of another type.

    Examples
    --------
    >>> to_text(" cat ", "label"), to_text(7.0, "label"), to_text("", "label")
    ('cat', '7', None)
    >>> to_text(float("nan"), "label") is MISSING
    True
    """
    if value is None:
        return None
    if value is MISSING or is_missing(value):
        return MISSING
    if isinstance(value, str):
        return str(value).strip() or None  # str(): of np.str_, too, which would be cut to a width
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() else str(value)
    raise InvalidDataError(
        f"A {what} must be text or a number. Got {type(value).__name__} {value!r} instead."
    )


def to_name(value: object, what: str) -> str | None:
    """Return a cell of a group or an origin: text, or None where it is empty or missing.

    >>> to_name(float("nan"), "group") is None
    True
    """
    text = to_text(value, what)
    return None if text is MISSING else text


def file_name_text(name: str) -> str:
    r"""Return a file name as text that can be printed and stored, whatever bytes it is made of.

    >>> file_name_text("caf\udce9")
    'caf�'
    """
    return os.fsencode(name).decode("utf-8", "replace")


def is_missing(value: object) -> bool:
    """Tell whether a value stands for one that isn't there: NaN, NaT or pandas.NA.

    >>> is_missing(float("nan")), is_missing(None)
    (True, False)
    """
    # By name: pandas is no dependency, and its NA refuses to be compared.
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))
