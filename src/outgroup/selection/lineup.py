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
    "one-class",
    "imagenet",
)

#: What ``--strategy auto`` chooses from: few, and with parts in common, so that training stays
#: quick. (An "other" class asks for a head of its own, and says much the same as sigmoids do.)
AUTO_LINEUP = ("softmax:energy", "detector", "detector:knn", "sigmoid", "blend", "two-votes")

#: What is taken where there is nothing to choose by: it needs no negatives and uses those there
#: are, and no kind of other is out of reach of all of its members.
DEFAULT = "blend"
