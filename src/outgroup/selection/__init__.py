"""Which strategy to take."""

from outgroup.selection.auto import choose_strategy
from outgroup.selection.compare import StrategyResult, compare_strategies

__all__ = ["StrategyResult", "choose_strategy", "compare_strategies"]
