"""``outgroup demo``."""


def demo() -> None:
    """Stub."""
