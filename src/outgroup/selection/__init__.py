"""Which strategy to take: measured on the user's own data, by unknowns that none has seen."""

from outgroup.selection.auto import choose_strategy
from outgroup.selection.compare import compare_strategies
from outgroup.selection.comparison import Choice, Comparison, SourceRate, StrategyResult
from outgroup.selection.heads import choose_head
from outgroup.selection.label_networks import choose_network_of_labels
from outgroup.selection.lineup import LINEUP
from outgroup.selection.networks import NetworkChoice, choose_network
from outgroup.selection.select import select_strategy, share_of
from outgroup.selection.trade_off import TradeOff

__all__ = [
    "LINEUP",
    "Choice",
    "Comparison",
    "NetworkChoice",
    "SourceRate",
    "StrategyResult",
    "TradeOff",
    "choose_head",
    "choose_network",
    "choose_network_of_labels",
    "choose_strategy",
    "compare_strategies",
    "select_strategy",
    "share_of",
]
