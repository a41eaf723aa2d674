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
    "outlier-exposure",
    "other-class",
    "blend",
    "one-class",
    "imagenet",
)

#: What ``--strategy auto`` chooses from: one of each way, so that training stays quick.
AUTO_LINEUP = ("softmax:energy", "detector", "detector:knn", "sigmoid", "other-class", "blend")

#: What is taken where there is nothing to choose by: it needs no negatives and uses those there
#: are, and no kind of other is out of reach of all of its members.
DEFAULT = "blend"
