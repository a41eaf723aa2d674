"""Mine negatives from an endless stream: test, then train, with a bound that always holds."""

from outgroup.mining.image_streams import sources
from outgroup.mining.memory import Quarantined, Stage
from outgroup.mining.mined import Mined
from outgroup.mining.miner import Effort, Suspects, TypicalOfAClass
from outgroup.mining.mining_run import mine, mine_embeddings

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
