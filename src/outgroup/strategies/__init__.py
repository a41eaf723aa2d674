"""Strategies: a head, a detector and a use of negatives, by name.

To add one, write a module here with one class that derives from `Strategy` and registers itself.
"""

from outgroup._features import Features, take
from outgroup.strategies.base import (
    LABEL_STRATEGIES,
    STRATEGIES,
    HeadStrategy,
    Scores,
    Strategy,
)
from outgroup.strategies.cross_fit import FoldedRows
from outgroup.strategies.features import HEAD_LAYERS, head_input
from outgroup.strategies.lookup import AUTO, DEFAULT, choose_head, choose_strategy

__all__ = [
    "AUTO",
    "DEFAULT",
    "HEAD_LAYERS",
    "LABEL_STRATEGIES",
    "STRATEGIES",
    "Features",
    "FoldedRows",
    "HeadStrategy",
    "Scores",
    "Strategy",
    "choose_head",
    "choose_strategy",
    "head_input",
    "take",
]
