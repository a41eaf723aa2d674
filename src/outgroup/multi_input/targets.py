"""What a network is to say, as numbers, and what it said, as probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

#: Kinds of targets.
TARGETS = ("binary", "multi-class", "multi-label")


@dataclass(frozen=True)
class Target:
    """What the outputs of a network mean.

    Parameters
    ----------
    kind : {"binary", "multi-class", "multi-label"}
        One sigmoid for the second of two classes, a softmax, or a sigmoid for each label.
    classes : tuple of str
        Names, sorted.
    gate : bool, default=False
        Whether there is one more output, which says known or other: where there are negatives to
        learn it from, made or given.

    Examples
    --------
    >>> target = Target("binary", ("iceberg", "ship"))
    >>> target.outputs, target.probabilities(np.array([[0.0]]))
    (1, array([[0.5, 0.5]]))
    """

    kind: str
    classes: tuple[str, ...]
    gate: bool = False

    @property
    def n_scores(self) -> int:
        """Outputs that stand for classes."""
        return 1 if self.kind == "binary" else len(self.classes)

    @property
    def outputs(self) -> int:
        """All outputs."""
        return self.n_scores + self.gate

    def encode(self, Y: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what the outputs are to be, (n, outputs), NaN where it is no matter.

        Parameters
        ----------
        Y : ndarray of shape (n,) or (n, K), int64
            Class indices, -1 for negatives; or 1, 0 and -1 (unknown) for each label.
        """
        several = self.kind == "multi-label"
        known = (Y == 1).any(axis=1) if several else Y >= 0
        wanted = np.full((len(Y), self.outputs), np.nan, dtype=np.float32)
        if several:
            wanted[:, : self.n_scores] = np.where(Y < 0, np.nan, Y)
        elif self.kind == "binary":
            wanted[known, 0] = Y[known]
        else:
            wanted[known, : self.n_scores] = np.eye(len(self.classes))[Y[known]]
        if self.gate:
            wanted[:, -1] = known
        return wanted

    def others(self, n: int) -> NDArray[np.float32]:
        """Return what the outputs are to be for n rows that are none of the classes."""
        if self.kind == "multi-label":
            return self.encode(np.zeros((n, len(self.classes)), dtype=np.int64))
        return self.encode(np.full(n, -1))

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (n, K) for logits (n, outputs): what the network says of each class."""
        scores = np.asarray(logits, dtype=np.float64)[:, : self.n_scores]
        if self.kind == "multi-class":
            result: NDArray[np.float64] = softmax(scores, axis=1)
            return result
        found = expit(scores)
        return np.column_stack([1.0 - found, found]) if self.kind == "binary" else found


def class_indices(labels: Sequence[str | None], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the index of each label, -1 for None."""
    index = {name: i for i, name in enumerate(classes)}
    return np.array([-1 if name is None else index[name] for name in labels], dtype=np.int64)
