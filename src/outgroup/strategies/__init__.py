"""Strategies: a way to say "other", made of a head, an other-score and what negatives they want.

To add one, write a module here with one class that derives from `Strategy` and registers itself.
"""

from outgroup.strategies.base import STRATEGIES, HeadStrategy, Scores, Strategy
from outgroup.strategies.features import HEAD_LAYERS, Features, head_input, take
from outgroup.strategies.folded import FoldedRows

__all__ = [
    "HEAD_LAYERS",
    "STRATEGIES",
    "Features",
    "FoldedRows",
    "HeadStrategy",
    "Scores",
    "Strategy",
    "head_input",
    "take",
]
