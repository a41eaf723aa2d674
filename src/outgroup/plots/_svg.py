"""What all pictures share."""

from __future__ import annotations

from html import escape

WIDTH = 760


def opening(height: int, title: str) -> list[str]:
    """Return the first lines of a document: white, with a heading."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="16" y="28" font-size="17" font-weight="600">{text(title)}</text>',
    ]


def text(words: str) -> str:
    """Escape text for XML, which has no way to write most control characters and no surrogates."""
    return escape("".join(char if char.isprintable() else "?" for char in words))
