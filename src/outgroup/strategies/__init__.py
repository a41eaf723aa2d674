"""Strategies: a way to say "other", made of a head, an other-score and what negatives they want.

To add one, write a module here with one class that derives from `Strategy` and registers itself.
"""

from outgroup.strategies.base import STRATEGIES, Features, Scores, Strategy, take

__all__ = ["STRATEGIES", "Features", "Scores", "Strategy", "take"]
