"""What is kept of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from outgroup.mining.seen import Seen
from outgroup.mining.smallest import Smallest


@dataclass
class Memory:
    """What a miner keeps of a stream.

    Parameters
    ----------
    hard : Smallest
        Negatives that the present model has learned from, by its held-out scores.
    new : Smallest
        The hardest that it has met, by its scores.
    uniform : Smallest
        A uniform sample of all but the suspects.
    rejected : Smallest
        Embeddings of a uniform sample of those that were called other.
    seen : Seen
        What was there before.
    """

    hard: Smallest
    new: Smallest
    uniform: Smallest
    rejected: Smallest
    seen: Seen

    def mined(self) -> Smallest:
        """Return all that is kept as one, each image once."""
        parts = (self.hard, self.new, self.uniform)
        mined = Smallest(sum(len(part) for part in parts))
        for part in parts:
            mined.merge(part)
        return mined
