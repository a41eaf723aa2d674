"""Negatives from a stream without end: test, then train, with a bound that holds at all times."""

from __future__ import annotations

from outgroup.mining.effort import Effort
from outgroup.mining.from_streams import mine, mine_embeddings
from outgroup.mining.mined import Mined, Quarantined, Stage
from outgroup.mining.streams import sources
from outgroup.mining.suspects import Suspects, TypicalOfAClass

__all__ = [
    "Effort",
    "Mined",
    "Quarantined",
    "Stage",
    "Suspects",
    "TypicalOfAClass",
    "mine",
    "mine_embeddings",
    "sources",
]
