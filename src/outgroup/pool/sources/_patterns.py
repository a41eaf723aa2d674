"""Names of many files as one text: ``shard-{000..099}.tar``, ``*.parquet``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from outgroup.errors import InvalidParameterError

#: More names than any collection has shards.
MAX_NAMES = 1_000_000

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def expand_braces(text: str) -> list[str]:
    """Return the names that a text with braces stands for, in its order.

    Parameters
    ----------
    text : str
        ``{000..099}`` stands for the numbers from the first to the last, with as many digits;
        ``{a,b}`` for one or the other. Braces of another form stand for themselves.

    Raises
    ------
    InvalidParameterError
        If it stands for more than a million names.

    Examples
    --------
    >>> expand_braces("{train,test}-{08..10}.tar")[2:]
    ['train-10.tar', 'test-08.tar', 'test-09.tar', 'test-10.tar']
    """
    names = list(islice(_expanded(text, ""), MAX_NAMES + 1))
    if len(names) > MAX_NAMES:
        raise InvalidParameterError(
            f"The 'source' parameter must stand for {MAX_NAMES:,} files at most. "
            f"Got {text!r} instead."
        )
    return names


def _expanded(text: str, done: str) -> Iterator[str]:
    match = _BRACES.search(text)
    if match is None:
        yield done + text
        return
    for choice in _choices(match[1]):
        yield from _expanded(text[match.end() :], done + text[: match.start()] + choice)


def _choices(inside: str) -> Iterator[str]:
    match = _RANGE.fullmatch(inside)
    if match is not None:
        digits = len(match[1]) if match[1].startswith("0") else 0
        for number in range(int(match[1]), int(match[2]) + 1):
            yield f"{number:0{digits}}"
    elif "," in inside:
        yield from inside.split(",")
    else:
        yield "{" + inside + "}"


def is_pattern(text: str) -> bool:
    """Tell whether a text has a wildcard of a shell in it.

    >>> is_pattern("data/*.parquet"), is_pattern("data/a.parquet")
    (True, False)
    """
    return any(char in text for char in "*?[")
