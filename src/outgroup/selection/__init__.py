"""Which strategy to take."""

from outgroup.selection.auto import choose_strategy

__all__ = ["choose_strategy"]
