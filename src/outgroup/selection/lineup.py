"""Which strategies are compared, from simple to complex."""

from __future__ import annotations

#: All that `compare` measures. Among equals the first is taken.
LINEUP = (
    "softmax",
    "softmax:max-logit",
    "softmax:energy",
    "detector",
    "detector:knn",
    "detector:relative-mahalanobis",
    "detector:whitened-cosine",
    "sigmoid-0.95",
    "sigmoid",
    "positive-unlabelled",
    "outlier-exposure",
    "other-class",
    "blend",
    "two-votes",
    "imagenet",
)

#: What ``--strategy auto`` chooses from: few, and with parts in common, so that training stays
#: quick. (An "other" class asks for a head of its own, and says much the same as sigmoids do.)
AUTO_LINEUP = ("softmax:energy", "detector", "detector:knn", "sigmoid", "blend", "two-votes")

#: What is taken where there is nothing to choose by: it needs no negatives and uses those there
#: are, and no kind of other is out of reach of all of its members.
DEFAULT = "blend"

#: What takes its place where there is a single class: the same, with a probability that needs
#: nothing to tell the class apart from.
ALONE = "one-class"


def lineup_for(n_classes: int) -> tuple[str, ...]:
    """Return all that there is to compare for so many classes.

    Examples
    --------
    >>> [name for name in lineup_for(1) if name not in lineup_for(2)]
    ['one-class']
    """
    return tuple(ALONE if name == DEFAULT and n_classes == 1 else name for name in LINEUP)
