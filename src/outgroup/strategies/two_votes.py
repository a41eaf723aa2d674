"""A head that negatives have taught, and all distances together: one vote each."""

from __future__ import annotations

from outgroup.strategies.base import STRATEGIES
from outgroup.strategies.blend import Blend


@STRATEGIES.register("two-votes")
class TwoVotes(Blend):
    """A blend in which the head counts as much as all distances together.

    Where what comes is of the kinds of the negatives, and they look much like the known classes, as
    two more digits beside six, only the head can tell: each distance finds them near. Where it is
    of other kinds, the head is easily wrong, and `Blend`, which leaves most of the word to the
    distances, is the better one. Which it is, `compare` measures by negatives and classes held out.

    Parameters
    ----------
    head, last_shape, last_neighbours, second_last_shape, logits_neighbours, relative, scaling,
    layers
        As for `Blend`.

    References
    ----------
    L. Shu, H. Xu and B. Liu, DOC: Deep Open Classification of Text Documents, EMNLP 2017; K. Lee et
    al., A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
    Attacks, NeurIPS 2018; Y. Sun et al., Out-of-Distribution Detection with Deep Nearest Neighbors,
    ICML 2022.
    """

    name = "two-votes"
    summary = "blend in which the head, taught by negatives, counts as much as all distances"
    needs_others = True

    def _taught(self, n_distances: int) -> float:
        return float(n_distances)
