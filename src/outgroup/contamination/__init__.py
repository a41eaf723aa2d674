"""Images of the known classes among negatives that nobody has looked at: found, and counted.

Random images hold cats. A model that learns from them as negatives rejects its own cats.
"""

from outgroup.contamination.share import Count, Share, estimate_share
from outgroup.contamination.sheet import suspect_sheet
from outgroup.contamination.suspects import Contamination, Suspect, find_suspects

__all__ = [
    "Contamination",
    "Count",
    "Share",
    "Suspect",
    "estimate_share",
    "find_suspects",
    "suspect_sheet",
]
