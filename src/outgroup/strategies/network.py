"""The scores of an encoder that gives class scores and other-scores itself.

They have a registry of their own, as nobody can choose them: they come with such an encoder.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outgroup._features import CLASS_SCORES, OTHER_SCORES, Features
from outgroup._registry import Registry
from outgroup.strategies.base import Scores, Strategy
from outgroup.strategies.cross_fit import FoldedRows

NETWORK_SCORES: Registry[Strategy] = Registry("network score", "outgroup.strategies.network")


@NETWORK_SCORES.register("network")
class NetworkScores(Strategy):
    """Read the class scores and the other-score off two layers of the encoder; learns nothing.

    Networks with several inputs give these layers; see `outgroup.multi_input`.
    """

    summary = "the scores of a network with several inputs"
    reference = "outgroup"
    takes_one_class = True
    needs_layers = ("last", CLASS_SCORES, OTHER_SCORES)

    @property
    def learns(self) -> bool:
        """Whether it learns from images: no."""
        return False

    def cross_fit(self, rows: FoldedRows) -> Scores:
        """See `Strategy.cross_fit`; nothing is learned, so this is `score`."""
        return self.score(rows.features)

    def fit(self, features: Features, y: NDArray[np.int64]) -> NetworkScores:
        """See `Strategy.fit`; nothing is learned."""
        return self

    def score(self, features: Features) -> Scores:
        """See `Strategy.score`."""
        other = features[OTHER_SCORES]
        return Scores(features[CLASS_SCORES], other if self.for_labels else other[:, 0])


@NETWORK_SCORES.register("label-network")
class LabelNetworkScores(NetworkScores):
    """Read the scores of labels off two layers of the encoder; learns nothing."""

    for_labels = True
