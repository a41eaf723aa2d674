"""HTML pages made by Jinja2 from ``templates``, and plots made by matplotlib."""


def printable(text: str) -> str:
    """Return text with "?" for each character that can't be printed."""
    return "".join(char if char.isprintable() else "?" for char in text)
