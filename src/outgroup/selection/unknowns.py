"""The images that no strategy had seen, and what each strategy's answers to them are worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Kinds of unknowns. They teach different things, so each weighs the same, however many images.
LEFT_OUT, NEGATIVES, SYNTHETIC = "left-out classes", "held-out negatives", "synthetic garbage"

#: Standard errors by which another strategy must be better than the default to be taken, as in the
#: rule of Breiman, Friedman, Olshen and Stone 1984, Classification and Regression Trees, section
#: 3.4.3.
BETTER = 1.0

#: Standard errors that it takes to show that a simpler strategy is as good: of several that are
#: tried for it, one is soon within a single one by luck.
SIGNIFICANT = 2.0

#: A simpler strategy is preferred where it is shown to accept no more than this share in addition,
#: nor this part of what the better one accepts: half a point is nothing beside twenty, and a lot
#: beside one.
NEGLIGIBLE, NEGLIGIBLE_PART = 0.005, 0.1


@dataclass(frozen=True)
class Unknowns:
    """Unknown images, one entry for each time that all strategies met one unseen.

    Parameters
    ----------
    kind, source : ndarray of shape (n,), str
        What kind of unknown an image is, and which of that kind: the class that was left out, the
        collection of negatives.
    cluster : ndarray of shape (n,), str
        Images of one cluster are alike, and count as one draw in an uncertainty: a class that was
        left out, a folder of negatives.
    block : ndarray of shape (n,), str
        What was unseen together, and so can be left out of a choice together.

    Examples
    --------
    >>> names = np.array(["cat", "cat", "squares"])
    >>> kinds = np.array([LEFT_OUT, LEFT_OUT, SYNTHETIC])
    >>> unknowns = Unknowns(kinds, names, np.array(["1", "2", "3"]), names)
    >>> unknowns.weights()
    array([0.25, 0.25, 0.5 ])
    """

    kind: NDArray[np.str_]
    source: NDArray[np.str_]
    cluster: NDArray[np.str_]
    block: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def concatenate(cls, parts: Iterable[Unknowns]) -> Unknowns:
        """Return all parts as one, in order."""
        parts = list(parts)
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("kind", "source", "cluster", "block")
            )
        )

    def weights(self, rows: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Return weights that add up to 1 over the given rows, and are 0 elsewhere.

        Kinds weigh the same, sources of a kind too, and images of a source too.
        """
        rows = np.ones(len(self), dtype=np.bool_) if rows is None else rows
        weights = np.zeros(len(self))
        kinds = np.unique(self.kind[rows])
        for kind in kinds:
            of_kind = rows & (self.kind == kind)
            sources = np.unique(self.source[of_kind])
            for source in sources:
                of_source = of_kind & (self.source == source)
                weights[of_source] = 1.0 / (len(kinds) * len(sources) * of_source.sum())
        return weights

    def mean(self, accepted: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None) -> float:
        """Return the weighted share that was accepted."""
        return float(self.weights(rows) @ accepted)

    def standard_error(self, values: NDArray[Any], rows: NDArray[np.bool_] | None = None) -> float:
        """Return the standard error of the weighted mean of `values` (n,), by clusters.

        What is estimated is the share for *new* clusters: of three classes that were left out one
        has learned about three kinds of unknowns, however many images there are of each. Clusters
        are drawn within a collection of negatives or a kind of garbage, and within all left-out
        classes. Few clusters may agree by chance, so it is at least what images drawn one by one
        would give.
        """
        weights = self.weights(rows)
        used = weights > 0
        stratum = np.where(self.kind == LEFT_OUT, self.kind, _joined(self.kind, self.source))
        variance = 0.0
        for name in np.unique(stratum[used]):
            inside = used & (stratum == name)
            w, v = weights[inside], values[inside].astype(np.float64)
            deviations = w * (v - (w @ v) / w.sum())
            _, cluster = np.unique(self.cluster[inside], return_inverse=True)
            sums = np.bincount(cluster, deviations).astype(np.float64)
            variance += max(_of_sum(sums), _of_sum(deviations))
        return float(np.sqrt(variance))


def choose(
    accepted: Sequence[NDArray[np.bool_]],
    unknowns: Unknowns,
    default: int | None = None,
    rows: NDArray[np.bool_] | None = None,
) -> int:
    """Return which strategy to take.

    The default stays unless another accepts less by more than `BETTER` standard errors of the
    difference. Then the simplest is taken that is shown to be as good: that accepts no more
    than is negligible in addition, `SIGNIFICANT` standard errors included. Where little is known
    nothing is shown, and simplicity is no argument.

    Parameters
    ----------
    accepted : sequence of ndarray of shape (n,), bool
        What each strategy accepted, the simplest strategy first.
    unknowns : Unknowns
        The n unknown images.
    default : int or None
        The strategy to take for lack of evidence; None: the one that accepts least.
    rows : ndarray of shape (n,), bool, or None
        Those that may be looked at; None: all.
    """
    shares = [unknowns.mean(a, rows) for a in accepted]

    def difference(i: int, j: int) -> tuple[float, float]:
        values = accepted[i].astype(np.float64) - accepted[j]
        return shares[i] - shares[j], unknowns.standard_error(values, rows)

    taken = int(np.argmin(shares))
    if default is not None:
        more, error = difference(default, taken)
        taken = default if more <= BETTER * error else taken
    margin = min(NEGLIGIBLE, NEGLIGIBLE_PART * shares[taken])
    for i in range(len(accepted)):
        more, error = difference(i, taken)
        if more + SIGNIFICANT * error <= margin:
            return i
    return taken


def choose_nested(
    accepted: Sequence[NDArray[np.bool_]], unknowns: Unknowns, default: int | None = None
) -> NDArray[np.bool_]:
    """Return what is accepted when the choice for each block is made without that block.

    The share that the chosen strategy accepts is too good, because it was chosen for it. Here every
    image is answered by the strategy that would have been chosen had its block not been there.
    """
    blocks = np.unique(unknowns.block)
    answered = accepted[choose(accepted, unknowns, default)].copy()
    for block in blocks if len(blocks) > 1 else ():  # with one there is nothing else to choose by
        rows = unknowns.block == block
        answered[rows] = accepted[choose(accepted, unknowns, default, ~rows)][rows]
    return answered


def _of_sum(parts: NDArray[np.float64]) -> float:
    """Return the variance of a sum of independent parts, from these; 0 for one part."""
    return float((parts**2).sum()) * len(parts) / max(len(parts) - 1, 1) if len(parts) > 1 else 0.0


def _joined(*columns: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array(["\0".join(row) for row in zip(*columns, strict=True)], dtype=str)
