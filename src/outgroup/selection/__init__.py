"""Which strategy to take: measured on the user's own data, by unknown images that none has seen."""

from outgroup.selection.comparison import (
    AUTO_LINEUP,
    LINEUP,
    compare_strategies,
    lineup_for,
    select_strategy,
    share_of,
)
from outgroup.selection.networks import NetworkChoice, choose_network
from outgroup.selection.results import Choice, Comparison, SourceRate, StrategyResult, TradeOff

__all__ = [
    "AUTO_LINEUP",
    "LINEUP",
    "Choice",
    "Comparison",
    "NetworkChoice",
    "SourceRate",
    "StrategyResult",
    "TradeOff",
    "choose_network",
    "compare_strategies",
    "lineup_for",
    "select_strategy",
    "share_of",
]
