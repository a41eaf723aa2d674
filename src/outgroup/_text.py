"""Text that is safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return text with "?" for each character that can't be printed, as in some file names.

    >>> printable("caf\udce9\n\x1b[31m.jpg")
    'caf???[31m.jpg'
    """
    return "".join(char if char.isprintable() else "?" for char in text)
