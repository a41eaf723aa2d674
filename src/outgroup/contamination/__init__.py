"""Find images of the known classes in a pool of negatives, and estimate their share.

Random images contain cats. A model that learns from them as negatives rejects its own cats.
"""

from outgroup.contamination.share import Count, Share, estimate_share
from outgroup.contamination.suspects import Contamination, Suspect, find_suspects

__all__ = [
    "Contamination",
    "Count",
    "Share",
    "Suspect",
    "estimate_share",
    "find_suspects",
]
